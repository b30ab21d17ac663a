import Datasets
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// A run on the small digits.
struct DigitsRun {
    let configuration: RunConfiguration
    let schedule: RunSchedule
    let examples: SparseExamples

    init(_ configuration: RunConfiguration, exampleCount: Int) {
        self.configuration = configuration
        schedule = RunSchedule(configuration, trainingExampleCount: exampleCount)
        let train = SmallDigits.dataset.train.prefix(exampleCount)
        examples = SparseExamples(
            pixels: train.pixels, labels: train.labels, width: LabelledImages.pixelCount)
    }

    func localEngine(threads: ThreadTeam) -> LocalEngine {
        LocalEngine(
            configuration, schedule, examples: examples, kernels: Exchange.kernels, team: threads)
    }

    var session: Session {
        Session(
            dataset: DatasetDescription(
                name: "digits", sha256: "", byteCount: 0,
                trainingExampleCount: schedule.exampleCount), runCount: 1, dataEndpoint: "")
    }

    /// - Parameter servers: their incarnations are 1 and up.
    func workDuty(of worker: Int, of workerCount: Int, servers: Int) -> WorkDuty {
        let leafCounts = schedule.leafCounts
        func leaves(_ count: Int) -> Range<Int> {
            LeafAssignment(leafCount: count, workerCount: workerCount).ranges[worker]
        }
        return WorkDuty(
            order: RunOrder(run: 0, configuration: configuration), view: 0,
            leaves: leaves(leafCounts.full), lastLeaves: leaves(leafCounts.last),
            servers: (1...servers).map {
                ServerAddress(incarnation: Incarnation($0), endpoint: "memory:\($0)")
            }, workerCount: workerCount, workersOnHost: 1)
    }

    func shardDuty(_ shard: Int, of shardCount: Int) -> ShardDuty {
        ShardDuty(
            order: RunOrder(run: 0, configuration: configuration), shard: ShardIndex(shard),
            shardCount: shardCount, workers: [],
            receipts: Receipts(received: 0, recorded: 0, snapshots: 0))
    }
}

/// The engine of a worker that has joined, as incarnation 9 of session 1, with its network in
/// memory.
final class WorkerBench {
    let network = MemoryTransport()
    let engine: WorkerEngine
    private(set) var machine: WorkerMachine
    private var inHand = Message()
    private let duty: WorkDuty
    private let schedule: RunSchedule

    init(_ run: DigitsRun, _ duty: WorkDuty, team: ThreadTeam) throws {
        self.duty = duty
        schedule = run.schedule
        engine = WorkerEngine(
            wire: Wire(kernels: Exchange.kernels), team: team, data: DigitsSource(run),
            wakeUp: try WakeUp(), notice: { _ in })
        machine = WorkerMachine(
            link: MemberLink(
                member: MemberDescription(role: .worker, nonce: 1, host: "h", processID: 1),
                coordinatorAddress: "memory", waitTimeoutMilliseconds: 1_000))
        var actions: [WorkerAction] = []
        machine.start(now: 0, into: &actions)
        machine.receive(
            .assignment(1, Assignment(.wait(run.session))), from: nil, session: 1, incarnation: 9,
            now: 0, into: &actions)
        try perform(.beginRun(duty))
        try #require(engine.nextEvent() == .runBegun(0))
    }

    /// An assignment of a traced session comes.
    func trace() throws {
        let session = Session(
            dataset: DatasetDescription(
                name: "digits", sha256: "", byteCount: 0,
                trainingExampleCount: schedule.exampleCount), runCount: 1, dataEndpoint: "")
        let message = Wire(kernels: Exchange.kernels).message(
            .assignment(2, clock: 1), Assignment(.wait(session)), session: 1, incarnation: 9)
        _ = try engine.decode(message, from: .coordinator, for: machine)
    }

    func perform(_ action: WorkerAction) throws {
        try engine.perform(action, for: machine, &inHand, over: network)
    }

    /// Computes the nodes of a step, and pushes them to every server.
    ///
    /// - Returns: the pushes.
    func compute(_ step: Step, servers: Int) throws -> [(port: Port, bytes: [UInt8])] {
        let leaves = schedule.epochEnds(after: step) ? duty.lastLeaves : duty.leaves
        let tree = ReductionTree(leafCount: schedule.leafCount(of: step))
        for node in tree.maximalNodes(covering: leaves) {
            try compute(step, node)
            for shard in 0..<servers {
                let address = StepAddress(
                    run: 0, generation: 0, step: step, shard: ShardIndex(shard))
                try perform(.push(address, node))
            }
        }
        return network.takeSent()
    }

