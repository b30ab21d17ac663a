import LockstepProtocol
import LockstepRuntime
import Synchronization
import TrainingPlan
import ZeroMQ

/// A network of one role in memory: a test puts in what comes and looks at what was sent.
final class MemoryTransport: Transport {
    private var inbox: [(arrival: Arrival, bytes: [UInt8])] = []
    /// Where an endless flood comes from, besides.
    var flood: (() -> (Arrival, [UInt8]))?
    private(set) var sent: [(port: Port, bytes: [UInt8])] = []
    /// What becomes of what is sent to a port.
    var delivery: (Port) -> Delivery = { _ in .queued }
    /// The endpoints of the connections that there are.
    private(set) var connections: [Port: String] = [:]
    private(set) var receivedCount = 0

    func put(_ bytes: [UInt8], from port: Port) { inbox.append((.frame(port), bytes)) }

    func putJunk(from peer: PeerHandle?) { inbox.append((.junk(peer), [])) }

    var isEmpty: Bool { inbox.isEmpty }

    /// Takes out all that was sent.
    func takeSent() -> [(port: Port, bytes: [UInt8])] {
        defer { sent = [] }
        return sent
    }

    func receive(into message: inout Message) throws -> Arrival? {
        if inbox.isEmpty, flood == nil { return nil }
        receivedCount += 1
        let (arrival, bytes) = inbox.isEmpty ? flood!() : inbox.removeFirst()
        message = Message(copying: bytes)
        return arrival
    }

    func send(_ message: consuming Message, to port: Port) throws -> Delivery {
        sent.append((port, Self.bytes(of: message)))
        return delivery(port)
    }

    func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
    ) throws {
        connections[port] = endpoint
    }

    func disconnect(_ port: Port) { connections[port] = nil }

    static func bytes(of message: borrowing Message) -> [UInt8] {
        unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

/// A clock that a test moves.
final class HandClock: Clock {
    private let time = Mutex<Instant>(1_000_000)

    var now: Instant { time.withLock { $0 } }

    func advance(milliseconds: Int) {
        time.withLock { $0 = $0.advanced(byMilliseconds: milliseconds) }
    }
}
