/// The simple noise scale of the gradient: the batch size at which noise and signal are equal.
///
/// McCandlish et al., “An Empirical Model of Large-Batch Training” (2018), appendix A.1: squared
/// norms at two batch sizes, the micro-batch and the global batch, give unbiased estimates of |G|²
/// and tr Σ. Both are summed over steps before they are divided.
package struct GradientNoise: Equatable, Sendable {
    package private(set) var stepCount = 0
    private var signal = 0.0
    private var noise = 0.0

    package init() {}

    /// Adds a step.
    ///
    /// - Parameters:
    ///   - small: the mean squared norm of the gradients over `smallBatch` examples.
    ///   - large: the squared norm of the gradient over `largeBatch` examples, more than
    ///     `smallBatch`.
    package mutating func add(
        small: Double, smallBatch: Double, large: Double, largeBatch: Double
    ) {
        precondition(largeBatch > smallBatch && smallBatch > 0, "two sizes of batch")
        guard small.isFinite, large.isFinite else { return }
        signal += (largeBatch * large - smallBatch * small) / (largeBatch - smallBatch)
        noise += (small - large) / (1 / smallBatch - 1 / largeBatch)
        stepCount += 1
    }

    /// tr Σ / |G|², in examples; nil where the estimate of the signal is not above zero.
    package var scale: Double? { signal > 0 && stepCount > 0 ? noise / signal : nil }
}
