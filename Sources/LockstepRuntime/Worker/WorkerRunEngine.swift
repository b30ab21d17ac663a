import CrashPoints
import Datasets
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A worker's floats in one run: weights, gradients on their way, and the slices that have come.
final class WorkerRunEngine {
    /// The newest of this run and generation.
    var duty: WorkDuty
    let plan: ShardPlan
    private let schedule: RunSchedule
    private let incarnation: Incarnation
    private let session: SessionID
    private let wire: Wire
    private let engine: GradientEngine
    private let weights: FloatBuffer
    private let sampleOrder: SampleOrder
    private var indices: [UInt32]
    private var epoch = -1
    /// When the last node on the bench was computed, where the session is traced.
    var benchSpan: (begun: UInt64, ended: UInt64)?
    /// By node of the current step: what was computed and may be pushed again.
    private var computed: [(node: LeafRange, gradient: InFlight<GradientBuffer>)] = []
    private var currentStep: Step?
    private var spare: [InFlight<GradientBuffer>] = []
    /// By (shard, step modulo 2).
    private let kept: [MessageSlot]

    init(
        _ duty: WorkDuty, incarnation: Incarnation, session: SessionID, examples: SparseExamples,
        trainingExampleCount: Int, team: ThreadTeam, wire: Wire
    ) throws {
        let configuration = duty.order.configuration
        self.duty = duty
        self.incarnation = incarnation
        self.session = session
        self.wire = wire
        busyThreads = min(team.count, HostResources.cores)
        schedule = RunSchedule(configuration, trainingExampleCount: trainingExampleCount)
        plan = try ShardPlan(configuration, shardCount: duty.servers.count)
        engine = GradientEngine(
            configuration.architecture, kernels: wire.kernels, examples: examples,
            leafSize: schedule.microBatch, slices: plan.pushedSlices, team: team,
            batchSize: schedule.batchSize)
        weights = configuration.layout.initialWeights(seed: configuration.seed)
        engine.load(weights, areFinite: true)
        sampleOrder = SampleOrder(configuration, examples)
        indices = [UInt32](repeating: 0, count: schedule.exampleCount)
        kept = plan.slices.indices.flatMap { _ in [MessageSlot(), MessageSlot()] }
    }

    /// The largest frame that a server of this run sends.
    var maximumFrameByteCount: Int {
        max(plan.largestWeightsFrameByteCount, Limits.maximumPartFrameByteCount)
    }

    /// What a node may take: a generous guess, on a slow core. Threads that have no core of their
    /// own make it no faster.
    func expectedMilliseconds(of node: LeafRange) -> Int {
        let operationsPerExample = 6 * plan.layout.parameterCount
        let examples = node.leafCount * schedule.microBatch
        return examples * operationsPerExample / (Self.operationsPerMillisecond * busyThreads)
    }

    private static let operationsPerMillisecond = 10_000_000
    private let busyThreads: Int

    /// The gradients of the last step are no longer needed.
    private func begin(_ step: Step) {
        for (_, gradient) in computed { spare.append(gradient) }
        computed.removeAll(keepingCapacity: true)
        currentStep = step
        let epochOfStep = schedule.epoch(of: step)
        if epoch != epochOfStep {
            epoch = epochOfStep
            sampleOrder.fill(&indices, epoch: epoch)
        }
    }

    func compute(_ node: LeafRange, of step: Step) {
        if step != currentStep { begin(step) }
        CrashPoint.nodeComputing.pass()
        let gradient = takeSpare()
        let batch = schedule.examples(of: step)
        let first = batch.lowerBound + node.firstLeaf * schedule.microBatch
        let end = min(batch.lowerBound + node.endLeaf * schedule.microBatch, batch.upperBound)
        unsafe indices.withUnsafeBufferPointer { indices in
            // In the next step it has the same leaves, most likely.
            let next = unsafe indices.dropFirst(first + batch.count).prefix(end - first)
            unsafe engine.compute(
                UnsafeBufferPointer(rebasing: indices[first..<end]), into: gradient.memory,
                next: UnsafeBufferPointer(rebasing: next))
        }
        CrashPoint.gradientComputed.pass()
        for shard in plan.slices.indices {
            let address = StepAddress(
                run: duty.order.run, generation: duty.order.generation, step: step,
                shard: ShardIndex(shard))
            let header = FrameHeader(
                .push(address, node: node), session: session, incarnation: incarnation)
            unsafe wire.seal(header, gradient.memory.frame(shard))
        }
        computed.append((node, gradient))
        CrashPoint.nodeComputed.pass()
    }

    /// The frame of a computed node for one server, from where it lies.
    func push(_ node: LeafRange, of step: Step, to shard: ShardIndex) -> Message? {
        guard step == currentStep, let (_, gradient) = computed.first(where: { $0.node == node })
        else { return nil }
        return unsafe gradient.message(gradient.memory.frame(shard.index))
    }

    func keep(_ message: inout Message, _ shard: ShardIndex, _ step: Step) {
        swap(&kept[slot(shard, step)].message, &message)
    }

    /// Copies the kept slices over the weights in use.
    func adopt(_ step: Step) {
        for (shard, range) in plan.slices.enumerated() {
            let slot = kept[slot(ShardIndex(shard), step)]
            unsafe slot.message.withUnsafeBytes { frame in
                guard let slice = unsafe FrameCodec.payload(of: frame).baseAddress else { return }
                unsafe wire.kernels.copyFloats(
                    slice, weights.pointer + range.lowerBound, range.count)
            }
            slot.message.clear()
        }
        engine.load(weights, areFinite: true)
    }

    private func slot(_ shard: ShardIndex, _ step: Step) -> Int {
        2 * shard.index + Int(step.rawValue & 1)
    }

    /// A buffer that libzmq no longer reads; a new one where all are still on their way.
    private func takeSpare() -> InFlight<GradientBuffer> {
        if let index = spare.firstIndex(where: \.isIdle) { return spare.swapRemove(at: index) }
        return InFlight(GradientBuffer(plan.pushedSlices))
    }
}

extension Array {
    /// Removes an element in constant time; the last one takes its place.
    fileprivate mutating func swapRemove(at index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
