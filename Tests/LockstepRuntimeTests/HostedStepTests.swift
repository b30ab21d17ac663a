import AllocationCounter
import Glibc
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// A worker and the server of its own thread: nothing between them goes over a socket, and a steady
/// step allocates nothing but its messages.
@Suite struct HostedStepTests {
    private static let measured = 300

    private static let run = DigitsRun(
        RunConfiguration(
            name: "test",
            architecture: NetworkArchitecture(
                layers: [784, 32, 10], hidden: .relu, output: .softmax, loss: .crossEntropy),
            optimizer: OptimizerSettings(), batchSize: 4, microBatch: 1, epochs: 20, seed: 1),
        exampleCount: 1_600)

    /// A node's push, the weights, and the report.
    private static let messagesPerStep = 3
    /// Of a message on memory that is there: libzmq's, and what it keeps of where to give it back.
    private static let allocationsPerMessage = 2

    @Test func stepsTakeNoSocket() throws {
        let listener = try SilentListener()
        let pair = try HostedPair(Self.run, boundAs: listener.endpoint)
        try pair.advance(to: 50)
        #expect(!listener.isCalled)
        #expect(pair.worker.network.frames + pair.server.network.frames > 100)
    }

    /// The listener hears a worker that is not told of the server beside it.
    @Test func aSocketWouldBeHeard() throws {
        let listener = try SilentListener()
        let network = SocketTransport(try Context(), wakeUp: try WakeUp())
        try network.connect(
            .shard(0), to: listener.endpoint, maximumFrameByteCount: 1_000, channel: nil)
        #expect(eventually { listener.isCalled })
    }

    /// What an epoch begins with is left out: no step of those that are counted ends one.
    @Test func aSteadyStepAllocatesItsMessagesOnly() throws {
        let listener = try SilentListener()
        let pair = try HostedPair(Self.run, boundAs: listener.endpoint)
        // Each place of a report is used once before.
        let plan = try ShardPlan(Self.run.configuration, shardCount: 1)
        let warmUp = Limits.unrecordedReports(reportByteCount: plan.reportByteCount(of: 0)) + 64
        var step: Step = 0
        while step.index < warmUp {
            step = Step(step.index + 16)
            try pair.advance(to: step)
            try pair.acknowledge()
        }
        var counted = 0
        while counted < Self.measured {
            step = step.next
            let before = pair.messageCount
            allocation_counter_begin()
            do {
                defer { _ = allocation_counter_end() }
                try pair.turnUntil(step)
            }
            let count = allocation_counter_end()
            let messages = pair.messageCount - before
            try #require(
                count == Self.allocationsPerMessage * messages,
                "step \(step), \(messages) messages: \(unsafe String(cString: allocation_counter_first()))"
            )
            if step.index % 16 == 0 { try pair.acknowledge() }
            counted += 1
        }
        // Reports go several at once, so only the sum is known.
        let sent = pair.messageCount
        #expect(abs(sent - Self.messagesPerStep * step.index) <= Limits.reportsAtOnce + 3)
    }
}

/// A TCP port that nobody is to come to.
private final class SilentListener {
    private let socket: CInt
    let endpoint: String

    init() throws {
        socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let code = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe UnsafeMutableRawPointer(address).withMemoryRebound(
                to: sockaddr.self, capacity: 1
            ) { address in
                unsafe bind(socket, address, size) == 0 && listen(socket, 8) == 0
                    ? getsockname(socket, address, &size) : -1
            }
        }
        endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        try #require(code == 0)
    }

    deinit { close(socket) }

    /// Whether somebody has come.
    var isCalled: Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 0) > 0
    }
}

/// Both roles in one thread, with real transports between them; the test is the coordinator.
private final class HostedPair {
    /// A role's transport: its own sockets and channels, but for the coordinator, who is the test.
    final class RoleTransport: Transport {
        let sockets: SocketTransport
        private var statements: [[UInt8]] = []
        /// Sent to anybody.
        private(set) var frames = 0

        init(_ sockets: SocketTransport) { self.sockets = sockets }

        func put(_ statement: [UInt8]) { statements.append(statement) }

        func receive(into message: inout Message) throws -> Arrival? {
            if statements.isEmpty { return try sockets.receive(into: &message) }
            message = Message(copying: statements.removeFirst())
            return .frame(.coordinator)
        }

        func send(_ message: consuming Message, to port: Port) throws -> Delivery {
            frames += 1
            return port == .coordinator ? .queued : try sockets.send(message, to: port)
        }

        func connect(
            _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
        ) throws {
            try sockets.connect(
                port, to: endpoint, maximumFrameByteCount: maximumFrameByteCount, channel: channel)
        }

        func disconnect(_ port: Port) { sockets.disconnect(port) }
    }

    struct Role<Loop> {
        let network: RoleTransport
        let loop: Loop
    }

    let worker: Role<SteadyWorker>
    let server: Role<SteadyServer>
    private let run: DigitsRun
    private let team = ThreadTeam(count: 1)
    private var statements = Statements()
    private var duty: ShardDuty

    init(_ run: DigitsRun, boundAs endpoint: String) throws {
        self.run = run
        let context = try Context()
        let (own, others) = try (
            RoleTransport(SocketTransport(context, wakeUp: WakeUp())),
            RoleTransport(SocketTransport(context, wakeUp: WakeUp()))
        )
        own.sockets.share(thread: others.sockets, boundAs: endpoint)
        worker = try Role(network: own, loop: SteadyWorker(run, own, team: team))
        worker.loop.engine.hostedEndpoint = endpoint
        server = try Role(network: others, loop: SteadyServer(others))
        duty = run.shardDuty(0, of: 1)
        duty.workers = [9]
        var work = run.workDuty(of: 0, of: 1, servers: 1)
        work.servers = [ServerAddress(incarnation: 1, endpoint: endpoint)]
        try acknowledge()
        own.put(statements.frame(.wait(run.session), to: 9))
        own.put(statements.frame(.work(run.session, work), to: 9))
        try advance(to: 1)
    }

    deinit { team.finish() }

    var messageCount: Int { worker.network.frames + server.network.frames }

    /// The coordinator has all that there is.
    func acknowledge() throws {
        let step = server.loop.step ?? 0
        duty.receipts = Receipts(received: step, recorded: step, snapshots: step)
        server.network.put(statements.frame(.serve(run.session, duty), to: 1))
        try turn()
    }

    /// Sockets are not looked at: what comes, comes without them.
    private func turn() throws {
        try server.loop.loop.turn()
        try worker.loop.loop.turn()
    }

    func advance(to step: Step) throws {
        let limit = 100 * (1 + step.index)
        var turns = 0
        while (server.loop.step ?? 0) < step {
            turns += 1
            try #require(turns < limit, "there are no steps without a socket")
            try turn()
        }
    }

    /// The same without a word of its own, for a step at most.
    func turnUntil(_ step: Step) throws {
        for _ in 0..<10 {
            if let own = server.loop.step, own >= step { return }
            try turn()
        }
        throw Stuck()
    }

    private struct Stuck: Error {}
}
