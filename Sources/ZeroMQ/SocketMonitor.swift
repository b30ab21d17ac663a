import CZeroMQ

/// Tells what becomes of a socket's connections. It belongs to the thread of the socket.
package struct SocketMonitor: ~Copyable {
    /// The inner end of libzmq's queue of events.
    let events: Socket
    private let monitored: SocketHandle

    /// Starts to watch; what has happened before is not told. A socket has one monitor at a time.
    package init(_ socket: borrowing Socket, in context: Context) throws(ZMQError) {
        let events = try Socket(.pair, in: context)
        let address = context.newMonitorAddress()
        let pointer = unsafe socket.handle.pointer
        // libzmq's I/O thread stops and waits while this queue is full: it must not have a bound.
        try events.setRaw(ZMQ_RCVHWM, "ZMQ_RCVHWM", to: CInt(0))
        let inner = unsafe events.handle.pointer
        try check("zmq_connect", on: address) { unsafe zmq_connect(inner, address) }
        try check("zmq_socket_monitor", on: address) {
            unsafe zmq_socket_monitor(pointer, address, ZMQ_EVENT_ALL)
        }
        self.events = events
        monitored = socket.handle
    }

    deinit {
        // libzmq would wait for ever to tell a monitor that is gone.
        guard !monitored.isClosed else { return }
        _ = uninterrupted { unsafe zmq_socket_monitor(monitored.pointer, nil, 0) }
    }

    /// The next event, if there is one; a poller can watch for it.
    package func next() throws(ZMQError) -> MonitorEvent? {
        var frame = Message()
        guard try events.receiveFrame(into: &frame) else { return nil }
        let (number, value) = unsafe frame.withUnsafeBytes { bytes in
            // Two numbers in the order of this host, as libzmq lays them out.
            unsafe bytes.count == 6
                ? (
                    bytes.loadUnaligned(as: UInt16.self),
                    bytes.loadUnaligned(fromByteOffset: 2, as: Int32.self)
                ) : (0, 0)
        }
        var endpoint = ""
        while frame.hasMore, try events.receiveFrame(into: &frame) {
            endpoint = unsafe frame.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        }
        return MonitorEvent(kind: .init(number: CInt(number), value: value), endpoint: endpoint)
    }
}

/// Something that happened to a connection.
package struct MonitorEvent: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        case listening
        case bindFailed(errno: CInt)
        case accepted
        case acceptFailed(errno: CInt)
        case connectDelayed
        case connectRetried(afterMilliseconds: Int)
        case connected
        case handshakeSucceeded
        /// The connection broke or took too long before both sides had understood each other.
        case handshakeFailed(errno: CInt)
        /// The peer does not speak the protocol, or not with these keys; `ZMQ_PROTOCOL_ERROR_…`.
        case handshakeFailedByProtocol(error: CInt)
        /// The ZAP handler refused the peer, with a status like 400.
        case handshakeRefused(status: Int)
        case disconnected
        case closed
        case closeFailed(errno: CInt)
        /// The last event of all.
        case monitorStopped
        case other(event: CInt, value: CInt)

        fileprivate init(number: CInt, value: CInt) {
            self =
                switch number {
                case ZMQ_EVENT_LISTENING: .listening
                case ZMQ_EVENT_BIND_FAILED: .bindFailed(errno: value)
                case ZMQ_EVENT_ACCEPTED: .accepted
                case ZMQ_EVENT_ACCEPT_FAILED: .acceptFailed(errno: value)
                case ZMQ_EVENT_CONNECT_DELAYED: .connectDelayed
                case ZMQ_EVENT_CONNECT_RETRIED: .connectRetried(afterMilliseconds: Int(value))
                case ZMQ_EVENT_CONNECTED: .connected
                case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .handshakeSucceeded
                case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: .handshakeFailed(errno: value)
                case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: .handshakeFailedByProtocol(error: value)
                case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: .handshakeRefused(status: Int(value))
                case ZMQ_EVENT_DISCONNECTED: .disconnected
                case ZMQ_EVENT_CLOSED: .closed
                case ZMQ_EVENT_CLOSE_FAILED: .closeFailed(errno: value)
                case ZMQ_EVENT_MONITOR_STOPPED: .monitorStopped
                default: .other(event: number, value: value)
                }
        }
    }

    package let kind: Kind
    /// Ours where we bind, the peer's where we connect, as libzmq writes it; empty when it says none.
    package let endpoint: String

    package var description: String { "\(kind) \(endpoint)" }
}
