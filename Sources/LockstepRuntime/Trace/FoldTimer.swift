import LockstepProtocol
import TrainingPlan

/// Tells how the time of a server's step divides into fold and update, which take turns, block
/// of rows by block of rows.
///
/// A look at the clock for each block would cost more than a trace may. So one block of a step is
/// measured, another one in each, and the mean of the last ones stands for all.
struct FoldTimer {
    /// A step's time, by one clock.
    struct Timing {
        let begun: UInt64
        /// Where the fold would have ended, if it had been done first.
        let folded: UInt64
        let ended: UInt64
    }

    private var blockCount = 0
    /// The block that is measured; none where there is no trace.
    private var sampled = -1
    private var begun: UInt64 = 0
    private var blockBegun: UInt64 = 0
    /// Of a block's fold, in nanoseconds.
    private var meanFold: Double?

    /// How much the newest measurement counts.
    private static let weight = 1.0 / 16

    /// - Parameter isTraced: the clock is left alone otherwise.
    mutating func begin(_ step: Step, blockCount: Int, isTraced: Bool) {
        sampled = isTraced ? step.index % max(blockCount, 1) : -1
        self.blockCount = blockCount
        if isTraced { begun = SystemClock.nanoseconds }
    }

    mutating func blockBegins(_ block: Int) {
        if block == sampled { blockBegun = SystemClock.nanoseconds }
    }

    mutating func blockIsFolded(_ block: Int) {
        guard block == sampled else { return }
        let fold = Double(SystemClock.nanoseconds - blockBegun)
        meanFold = meanFold.map { $0 + (fold - $0) * Self.weight } ?? fold
    }

    /// The step is done. Nil where there is no trace.
    func end() -> Timing? {
        guard sampled >= 0 else { return nil }
        let ended = SystemClock.nanoseconds
        let fold = UInt64((meanFold ?? 0) * Double(blockCount))
        return Timing(begun: begun, folded: min(begun + fold, ended), ended: ended)
    }
}

extension TraceRecorder {
    /// A server's step: what came before it was the wait for pushes.
    func recordUpdate(
        _ timing: FoldTimer.Timing, _ shard: ShardEngine, _ index: Step, isBeside: Bool
    ) {
        let (run, step) = (shard.duty.order.run, index.next.rawValue)
        func span(_ kind: TraceKind, _ start: UInt64, _ end: UInt64, isBeside: Bool) {
            record(
                TraceEvent(
                    kind, run, step, shard: shard.duty.shard, from: start, to: end,
                    isBeside: isBeside))
        }
        if let last, last.run == run, last.step == index.rawValue {
            span(.wait, last.end, timing.begun, isBeside: false)
        }
        span(.fold, timing.begun, timing.folded, isBeside: isBeside)
        span(.update, timing.folded, timing.ended, isBeside: isBeside)
        // What was done beside has ended some time ago.
        if isBeside { pause() }
    }
}
