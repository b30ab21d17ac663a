import CZeroMQ
import Glibc

/// A socket. It belongs to the thread that made it, which every call checks, and closes in
/// `deinit`.
///
/// No call waits: what cannot be done now is an answer, and `Poller` is the place to wait. Unless
/// told otherwise a socket lingers 0 ms: what is not sent when it closes is dropped.
package struct Socket: ~Copyable {
    package enum Kind: Sendable {
        case router, dealer, pair, reply

        fileprivate var type: CInt {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .pair: ZMQ_PAIR
            case .reply: ZMQ_REP
            }
        }
    }

    package let kind: Kind
    let handle: SocketHandle

    package init(_ kind: Kind, in context: Context) throws(ZMQError) {
        handle = try SocketHandle(type: kind.type, context: context)
        self.kind = kind
    }

    deinit { handle.close() }

    // MARK: Addresses

    /// Binds, to a port from the system where the endpoint leaves it open.
    ///
    /// `*` is every address of versions 4 and 6; `0.0.0.0` those of version 4 only. libzmq binds to
    /// addresses and to interfaces (by their address of version 4), not to names; `localhost` is
    /// 127.0.0.1 here.
    /// - Returns: the endpoint that it came to be.
    @discardableResult
    package func bind(to endpoint: Endpoint) throws(ZMQError) -> Endpoint {
        let place = endpoint.host == "localhost" ? endpoint.with(host: "127.0.0.1") : endpoint
        try understandVersion6(place.host == "*" || place.isVersion6)
        let socket = unsafe handle.pointer
        try check("zmq_bind", on: endpoint.text) { unsafe zmq_bind(socket, place.text) }
        return try lastEndpoint() ?? endpoint
    }

    /// Begins to connect; whether it succeeds is for an answer of the peer to tell.
    ///
    /// libzmq keeps trying, resolves a name anew at each attempt, and connects again when a
    /// connection is lost. Of a name only one address is tried: of version 4 if it has one at the
    /// time of this call, which waits for the resolver. ``Endpoint/addresses()`` tells the others.
    package func connect(to endpoint: Endpoint) throws(ZMQError) {
        guard endpoint.isConnectable else {
            throw ZMQError(code: EINVAL, call: "zmq_connect", subject: endpoint.text)
        }
        try understandVersion6(endpoint.connectsByVersion6)
        let socket = unsafe handle.pointer
        try check("zmq_connect", on: endpoint.text) { unsafe zmq_connect(socket, endpoint.text) }
    }

    /// - Parameter endpoint: as `bind(to:)` returned it.
    package func unbind(from endpoint: Endpoint) throws(ZMQError) {
        let socket = unsafe handle.pointer
        try check("zmq_unbind", on: endpoint.text) { unsafe zmq_unbind(socket, endpoint.text) }
    }

    /// Says, for the next address, whether it may be of version 6. Where it need not, libzmq would
    /// write addresses of version 4 as those of version 6 (`[::ffff:127.0.0.1]`), and of a name
    /// with both take only the latter.
    private func understandVersion6(_ isWanted: Bool) throws(ZMQError) {
        try setRaw(ZMQ_IPV6, "ZMQ_IPV6", to: CInt(isWanted ? 1 : 0))
    }

    /// The endpoint of the last `bind` or `connect`, with its actual port.
    private func lastEndpoint() throws(ZMQError) -> Endpoint? {
        let socket = unsafe handle.pointer
        // Longer than any path of a Unix socket.
        var bytes = [UInt8](repeating: 0, count: 512)
        var byteCount = bytes.count
        try check("zmq_getsockopt", on: "ZMQ_LAST_ENDPOINT") {
            unsafe zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, &bytes, &byteCount)
        }
        return try? Endpoint(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    // MARK: One frame a message

    /// Hands a message to libzmq. Sent means queued, not delivered.
    /// - Parameter hasMore: whether the message continues in another frame.
    package func send(
        _ message: consuming Message, hasMore: Bool = false
    ) throws(ZMQError) -> SendResult {
        let answer = unsafe message.send(
            on: handle.pointer, flags: ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0))
        return try SendResult(answer, of: message)
    }

    /// Hands a message to a ROUTER for one peer.
    ///
    /// With `.routerMandatory` a full queue and an unknown peer are answers; without, libzmq drops
    /// such a message and calls it sent.
    package func send(
        _ message: consuming Message, to peer: RoutingID
    ) throws(ZMQError) -> SendResult {
        precondition(kind == .router, "only a ROUTER sends to a peer by its routing id")
        let socket = unsafe handle.pointer
        let answer = unsafe peer.withUnsafeBytes { bytes in
            uninterrupted {
                unsafe zmq_send(
                    socket, bytes.baseAddress, bytes.count, ZMQ_SNDMORE | ZMQ_DONTWAIT)
            }
        }
        switch answer {
        case .value: return try send(message)
        case .failure: return try SendResult(answer, of: message)
        }
    }

    /// Takes a message of exactly one frame, if there is one. More than that is drained.
    /// - Parameter message: what it held is dropped; it is left empty unless a message is taken.
    package func receive(into message: inout Message) throws(ZMQError) -> Reception {
        precondition(kind != .router, "a ROUTER's messages begin with the routing id of a peer")
        guard try receiveFrame(into: &message) else { return .nothing }
        let frameCount = try 1 + drain(&message)
        return frameCount == 1 ? .message : .malformed(frameCount: frameCount)
    }

    /// Takes a message of exactly one frame from a ROUTER, if there is one, with its sender.
    ///
    /// Peers that send more frames, or chose a routing id of another form than ours, are reported
    /// and their messages drained, so that the next call begins with the next message.
    /// - Parameter message: what it held is dropped; it is left empty unless a message is taken.
    package func receiveRouted(into message: inout Message) throws(ZMQError) -> RoutedReception {
        precondition(kind == .router, "only a ROUTER's messages have a routing id")
        let socket = unsafe handle.pointer
        // Room for a byte more than an id of ours has.
        var word: UInt64 = 0
        // zmq_recv cuts what is too long but tells its true length.
        let answer = unsafe withUnsafeMutableBytes(of: &word) { bytes in
            uninterrupted { unsafe zmq_recv(socket, bytes.baseAddress, bytes.count, ZMQ_DONTWAIT) }
        }
        let sender: RoutingID?
        switch answer {
        case .value(let byteCount):
            sender = unsafe withUnsafeBytes(of: word) {
                unsafe RoutingID($0.prefix(Int(byteCount)))
            }
        case .failure(EAGAIN):
            message.clear()
            return .nothing
        case .failure(let code): throw ZMQError(code: code, call: "zmq_recv")
        }
        // libzmq delivers a message whole: its other frames are there already.
        guard try receiveFrame(into: &message) else {
            return .malformed(from: sender, frameCount: 0)
        }
        let frameCount = try 1 + drain(&message)
        guard let sender, frameCount == 1 else {
            message.clear()
            return .malformed(from: sender, frameCount: frameCount)
        }
        return .message(from: sender)
    }

    /// Drops what follows the frame in `message`.
    /// - Returns: the number of frames dropped; if any, `message` is empty too.
    private func drain(_ message: inout Message) throws(ZMQError) -> Int {
        guard message.hasMore else { return 0 }
        var frameCount = 0
        while message.hasMore, try receiveFrame(into: &message) { frameCount += 1 }
        message.clear()
        return frameCount
    }

    // MARK: Multipart messages, which ZAP and a monitor speak

    /// Takes the next frame, if there is one; `message.hasMore` tells whether it has a successor.
    /// - Parameter message: what it held is dropped; it is left empty if there is none.
    package func receiveFrame(into message: inout Message) throws(ZMQError) -> Bool {
        switch unsafe message.receive(on: handle.pointer) {
        case .value: return true
        case .failure(EAGAIN): return false
        case .failure(let code): throw ZMQError(code: code, call: "zmq_msg_recv")
        }
    }
}

