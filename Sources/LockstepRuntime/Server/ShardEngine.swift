import CrashPoints
package import LockstepProtocol
import NeuralNetwork
package import TrainingPlan
package import ZeroMQ

/// A server's floats in one run: the pushed nodes, the optimiser's state, the weights of two steps
/// and of those that the coordinator wants, and the reports that it has not recorded yet.
@safe package final class ShardEngine {
    package let duty: ShardDuty
    package let plan: ShardPlan
    let schedule: RunSchedule
    private let wire: Wire
    private let session: SessionID
    private let incarnation: Incarnation
    private let range: Range<Int>
    package let reportByteCount: Int
    private let optimizer: Optimizer
    /// In nanoseconds of this process.
    private let begun = SystemClock.nanoseconds
    private let slots: [MessageSlot]
    private var nodeFold: NodeFold
    /// Frames of weights: the last two are kept, the others are free once libzmq lets go of them.
    private var frames: [InFlight<FrameMemory>] = []
    private var weights: (step: Step, frame: InFlight<FrameMemory>)
    private var olderWeights: (step: Step, frame: InFlight<FrameMemory>)?
    /// What is folded and applied at a time.
    private let blocks: [ShardBlock]
    /// Weights that the coordinator wants, ascending by step.
    private var snapshots: [(step: Step, frame: InFlight<FrameMemory>)] = []
    /// By step, modulo their count: the metrics where this is shard 0, then the squared norm of
    /// each of the range's rows, then the digest of the new weights. The machine applies no step
    /// whose report would take the place of an unrecorded one.
    private var reports: [InFlight<FrameMemory>?]
    private var metricsStack: MetricsStack
    /// The whole state of one step, for a checkpoint: the weights, then the optimiser's vectors.
    private var state: (step: Step, floats: FloatBuffer)?
    /// Of the last step, where the session is traced.
    private(set) var timing: FoldTimer.Timing?
    private var timer = FoldTimer()

    package init(
        _ duty: ShardDuty, trainingExampleCount: Int, session: SessionID,
        incarnation: Incarnation,
        wire: Wire
    ) throws(ShardPlan.PlanError) {
        let configuration = duty.order.configuration
        let layout = configuration.layout
        self.duty = duty
        self.wire = wire
        self.session = session
        self.incarnation = incarnation
        schedule = RunSchedule(configuration, trainingExampleCount: trainingExampleCount)
        plan = try ShardPlan(configuration, shardCount: duty.shardCount)
        range = plan[duty.shard]
        optimizer = Optimizer(
            configuration.optimizer, layout: layout, range: range, totalSteps: schedule.totalSteps,
            kernels: wire.kernels)
        let leafCounts = schedule.leafCounts
        slots = (0..<max(leafCounts.full, leafCounts.last)).map { _ in MessageSlot() }
        nodeFold = NodeFold(
            plan.pushedSlices, wire.kernels, blockLength: GradientRows.longestRow,
            maximumNodeCount: slots.count)
        blocks = plan.gradientRows.blocks(of: range)
        reportByteCount = plan.reportByteCount(of: duty.shard)
        reports = Array(
            repeating: nil, count: Limits.unrecordedReports(reportByteCount: reportByteCount))
        metricsStack = MetricsStack(plan.metrics)
        let initial = layout.initialWeights(seed: configuration.seed)
        weights = (0, InFlight(FrameMemory(payloadByteCount: range.count * 4)))
        unsafe weights.frame.memory.payload.copyMemory(
            from: UnsafeRawBufferPointer(
                start: initial.pointer + range.lowerBound, count: range.count * 4))
        unsafe wire.seal(header(.weights(address(0))), weights.frame.memory.frame)
    }

    /// Checks a push for this shard: its checksum, and that it has the rows that its bits say and
    /// nothing else.
    package func check(
        _ push: borrowing Message, _ header: FrameHeader
    ) throws(FrameError) {
        let byteCount = unsafe push.withUnsafeBytes { frame in
            unsafe plan.pushedSlices.byteCount(
                of: FrameCodec.payload(of: frame), duty.shard.index)
        }
        guard let byteCount else { throw .payloadContent(header.type) }
        try wire.verify(push, header, byteCount: byteCount)
    }

    package func keep(_ message: inout Message, slot: Int) { swap(&slots[slot].message, &message) }

    /// Where the sum in a slot and another of the same node differ first; nil where they do not.
    package func difference(_ slot: Int, _ other: borrowing Message) -> BitDifference? {
        unsafe slots[slot].message.withUnsafeBytes { frame in
            unsafe other.withUnsafeBytes { otherFrame in
                unsafe SumComparison(plan, duty.shard).difference(
                    FrameCodec.payload(of: frame), FrameCodec.payload(of: otherFrame))
            }
        }
    }

    /// A step on its way: what it writes, which nobody else touches meanwhile.
    struct Update {
        let step: Step
        fileprivate let next: InFlight<FrameMemory>
        fileprivate let report: FrameMemory
    }

    /// Folds the kept nodes, takes the mean and updates; the slots are free after.
    ///
    /// - Returns: what is not finite; the weights of `step` are then still the newest.
    package func apply(
        _ step: Step, _ fold: [FoldInstruction], isTraced: Bool = false
    ) -> DivergenceFinding? {
        let update = begin(step)
        let finding = compute(update, fold, isTraced: isTraced)
        finish(update, finding)
        return finding
    }

    func begin(_ step: Step) -> Update {
        Update(step: step, next: takeFrame(), report: takeReport(step))
    }

    /// The long part of a step. Between `begin` and `finish` it may be done in another thread,
    /// while this one sends the weights, reports and snapshots that are there already.
    func compute(
        _ update: Update, _ fold: [FoldInstruction], isTraced: Bool = false
    ) -> DivergenceFinding? {
        let step = update.step
        let examples = schedule.examples(of: step).count
        var finding: DivergenceFinding?
        CrashPoint.stepFolding.pass()
        timing = nil
        // A value of this thread while it counts.
        var timer = self.timer
        timer.begin(step, blockCount: blocks.count, isTraced: isTraced)
        nodeFold.begin(fold, slots)
        var digest: UInt64 = 0
        for (index, block) in blocks.enumerated() where finding == nil {
            timer.blockBegins(index)
            let sum = unsafe nodeFold.sum(of: block.part, fold)
            timer.blockIsFolded(index)
            CrashPoint.blockFolded.pass()
            let applied = unsafe apply(block, of: update, examples, sum)
            finding = applied.finding
            digest &+= applied.digest
            CrashPoint.blockUpdated.pass()
        }
        if finding != nil { return finding }
        if duty.shard == 0, let words = unsafe update.report.payload.baseAddress {
            unsafe metricsStack.fold(fold, slots, into: words)
        }
        unsafe wire.seal(header(.weights(address(step.next))), update.next.memory.frame)
        unsafe update.report.payload.storeBytes(
            of: digest.littleEndian,
            toByteOffset: reportByteCount - ShardPlan.digestByteCount, as: UInt64.self)
        let elapsed = SystemClock.nanoseconds - begun
        unsafe wire.seal(
            header(.stepReport(address(step), elapsed: elapsed)), update.report.frame)
        timing = timer.end()
        self.timer = timer
        CrashPoint.stepComputed.pass()
        return nil
    }

    func finish(_ update: Update, _ finding: DivergenceFinding?) {
        for slot in slots { slot.message.clear() }
        if finding != nil { return frames.append(update.next) }
        if let older = olderWeights { release(older) }
        olderWeights = weights
        weights = (update.step.next, update.next)
        CrashPoint.stepApplied.pass()
    }

    private func apply(
        _ block: ShardBlock, of update: Update, _ examples: Int, _ sums: UnsafeRawPointer
    ) -> (finding: DivergenceFinding?, digest: UInt64) {
        guard let new = unsafe update.next.memory.payload.baseAddress,
            let old = unsafe weights.frame.memory.payload.baseAddress,
            let report = unsafe update.report.payload.baseAddress
        else { return (nil, 0) }
        let offset = block.floats.lowerBound * 4
        let newWeights = unsafe new + offset
        let applied = unsafe plan.gradientRows.update(
            block.part, with: optimizer, from: range.lowerBound, step: update.step, sums: sums,
            examples: examples, weights: (old + offset).assumingMemoryBound(to: Float.self),
            newWeights: newWeights,
            squares: report + plan.metricsByteCount(of: duty.shard) + block.firstRow * 4,
            wire.kernels)
        if applied.isFinite { return (nil, applied.digest) }
        return unsafe (finding(block.floats, sums, newWeights), applied.digest)
    }

    /// What was not finite after the update of a part of the range.
    private func finding(
        _ part: Range<Int>, _ sums: UnsafeRawPointer, _ newWeights: UnsafeRawPointer
    ) -> DivergenceFinding {
        let found = unsafe optimizer.divergence(part, sums: sums, newWeights: newWeights)
        let layout = duty.order.configuration.layout
        let quantity: DivergenceFinding.Quantity =
            switch found?.what {
            case .gradient: .gradient
            case .state: .state
            case .weight, nil: .weight
            }
        return DivergenceFinding(
            quantity: quantity,
            tensor: layout.tensorName(at: range.lowerBound + (found?.offset ?? part.lowerBound)))
    }

    // MARK: Frames

    /// The frame of the newest weights or of those before, from where it lies.
    package func weightsMessage(of step: Step) -> Message? {
        if weights.step == step { return weights.frame.message() }
        return olderWeights?.step == step ? olderWeights?.frame.message() : nil
    }

    /// The report of a step that is not recorded yet, from where it lies.
    package func report(_ step: Step) -> Message? { reports[place(of: step)]?.message() }

    /// Keeps the newest weights until they are forgotten.
    package func keepSnapshot(_ step: Step) {
        if weights.step == step { snapshots.append(weights) }
    }

    package func forgetSnapshot(_ step: Step) {
        guard let index = snapshots.firstIndex(where: { $0.step == step }) else { return }
        let frame = snapshots.remove(at: index).frame
        let isNewest = frame === weights.frame || frame === olderWeights?.frame
        if !isNewest { frames.append(frame) }
    }

    package func keepState(_ step: Step) {
        guard weights.step == step else { return }
        let floats = state?.floats ?? FloatBuffer(count: range.count * (1 + optimizer.state.count))
        unsafe UnsafeMutableRawPointer(floats.pointer).copyMemory(
            from: weights.frame.memory.payload.baseAddress!, byteCount: range.count * 4)
        for (index, vector) in optimizer.state.enumerated() {
            unsafe (floats.pointer + (1 + index) * range.count).update(
                from: vector.pointer, count: range.count)
        }
        state = (step, floats)
    }

    package func forgetState() { state = nil }

    /// Takes a part of the state that the generation begins with.
    package func storeState(_ message: borrowing Message, _ part: BytePart) {
        let floats = state?.floats ?? FloatBuffer(count: range.count * (1 + optimizer.state.count))
        state = (0, floats)
        let start = Int(part.offset)
        guard start + Int(part.byteCount) <= floats.count * 4 else { return }
        unsafe message.withUnsafeBytes { frame in
            let payload = unsafe FrameCodec.payload(of: frame)
            unsafe UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(floats.pointer) + start, count: payload.count
            ).copyMemory(from: payload)
        }
    }

    /// The state that was stored is that of this step, and is gone on from.
    package func adoptState(_ step: Step) {
        guard let floats = state?.floats else { return }
        state = nil
        unsafe weights.frame.memory.payload.copyMemory(
            from: UnsafeRawBufferPointer(start: floats.pointer, count: range.count * 4))
        for (index, vector) in optimizer.state.enumerated() {
            unsafe vector.pointer.update(
                from: floats.pointer + (1 + index) * range.count, count: range.count)
        }
        weights.step = step
        unsafe wire.seal(header(.weights(address(step))), weights.frame.memory.frame)
    }

    /// What applying a step takes: a generous guess, on a slow machine.
    package func expectedMilliseconds(nodeCount: Int) -> Int {
        range.count * 4 * (nodeCount + Self.passes) / Self.bytesPerMillisecond
    }

    /// Over weights, state, report and the new frame's checksum, in passes over the shard.
    private static let passes = 8
    private static let bytesPerMillisecond = 1_000_000

    /// A part of the shard's weights of a step that is kept, or of its whole state; nil where there
    /// is not such a part.
    package func part(_ request: SnapshotPart) -> Message? {
        let step = request.address.step
        if let state, state.step == step {
            return unsafe part(
                request,
                of: UnsafeRawBufferPointer(
                    start: state.floats.pointer, count: state.floats.count * 4))
        }
        let kept =
            weights.step == step
            ? weights
            : olderWeights?.step == step ? olderWeights : snapshots.first { $0.step == step }
        guard let payload = unsafe kept?.frame.memory.payload else { return nil }
        return unsafe part(request, of: UnsafeRawBufferPointer(payload))
    }

    private func part(
        _ request: SnapshotPart, of payload: UnsafeRawBufferPointer
    ) -> Message? {
        let (start, count) = (Int(request.part.offset), Int(request.part.byteCount))
        guard start + count <= payload.count else { return nil }
        return unsafe wire.message(
            header(.snapshotPart(request)),
            copying: UnsafeRawBufferPointer(rebasing: payload[start..<start + count]).bytes)
    }

    package func header(_ content: FrameContent) -> FrameHeader {
        FrameHeader(content, session: session, incarnation: incarnation)
    }

    private func address(_ step: Step) -> StepAddress {
        StepAddress(
            run: duty.order.run, generation: duty.order.generation, step: step, shard: duty.shard)
    }

    private func place(of step: Step) -> Int { step.index % reports.count }

    /// A frame for the report of a step: that of an earlier step, which is recorded, if libzmq does
    /// not read it any more.
    private func takeReport(_ step: Step) -> FrameMemory {
        let place = place(of: step)
        if let report = reports[place], report.isIdle { return report.memory }
        let report = InFlight(FrameMemory(payloadByteCount: reportByteCount))
        reports[place] = report
        return report.memory
    }

    private func takeFrame() -> InFlight<FrameMemory> {
        if let index = frames.firstIndex(where: \.isIdle) { return frames.remove(at: index) }
        return InFlight(FrameMemory(payloadByteCount: range.count * 4))
    }

    /// Takes a frame back, unless it is still wanted.
    private func release(_ weights: (step: Step, frame: InFlight<FrameMemory>)) {
        let isWanted = snapshots.contains { $0.frame === weights.frame }
        if !isWanted { frames.append(weights.frame) }
    }
}
