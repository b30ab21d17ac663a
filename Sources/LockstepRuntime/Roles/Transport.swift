public import LockstepProtocol
public import TrainingPlan
public import ZeroMQ

/// One end of what a role hears and says: a peer at one of its own ports, or one of its
/// connections.
public enum Port: Hashable, Sendable {
    /// Whoever came to this process' control port, or to its data port.
    case controlPeer(PeerHandle)
    case dataPeer(PeerHandle)
    /// This process' connection to the coordinator's control port, or to its data port.
    case coordinator
    case coordinatorData
    /// This process' connection to the data port of a shard's server.
    case shard(ShardIndex)

    /// Who came to a port of this process; nil for its own connections.
    public var peer: PeerHandle? {
        switch self {
        case .controlPeer(let peer), .dataPeer(let peer): peer
        case .coordinator, .coordinatorData, .shard: nil
        }
    }
}

/// What became of a message that was sent.
public enum Delivery: Hashable, Sendable {
    /// It is on its way, which does not mean that it arrives.
    case queued
    /// There is no room or no connection: whatever matters is sent again by a machine.
    case dropped
    /// There is no such peer any more.
    case unreachable
}

/// What came.
public enum Arrival: Hashable, Sendable {
    /// One frame, which is in hand.
    case frame(Port)
    /// Something else than one frame.
    case junk(PeerHandle?)
}

/// The sockets of one role, or their simulation. It belongs to one thread.
public protocol Transport: AnyObject {
    /// The next message that has come, each port in its turn; nil when there is none.
    func receive(into message: inout Message) throws -> Arrival?

    func send(_ message: consuming Message, to port: Port) throws -> Delivery

    /// Connects to the port of another process, anew if there is a connection already.
    ///
    /// - Parameters:
    ///   - maximumFrameByteCount: of what comes from there.
    ///   - channel: what goes both ways at every step, and may lie in memory that both share; nil
    ///     where nothing does.
    func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
    ) throws

    func disconnect(_ port: Port)
}

extension Transport {
    func connect(_ port: Port, to endpoint: String, maximumFrameByteCount: Int) throws {
        try connect(
            port, to: endpoint, maximumFrameByteCount: maximumFrameByteCount,
            channel: nil)
    }
}

/// The largest frames that go through a channel at every step, in bytes.
public struct ChannelSize: Hashable, Sendable {
    package var sentByteCount: Int
    package var receivedByteCount: Int

    package init(sentByteCount: Int, receivedByteCount: Int) {
        self.sentByteCount = sentByteCount
        self.receivedByteCount = receivedByteCount
    }
}

extension PeerHandle {
    /// The other role of a thread, which the transport does not number.
    static let sameThread = PeerHandle(rawValue: .max)
}