/// What became of a message. One that was not sent comes back.
package enum SendResult: ~Copyable {
    case sent
    /// The queue to the peer is full, or there is no connection yet: try again when a poller calls
    /// the socket writable. A ROUTER always is: try again after a while. libzmq looks for room that
    /// the peer has made once a millisecond at most, and whenever the socket is polled.
    case wouldBlock(Message)
    /// A ROUTER has no peer of that routing id.
    case unreachable(Message)

    fileprivate init(_ answer: Answer, of message: consuming Message) throws(ZMQError) {
        switch answer {
        case .value: self = .sent
        case .failure(EAGAIN): self = .wouldBlock(message)
        case .failure(EHOSTUNREACH): self = .unreachable(message)
        case .failure(let code): throw ZMQError(code: code, call: "zmq_msg_send")
        }
    }

    package var isSent: Bool {
        switch self {
        case .sent: true
        case .wouldBlock: false
        case .unreachable: false
        }
    }
}

/// What a socket other than a ROUTER had to give.
package enum Reception: Hashable, Sendable {
    case nothing
    case message
    /// A message of several frames, all dropped.
    case malformed(frameCount: Int)
}

/// What a ROUTER had to give.
package enum RoutedReception: Hashable, Sendable {
    case nothing
    case message(from: RoutingID)
    /// A message of other than one frame after the routing id (which does not count), or from a
    /// peer that chose its routing id (then nil: it is never answered); all dropped.
    case malformed(from: RoutingID?, frameCount: Int)
}

/// The pointer that a socket, its monitor and pollers have in common, and its only owner.
@safe
final class SocketHandle {
    private var socket: UnsafeMutableRawPointer?
    private var context: Context?
    private let owner = pthread_self()

    init(type: CInt, context: Context) throws(ZMQError) {
        let socket = unsafe try context.open(type)
        unsafe self.socket = unsafe socket
        self.context = context
        var linger: CInt = 0
        try check("zmq_setsockopt", on: "ZMQ_LINGER") {
            unsafe zmq_setsockopt(socket, ZMQ_LINGER, &linger, MemoryLayout<CInt>.size)
        }
    }

    deinit { close() }

    var isClosed: Bool { unsafe socket == nil }

    /// For a call of libzmq, in the thread of the socket.
    var pointer: UnsafeMutableRawPointer {
        precondition(
            pthread_equal(owner, pthread_self()) != 0,
            "a socket was used outside of the thread that made it")
        guard let socket = unsafe socket else { preconditionFailure("a closed socket was used") }
        return unsafe socket
    }

    func close() {
        if isClosed { return }
        // It fails only on a pointer that is not a socket.
        _ = uninterrupted { unsafe zmq_close(pointer) }
        unsafe socket = nil
        context = nil
    }
}
