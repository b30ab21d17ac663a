import CZeroMQ

/// An option that is a whole number. Values that libzmq takes for "without bound" are out of
/// `range`.
package struct IntegerOption: Sendable {
    let number: CInt
    let name: String
    let range: ClosedRange<Int>
    /// libzmq has one option of eight bytes; the others are C `int`s.
    var isWide = false

    private static let natural = 0...Int(CInt.max)
    private static let positive = 1...Int(CInt.max)

    /// Messages queued for one peer before `send` answers `wouldBlock`. Set it before `bind` or
    /// `connect`, as most options.
    package static let sendHighWaterMark = Self(
        number: ZMQ_SNDHWM, name: "ZMQ_SNDHWM", range: positive)
    /// Messages queued from one peer before libzmq stops to read from it.
    package static let receiveHighWaterMark = Self(
        number: ZMQ_RCVHWM, name: "ZMQ_RCVHWM", range: positive)
    /// How long unsent messages may outlive their socket.
    package static let lingerMilliseconds = Self(
        number: ZMQ_LINGER, name: "ZMQ_LINGER", range: natural)
    /// How long a connection may take to speak ZMTP (and to prove its key) before it is closed.
    package static let handshakeMilliseconds = Self(
        number: ZMQ_HANDSHAKE_IVL, name: "ZMQ_HANDSHAKE_IVL", range: positive)
    /// A peer that announces a longer frame is disconnected. Under CURVE a frame is 33 bytes
    /// longer.
    package static let maximumMessageByteCount = Self(
        number: ZMQ_MAXMSGSIZE, name: "ZMQ_MAXMSGSIZE", range: 0...Int.max, isWide: true)
    /// The pause between the loss of a connection, or a failed attempt to make one, and the next
    /// attempt. libzmq adds a random part below this value each time, to keep many peers apart.
    package static let reconnectMilliseconds = Self(
        number: ZMQ_RECONNECT_IVL, name: "ZMQ_RECONNECT_IVL", range: positive)
    /// How far that pause (without its random part) doubles from one failed attempt to the next; 0,
    /// or no more than the pause itself, keeps it as it is. A connection that was made and is lost
    /// begins with the first pause again.
    package static let maximumReconnectMilliseconds = Self(
        number: ZMQ_RECONNECT_IVL_MAX, name: "ZMQ_RECONNECT_IVL_MAX", range: natural)
    /// How long one attempt to connect may take. Without it, a host that does not answer at all
    /// keeps libzmq from the next attempt as long as the kernel tries, two minutes.
    package static let connectTimeoutMilliseconds = Self(
        number: ZMQ_CONNECT_TIMEOUT, name: "ZMQ_CONNECT_TIMEOUT", range: positive)
    /// `TCP_USER_TIMEOUT`, of connections that are accepted and of those that connect, for what is
    /// bound or connected from now on: how long sent bytes may lie without an acknowledgement, or
    /// unsent ones before a full receiver, until the kernel closes the connection. Without it, that
    /// takes 15 minutes.
    ///
    /// A connection that is idle is not closed by it: there is nothing to acknowledge. A DEALER
    /// whose connection is closed so connects again by itself, after `reconnectMilliseconds`; to
    /// the ROUTER it is a new peer. What the connection had taken is lost, whole messages among it;
    /// what waited in the socket's queue is dropped with `.immediate`, else sent on the next
    /// connection.
    package static let tcpUserTimeoutMilliseconds = Self(
        number: ZMQ_TCP_MAXRT, name: "ZMQ_TCP_MAXRT", range: positive)
    /// How long a connection may be idle until the kernel asks whether the peer is still there,
    /// where `.tcpKeepAlive` is on.
    package static let tcpKeepAliveIdleSeconds = Self(
        number: ZMQ_TCP_KEEPALIVE_IDLE, name: "ZMQ_TCP_KEEPALIVE_IDLE", range: positive)
    /// How long it waits for an answer until it asks again.
    package static let tcpKeepAliveIntervalSeconds = Self(
        number: ZMQ_TCP_KEEPALIVE_INTVL, name: "ZMQ_TCP_KEEPALIVE_INTVL", range: positive)
}

/// An option that is on or off.
package struct FlagOption: Sendable {
    let number: CInt
    let name: String

    /// A ROUTER answers `wouldBlock` and `unreachable` where it would drop. It cannot be read back.
    package static let routerMandatory = Self(
        number: ZMQ_ROUTER_MANDATORY, name: "ZMQ_ROUTER_MANDATORY")
    /// A ROUTER's peer that announces the routing id of another takes its place.
    package static let routerHandover = Self(
        number: ZMQ_ROUTER_HANDOVER, name: "ZMQ_ROUTER_HANDOVER")
    /// The kernel asks after a peer that is silent, so that a router or a firewall in between does
    /// not forget the connection, and one to a host that is gone is closed.
    package static let tcpKeepAlive = Self(
        number: ZMQ_TCP_KEEPALIVE, name: "ZMQ_TCP_KEEPALIVE")
    /// Messages are queued for complete connections only.
    package static let immediate = Self(number: ZMQ_IMMEDIATE, name: "ZMQ_IMMEDIATE")
    /// Without a ZAP handler nobody gets in, instead of everyone; needs `.zapDomain`.
    package static let enforcesZAPDomain = Self(
        number: ZMQ_ZAP_ENFORCE_DOMAIN, name: "ZMQ_ZAP_ENFORCE_DOMAIN")
    /// The side of CURVE that knows its peers by their keys.
    static let curveServer = Self(number: ZMQ_CURVE_SERVER, name: "ZMQ_CURVE_SERVER")
}

/// An option that is a text.
package struct TextOption: Sendable {
    let number: CInt
    let name: String

    /// The domain that the ZAP handler is asked about. Without one, it is not asked.
    package static let zapDomain = Self(number: ZMQ_ZAP_DOMAIN, name: "ZMQ_ZAP_DOMAIN")
    static let curvePublicKey = Self(number: ZMQ_CURVE_PUBLICKEY, name: "ZMQ_CURVE_PUBLICKEY")
    static let curveSecretKey = Self(number: ZMQ_CURVE_SECRETKEY, name: "ZMQ_CURVE_SECRETKEY")
    static let curveServerKey = Self(number: ZMQ_CURVE_SERVERKEY, name: "ZMQ_CURVE_SERVERKEY")
}

extension Socket {
    /// - Precondition: `value` is in the range of the option.
    package func set(_ option: IntegerOption, to value: Int) throws(ZMQError) {
        precondition(option.range ~= value, "\(option.name) cannot be \(value)")
        if option.isWide {
            try setRaw(option.number, option.name, to: Int64(value))
        } else {
            try setRaw(option.number, option.name, to: CInt(value))
        }
    }

    package func set(_ option: FlagOption, to value: Bool) throws(ZMQError) {
        try setRaw(option.number, option.name, to: CInt(value ? 1 : 0))
    }

    package func set(_ option: TextOption, to value: String) throws(ZMQError) {
        let socket = unsafe handle.pointer
        try check("zmq_setsockopt", on: option.name) {
            unsafe zmq_setsockopt(socket, option.number, value, value.utf8.count)
        }
    }

    /// Sets any option of a fixed size, without a look at its range.
    func setRaw<Value: BitwiseCopyable>(
        _ number: CInt, _ name: String, to value: Value
    ) throws(ZMQError) {
        let socket = unsafe handle.pointer
        try check("zmq_setsockopt", on: name) {
            unsafe withUnsafeBytes(of: value) {
                unsafe zmq_setsockopt(socket, number, $0.baseAddress, $0.count)
            }
        }
    }
}
