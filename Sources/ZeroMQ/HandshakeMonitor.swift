import CZeroMQ
import Synchronization

/// Tells which handshakes of a socket's connections fail. It belongs to the thread of the socket.
///
/// Read it regularly: what it has to tell waits in memory, without a bound.
package struct HandshakeMonitor: ~Copyable {
    /// The inner end of libzmq's queue of events.
    let events: Socket
    private let monitored: SocketHandle

    /// So that no address is used twice in a process.
    private static let count = Atomic(0)

    /// Starts to watch; what has happened before is not told. A socket has one monitor at a time.
    package init(_ socket: borrowing Socket, in context: Context) throws(ZMQError) {
        let events = try Socket(.pair, in: context)
        let number = Self.count.add(1, ordering: .relaxed).newValue
        let address = "inproc://lockstep.monitor.\(number)"
        let pointer = unsafe socket.handle.pointer
        // libzmq's I/O thread stops and waits while this queue is full: it must not have a bound.
        try events.setRaw(ZMQ_RCVHWM, "ZMQ_RCVHWM", to: CInt(0))
        let inner = unsafe events.handle.pointer
        try check("zmq_connect", on: address) { unsafe zmq_connect(inner, address) }
        try check("zmq_socket_monitor", on: address) {
            unsafe zmq_socket_monitor(
                pointer, address,
                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                    | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        }
        self.events = events
        monitored = socket.handle
    }

    deinit {
        // libzmq would wait for ever to tell a monitor that is gone.
        guard !monitored.isClosed else { return }
        _ = uninterrupted { unsafe zmq_socket_monitor(monitored.pointer, nil, 0) }
    }

    /// The next failure, if there is one; a poller can watch for it.
    package func next() throws(ZMQError) -> HandshakeFailure? {
        var frame = Message()
        while try events.receiveFrame(into: &frame) {
            let failure = unsafe frame.withUnsafeBytes { unsafe HandshakeFailure(event: $0) }
            // The second frame is the endpoint.
            while frame.hasMore, try events.receiveFrame(into: &frame) {}
            if let failure { return failure }
        }
        return nil
    }
}

/// Why a connection ended before both sides had understood each other.
package enum HandshakeFailure: Hashable, Sendable {
    /// It broke or took too long; which of both, libzmq's errno does not tell.
    case broken
    /// The peer does not speak the protocol, or not with these keys; `ZMQ_PROTOCOL_ERROR_…`.
    case byProtocol(error: CInt)
    /// The ZAP handler refused the peer, with a status like 400.
    case refused(status: Int)

    /// Two numbers in the order of this host, as libzmq lays them out.
    fileprivate init?(event bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 6 else { return nil }
        let number = unsafe CInt(bytes.loadUnaligned(as: UInt16.self))
        let value = unsafe bytes.loadUnaligned(fromByteOffset: 2, as: CInt.self)
        switch number {
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: self = .broken
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: self = .byProtocol(error: value)
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: self = .refused(status: Int(value))
        default: return nil
        }
    }
}
