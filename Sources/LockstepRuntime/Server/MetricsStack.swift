import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// Folds the metrics of nodes in tree order, in memory of its own.
struct MetricsStack {
    private let metrics: StepMetricsLayout
    private var words: [UInt8]

    init(_ metrics: StepMetricsLayout) {
        self.metrics = metrics
        words = Array(repeating: 0, count: NodeFold.stackDepth * metrics.byteCount)
    }

    /// Writes the root's metrics to `target`.
    mutating func fold(
        _ fold: [FoldInstruction], _ slots: [MessageSlot], into target: UnsafeMutableRawPointer
    ) {
        let byteCount = metrics.byteCount
        var height = 0
        unsafe words.withUnsafeMutableBytes { words in
            guard let start = words.baseAddress else { return }
            for instruction in fold {
                switch instruction {
                case .load(let slot):
                    unsafe slots[slot].message.withUnsafeBytes { frame in
                        let place = unsafe UnsafeMutableRawBufferPointer(
                            start: start + height * byteCount, count: byteCount)
                        unsafe place.copyMemory(
                            from: UnsafeRawBufferPointer(rebasing: frame.suffix(byteCount)))
                    }
                    height += 1
                case .add:
                    height -= 1
                    let left = unsafe start + (height - 1) * byteCount
                    unsafe metrics.fold(left, left + byteCount, into: left)
                }
            }
            unsafe target.copyMemory(from: start, byteCount: byteCount)
        }
    }
}
