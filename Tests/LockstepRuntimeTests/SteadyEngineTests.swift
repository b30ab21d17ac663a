import AllocationCounter
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Testing
import TrainingPlan
import ZeroMQ

/// The floats' part of a steady step allocates nothing. What makes a message is left out: libzmq
/// allocates for each.
@Suite struct SteadyEngineTests {
    private static let warmUp = 30
    private static let measured = 300

    private static func run(microBatch: Int) -> DigitsRun {
        DigitsRun(
            RunConfiguration(
                name: "test",
                architecture: NetworkArchitecture(
                    layers: [784, 32, 10], hidden: .relu, output: .softmax, loss: .crossEntropy),
                optimizer: OptimizerSettings(), batchSize: 4, microBatch: microBatch, epochs: 20,
                seed: 1),
            exampleCount: 1_600)
    }

    private static func allocations(_ body: () throws -> Void) rethrows -> (
        count: Int, first: String
    ) {
        allocation_counter_begin()
        defer { _ = allocation_counter_end() }
        try body()
        let count = allocation_counter_end()
        return (count, unsafe String(cString: allocation_counter_first()))
    }

    /// Computes its nodes, and adopts weights that have come.
    @Test(arguments: [false, true])
    func worker(isTraced: Bool) throws {
        let run = Self.run(microBatch: 1)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        // Leaves 1 to 3: two nodes.
        var duty = run.workDuty(of: 0, of: 1, servers: 2)
        (duty.leaves, duty.lastLeaves) = (1..<4, 1..<4)
        let worker = try WorkerBench(run, duty, team: team)
        if isTraced { try worker.trace() }
        let plan = try ShardPlan(run.configuration, shardCount: 2)
        let wire = Wire(kernels: Exchange.kernels)
        for step in (0..<Self.warmUp + Self.measured).map({ Step($0) }) {
            let result = try Self.allocations {
                try worker.compute(step, LeafRange(firstLeaf: 1, leafCount: 1))
                try worker.compute(step, LeafRange(firstLeaf: 2, leafCount: 2))
            }
            for shard in 0..<2 {
                let weights = [UInt8](
                    repeating: 0, count: plan.weightsByteCount(of: ShardIndex(shard)))
                let header = FrameHeader(
                    .weights(
                        StepAddress(
                            run: 0, generation: 0, step: step.next, shard: ShardIndex(shard))),
                    session: 1, incarnation: Incarnation(shard + 1))
                try worker.keepWeights(
                    unsafe wire.message(header, copying: weights.span.bytes), shard, step.next)
            }
            let adopting = try Self.allocations { try worker.perform(.adopt(step.next)) }
            if step.index >= Self.warmUp {
                try #require(result.count == 0, "step \(step): \(result.first)")
                try #require(adopting.count == 0, "step \(step): \(adopting.first)")
            }
        }
    }

    /// Reads pushes, keeps nodes and applies steps, as the machine decides. A report and the
    /// weights of each step are there to be sent.
    @Test(arguments: [0, 1], [false, true])
    func server(shard: Int, isTraced: Bool) throws {
        let run = Self.run(microBatch: 1)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let worker = try WorkerBench(run, run.workDuty(of: 1, of: 2, servers: 2), team: team)
        let other = try WorkerBench(run, run.workDuty(of: 0, of: 2, servers: 2), team: team)
        let server = try ServerBench(run, run.shardDuty(shard, of: 2), isTraced: isTraced)
        // Each place of a report is used once before.
        let warmUp = Limits.unrecordedReports(
            reportByteCount: server.reportByteCount(shard))
        for step in (0..<warmUp + Self.measured).map({ Step($0) }) {
            // The workers' weights stay as they are: the gradients are as good as any.
            let pushes = try (other.compute(step, servers: 2) + worker.compute(step, servers: 2))
                .filter { $0.port == .shard(ShardIndex(shard)) }
            for push in pushes {
                server.take(push.bytes)
                let result = try Self.allocations { try server.handlePush() }
                if step.index >= warmUp {
                    try #require(result.count == 0, "step \(step): \(result.first)")
                }
            }
            #expect(server.step == step.next)
            try server.acknowledge()
        }
    }
}

/// A server that has joined, as an incarnation of its shard, and a run's engine: without what it
/// sends.
private final class ServerBench {
    private let engine: ServerEngine
    private var machine: ServerMachine
    private let network = MemoryTransport()
    private var inHand = Message()
    private var actions: [ServerAction] = []
    private var duty: ShardDuty
    private let session: Session
    private let wire = Wire(kernels: Exchange.kernels)
    private var number: StatementNumber = 0

    private let isTraced: Bool

    init(_ run: DigitsRun, _ duty: ShardDuty, isTraced: Bool) throws {
        self.isTraced = isTraced
        self.duty = duty
        self.duty.workers = [9]
        session = Session(
            dataset: DatasetDescription(
                name: "digits", sha256: "", byteCount: 0,
                trainingExampleCount: run.schedule.exampleCount), runCount: 1, dataEndpoint: "")
        engine = ServerEngine(wire: wire, wakeUp: try WakeUp()) { _ in }
        machine = ServerMachine(
            link: MemberLink(
                member: MemberDescription(role: .server, nonce: 1, host: "h", processID: 1),
                coordinatorAddress: "memory", waitTimeoutMilliseconds: 1_000))
        machine.start(now: 0, into: &actions)
        try acknowledge()
    }

    func reportByteCount(_ shard: Int) -> Int {
        (try? ShardPlan(duty.order.configuration, shardCount: duty.shardCount))?
            .reportByteCount(of: ShardIndex(shard)) ?? 0
    }

    var step: Step? {
        if case .serving(_, let progress) = machine.phase { progress.step } else { nil }
    }

    /// The coordinator has all that there is.
    func acknowledge() throws {
        number = number.next
        let next = step ?? 0
        duty.receipts = Receipts(received: next, recorded: next, snapshots: next)
        let assignment = Assignment(.serve(session, duty))
        let message = wire.message(
            .assignment(number, clock: isTraced ? 1 : 0), assignment, session: 1, incarnation: 5)
        let (inbound, header) = try engine.decode(message, from: .coordinator, for: machine)
        machine.receive(
            inbound, from: nil, session: header.session, incarnation: header.incarnation, now: 0,
            into: &actions)
        try perform()
    }

    func take(_ bytes: [UInt8]) { inHand = Message(copying: bytes) }

    func handlePush() throws {
        let (message, header) = try engine.decode(inHand, from: .dataPeer(9), for: machine)
        machine.receive(
            message, from: 9, session: header.session, incarnation: header.incarnation, now: 0,
            into: &actions)
        try perform()
    }

    private func perform() throws {
        var next = 0
        while next < actions.count {
            switch actions[next] {
            case .send, .sendWeights, .sendReport: break
            default: try engine.perform(actions[next], for: machine, &inHand, over: network)
            }
            next += 1
            while let event = engine.nextEvent() {
                machine.handle(event, now: 0, into: &actions)
            }
        }
        actions.removeAll(keepingCapacity: true)
    }
}
