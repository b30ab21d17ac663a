import LockstepProtocol
import TrainingPlan

/// Tells how the time of a server's step divides into fold and update, which go on in turns, block
/// of rows by block of rows.
///
/// A look at the clock for each block would cost more than a trace may: those of one block in
/// sixteen, another one in each step, stand for all.
struct FoldTimer {
    /// A step's time, by one clock.
    struct Timing {
        let begun: UInt64
        /// Where the fold would have ended, if it had been done first.
        let folded: UInt64
        let ended: UInt64
    }

    private let isOn: Bool
    private let blockCount: Int
    private let sampled: Int
    private var begun: UInt64 = 0
    private var blockBegun: UInt64 = 0
    private var sampledFold: UInt64 = 0
    private var sampleCount: UInt64 = 0

    private static let stride = 16

    /// - Parameter isOn: whether the session is traced; the clock is left alone otherwise.
    init(isOn: Bool, step: Int, blockCount: Int) {
        self.isOn = isOn
        self.blockCount = blockCount
        sampled = step % max(1, min(Self.stride, blockCount))
        if isOn { begun = SystemClock.nanoseconds }
    }

    private func isSampled(_ block: Int) -> Bool { isOn && block % Self.stride == sampled }

    mutating func blockBegins(_ block: Int) {
        if isSampled(block) { blockBegun = SystemClock.nanoseconds }
    }

    mutating func blockIsFolded(_ block: Int) {
        guard isSampled(block) else { return }
        sampledFold += SystemClock.nanoseconds - blockBegun
        sampleCount += 1
    }

    /// The step is done. Nil where there is no trace.
    func end() -> Timing? {
        guard isOn else { return nil }
        let ended = SystemClock.nanoseconds
        let fold = sampledFold * UInt64(blockCount) / max(sampleCount, 1)
        return Timing(begun: begun, folded: min(begun + fold, ended), ended: ended)
    }
}

extension TraceRecorder {
    /// A server's step: what came before it was the wait for pushes.
    func recordUpdate(
        _ timing: FoldTimer.Timing, _ shard: ShardEngine, _ index: Step, isBeside: Bool
    ) {
        let step = index.next.rawValue
        let (run, index) = (shard.duty.order.run, shard.duty.shard)
        if let last = lastEnd, last.run == run, last.step + 1 == step {
            record(
                TraceEvent(
                    .wait, run, step, shard: index, from: last.nanoseconds, to: timing.begun))
        }
        record(
            TraceEvent(
                .fold, run, step, shard: index, from: timing.begun, to: timing.folded,
                isBeside: isBeside))
        record(
            TraceEvent(
                .update, run, step, shard: index, from: timing.folded, to: timing.ended,
                isBeside: isBeside))
    }
}
