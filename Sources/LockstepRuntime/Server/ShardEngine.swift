package import LockstepProtocol
import NeuralNetwork
package import TrainingPlan
package import ZeroMQ

/// A server's floats in one run: the pushed nodes, the optimiser's state, and the weights of two steps.
@safe package final class ShardEngine {
    let order: PrepareRun
    package let plan: ShardPlan
    let schedule: RunSchedule
    private let wire: Wire
    private let session: SessionID
    private let incarnation: Incarnation
    private let range: Range<Int>
    private let optimizer: Optimizer
    private let slots: [MessageSlot]
    private var nodeFold: NodeFold
    /// Frames of weights: the last two are kept, the others are free once libzmq lets go of them.
    private var frames: [InFlight<WeightsFrame>] = []
    private var weights: (step: Step, frame: InFlight<WeightsFrame>)
    private var olderWeights: (step: Step, frame: InFlight<WeightsFrame>)?
    /// What is folded and applied at a time.
    private let blocks: [Block]
    /// Of the step that was applied last: the metrics where this is shard 0, then the squared norm of each of the
    /// range's rows.
    private var report: [UInt8]

    /// Whole rows, short enough for their partial sums to stay in the first cache.
    private struct Block {
        /// Counted from the range's start.
        let floats: Range<Int>
        /// The same, of the flat vector.
        let part: Range<Int>
        /// Counted from the range's first.
        let firstRow: Int
    }

    package init(
        _ order: PrepareRun, trainingExampleCount: Int, session: SessionID,
        incarnation: Incarnation,
        wire: Wire
    ) throws(ShardPlan.PlanError) {
        let configuration = order.configuration
        let layout = configuration.layout
        self.order = order
        self.wire = wire
        self.session = session
        self.incarnation = incarnation
        schedule = RunSchedule(configuration, trainingExampleCount: trainingExampleCount)
        plan = try ShardPlan(configuration, shardCount: order.shardCount)
        range = plan[order.shard]
        optimizer = Optimizer(
            configuration.optimizer, layout: layout, range: range, totalSteps: schedule.totalSteps,
            kernels: wire.kernels)
        let leafCounts = schedule.leafCounts
        slots = (0..<max(leafCounts.full, leafCounts.last)).map { _ in MessageSlot() }
        nodeFold = NodeFold(
            plan.pushedSlices, wire.kernels, blockLength: GradientRows.longestRow,
            maximumNodeCount: slots.count)
        let (start, rows) = (range.lowerBound, plan.gradientRows)
        blocks = rows.parts(of: range).map { part in
            Block(
                floats: part.lowerBound - start..<part.upperBound - start, part: part,
                firstRow: rows.rows(of: start..<part.lowerBound).count)
        }
        report = [UInt8](repeating: 0, count: plan.reportByteCount(of: order.shard))
        let initial = layout.initialWeights(seed: configuration.seed)
        weights = (0, InFlight(WeightsFrame(floatCount: range.count)))
        unsafe weights.frame.memory.payload.copyMemory(
            from: UnsafeRawBufferPointer(
                start: initial.pointer + range.lowerBound, count: range.count * 4))
        seal(weights.frame, 0)
    }

    /// Checks a push for this shard: it has the rows that its bits say, and nothing else.
    package func check(
        _ push: borrowing Message, _ header: FrameHeader
    ) throws(FrameError) {
        let byteCount = unsafe push.withUnsafeBytes { frame in
            unsafe plan.pushedSlices.byteCount(
                of: FrameCodec.payload(of: frame), order.shard.index)
        }
        guard let byteCount else { throw .payloadContent(header.type) }
        try wire.expect(byteCount, header)
    }

    package func keep(_ message: inout Message, slot: Int) { swap(&slots[slot].message, &message) }

    /// Folds the kept nodes, takes the mean and updates; the slots are free after.
    ///
    /// - Returns: what is not finite; the weights of `step` are then still the newest.
    package func apply(_ step: Step, _ fold: [FoldInstruction]) -> DivergenceFinding? {
        let examples = schedule.examples(of: step).count
        let next = takeFrame()
        var finding: DivergenceFinding?
        nodeFold.begin(fold, slots)
        for block in blocks where finding == nil {
            let sum = unsafe nodeFold.sum(of: block.part, fold)
            unsafe measure(block, sum)
            finding = unsafe applyBlock(block.floats, step, examples, sum, next.memory.payload)
        }
        if order.shard == 0 { foldMetrics(fold) }
        for slot in slots { slot.message.clear() }
        if let finding {
            frames.append(next)
            return finding
        }
        if let older = olderWeights { frames.append(older.frame) }
        olderWeights = weights
        weights = (step.next, next)
        seal(next, step.next)
        return nil
    }

    private func applyBlock(
        _ part: Range<Int>, _ step: Step, _ examples: Int, _ sum: UnsafeRawPointer,
        _ payload: UnsafeMutableRawBufferPointer
    ) -> DivergenceFinding? {
        guard let new = payload.baseAddress,
            let old = unsafe weights.frame.memory.payload.baseAddress
        else { return nil }
        let target = unsafe new + part.lowerBound * 4
        let oldWeights = unsafe (old + part.lowerBound * 4).assumingMemoryBound(to: Float.self)
        let isFinite = unsafe optimizer.update(
            part, step: step.index, sums: sum, examples: examples, weights: oldWeights,
            newWeights: target)
        if isFinite { return nil }
        let found = unsafe optimizer.divergence(part, sums: sum, newWeights: target)
        let layout = order.configuration.layout
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

    private func measure(_ block: Block, _ sum: UnsafeRawPointer) {
        unsafe report.withUnsafeMutableBytes { report in
            guard let squares = report.baseAddress else { return }
            let first = unsafe squares + plan.metricsByteCount(of: order.shard)
            unsafe plan.gradientRows.measure(
                block.part, sum, wire.kernels, into: first + block.firstRow * 4)
        }
    }

    private func foldMetrics(_ fold: [FoldInstruction]) {
        // A few words: one small stack of arrays a step.
        let metrics = plan.metrics
        let byteCount = metrics.byteCount
        var stack: [[UInt8]] = []
        for instruction in fold {
            switch instruction {
            case .load(let slot):
                unsafe slots[slot].message.withUnsafeBytes { frame in
                    unsafe stack.append([UInt8](frame.suffix(byteCount)))
                }
            case .add:
                let right = stack.removeLast()
                unsafe stack[stack.count - 1].withUnsafeMutableBytes { left in
                    unsafe right.withUnsafeBytes { right in
                        guard let left = left.baseAddress, let right = right.baseAddress else {
                            return
                        }
                        unsafe metrics.fold(left, right, into: left)
                    }
                }
            }
        }
        report.replaceSubrange(..<byteCount, with: stack[0])
    }

    /// The newest weights' frame, from where it lies.
    package func weightsMessage() -> Message {
        unsafe weights.frame.message(weights.frame.memory.frame)
    }

    /// The shard's weights of a step that is kept.
    package func snapshot(_ step: Step) -> Message? {
        guard let frame = weights.step == step ? weights.frame : olderWeights?.frame else {
            return nil
        }
        return wire.message(
            header(.snapshot, step),
            copying: unsafe UnsafeRawBufferPointer(frame.memory.payload).bytes)
    }

    package func stepCommitted(_ step: Step) -> Message {
        let report = report
        return unsafe wire.message(header(.stepCommitted, step), copying: report.span.bytes)
    }

    private func header(_ type: MessageType, _ step: Step) -> FrameHeader {
        FrameHeader(
            type: type, session: session, run: order.run, incarnation: incarnation, step: step,
            shard: order.shard)
    }

    private func seal(_ frame: InFlight<WeightsFrame>, _ step: Step) {
        unsafe wire.seal(header(.weights, step), frame.memory.frame)
    }

    private func takeFrame() -> InFlight<WeightsFrame> {
        if let index = frames.firstIndex(where: \.isIdle) { return frames.remove(at: index) }
        return InFlight(WeightsFrame(floatCount: range.count))
    }
}