    func compute(_ step: Step, _ node: LeafRange) throws {
        try perform(.compute(step, node))
        while engine.isBusy { engine.work() }
        let event = engine.nextEvent()
        guard case .nodeComputed(0, step, node)? = event else {
            Issue.record("\(node) of step \(step) was not computed: \(String(describing: event))")
            return
        }
    }

    func keepWeights(_ message: consuming Message, _ shard: Int, _ step: Step) throws {
        inHand = message
        try perform(.keepWeights(ShardIndex(shard), step))
    }
}

/// The small digits, already on this host.
final class DigitsSource: WorkerDataSource {
    let examples: SparseExamples?
    let trainingExampleCount: Int
    let isQuick = true
    let shape = ExampleShape.digits

    init(_ run: DigitsRun) {
        examples = run.examples
        trainingExampleCount = run.schedule.exampleCount
    }

    func find(_ description: DatasetDescription) -> Bool { true }
    func store(_ message: borrowing Message, _ part: BytePart) {}
    func verify() -> Bool { true }
}

/// Workers' engines and servers' engines, one a shard, without sockets and machines: frames go from
/// the ones to the others.
final class Exchange {
    static let kernels = KernelSet(
        KernelVariant.allCases.last(where: \.isSupported) ?? .baseline)

    private let run: DigitsRun
    private let wire = Wire(kernels: kernels)
    let workers: [WorkerBench]
    let shards: [ShardEngine]
    let plan: ShardPlan
    /// Put together from what the servers send.
    let weights: FloatBuffer

    init(_ run: DigitsRun, workers workerCount: Int, shards shardCount: Int, team: ThreadTeam)
        throws
    {
        self.run = run
        plan = try ShardPlan(run.configuration, shardCount: shardCount)
        weights = run.configuration.layout.initialWeights(seed: run.configuration.seed)
        workers = try (0..<workerCount).map { worker in
            try WorkerBench(
                run, run.workDuty(of: worker, of: workerCount, servers: shardCount), team: team)
        }
        shards = try (0..<shardCount).map { [wire] shard in
            try ShardEngine(
                run.shardDuty(shard, of: shardCount),
                trainingExampleCount: run.schedule.exampleCount, session: 1,
                incarnation: Incarnation(shard + 1), wire: wire)
        }
    }

    /// A step; what each shard found that is not finite.
    func advance(_ step: Step) throws -> [DivergenceFinding?] {
        var coverages = shards.map { _ in
            NodeCoverage(maximumLeafCount: run.schedule.leafCount(of: 0))
        }
        for shard in shards.indices {
            coverages[shard].begin(leafCount: run.schedule.leafCount(of: step))
        }
        // The last worker is the fastest.
        for worker in workers.reversed() {
            for (port, bytes) in try worker.compute(step, servers: shards.count) {
                guard case .shard(let shard) = port else { continue }
                try push(bytes, step, to: shard, &coverages[shard.index])
            }
        }
        var findings: [DivergenceFinding?] = []
        for (shard, coverage) in zip(shards, coverages) {
            try #require(coverage.isComplete)
            findings.append(shard.apply(step, coverage.foldSchedule))
        }
        if findings.allSatisfy({ $0 == nil }) { try adopt(step.next) }
        return findings
    }

    private func push(
        _ bytes: [UInt8], _ step: Step, to shard: ShardIndex, _ coverage: inout NodeCoverage
    ) throws {
        var message = Message(copying: bytes)
        let header = try wire.header(of: message)
        guard case .push(let address, let node) = header.content else {
            Issue.record("\(header.type) is not a push")
            return
        }
        #expect(address == StepAddress(run: 0, generation: 0, step: step, shard: shard))
        #expect(header.session == 1 && header.incarnation == 9)
        try shards[shard.index].check(message, header)
        guard
            case .kept(let slot) = coverage.judge(
                node, checksum: header.payloadChecksum, from: header.incarnation)
        else {
            Issue.record("\(node) is covered already")
            return
        }
        shards[shard.index].keep(&message, slot: slot)
    }

    private func adopt(_ step: Step) throws {
        for (index, shard) in shards.enumerated() {
            let message = try newestWeights(of: shard, step)
            let header = try wire.header(of: message)
            let address = StepAddress(
                run: 0, generation: 0, step: step, shard: ShardIndex(index))
            #expect(header.content == .weights(address))
            copy(try payload(of: message), to: plan.slices[index].lowerBound * 4)
            for worker in workers {
                try worker.keepWeights(try newestWeights(of: shard, step), index, step)
            }
        }
        for worker in workers { try worker.perform(.adopt(step)) }
    }

    private func newestWeights(of shard: ShardEngine, _ step: Step) throws -> Message {
        guard let message = shard.weightsMessage(of: step) else {
            Issue.record("no weights of step \(step)")
            return Message()
        }
        return message
    }

    private func copy(_ bytes: [UInt8], to offset: Int, of target: FloatBuffer? = nil) {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer((target ?? weights).pointer) + offset,
                count: bytes.count
            ).copyMemory(from: bytes)
        }
    }

    /// A frame that is right, behind its header.
    private func payload(of message: borrowing Message) throws -> [UInt8] {
        try wire.verify(message, try wire.header(of: message))
        return unsafe message.withUnsafeBytes { unsafe [UInt8](FrameCodec.payload(of: $0)) }
    }

    // MARK: What servers keep

    /// The weights of a step, fetched in parts of ten thousand bytes; nil where a server does not
    /// have them.
    func snapshot(_ step: Step) throws -> FloatBuffer? {
        let result = FloatBuffer(count: weights.count)
        for (index, shard) in shards.enumerated() {
            let slice = plan.slices[index]
            for start in stride(from: 0, to: slice.count * 4, by: 10_000) {
                let count = min(10_000, slice.count * 4 - start)
                guard let message = shard.part(request(step, index, start, count)) else {
                    return nil
                }
                let bytes = try payload(of: message)
                #expect(bytes.count == count)
                copy(bytes, to: slice.lowerBound * 4 + start, of: result)
            }
        }
        return result
    }

    func request(_ step: Step, _ shard: Int, _ start: Int, _ count: Int) -> SnapshotPart {
        SnapshotPart(
            address: StepAddress(run: 0, generation: 0, step: step, shard: ShardIndex(shard)),
            part: BytePart(offset: UInt64(start), byteCount: UInt32(count)))
    }

    private func reportPayload(_ step: Step, shard: Int) throws -> [UInt8] {
        guard let message = shards[shard].report(step) else {
            Issue.record("shard \(shard) has no report of step \(step)")
            return []
        }
        let address = StepAddress(
            run: 0, generation: 0, step: step, shard: ShardIndex(shard))
        guard case .stepReport(address, _) = try wire.header(of: message).content else {
            Issue.record("this is not a report of step \(step)")
            return []
        }
        return try payload(of: message)
    }

    /// What a shard has measured of a step, in words.
    func report(_ step: Step, shard: Int) throws -> [Float] {
        let bytes = try reportPayload(step, shard: shard)
        #expect(bytes.count == shards[shard].reportByteCount)
        return unsafe bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)
            }
        }
    }

    /// The metrics that go to the coordinator: those of shard 0.
    func metrics(_ step: Step) throws -> StepMetrics {
        let bytes = try reportPayload(step, shard: 0)
        return try unsafe bytes.withUnsafeBytes { bytes in
            unsafe plan.metrics.metrics(try #require(bytes.baseAddress))
        }
    }

    /// The norms of the summed gradient, by layer, from the reports of all shards.
    func squaredNorms(_ step: Step) throws -> [Double] {
        let squares = try shards.indices.flatMap { shard in
            try report(step, shard: shard).dropLast(2)
                .suffix(plan.rows(of: ShardIndex(shard)).count)
        }
        return plan.gradientRows.layerSums(FloatBuffer(squares))
    }

    /// Of the weights after a step.
    func weightsDigest(_ step: Step) throws -> UInt64 {
        try shards.indices.reduce(0) { sum, shard in
            let halves = try report(step, shard: shard).suffix(2).map { UInt64($0.bitPattern) }
            return sum &+ (halves[0] | halves[1] << 32)
        }
    }
}
