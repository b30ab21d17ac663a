/// The simple noise scale of the gradient: the batch size at which noise and signal are equal.
///
/// McCandlish et al., “An Empirical Model of Large-Batch Training” (2018), appendix A.1: squared
/// norms at two batch sizes, the micro-batch and the global batch, give unbiased estimates of |G|²
/// and tr Σ. Both are summed over steps, each
/// by its examples, before they are divided.
package struct GradientNoise: Equatable, Sendable {
    package private(set) var stepCount = 0
    private var signal = 0.0
    private var noise = 0.0

    package init() {}

    /// Adds a step, which weighs by its examples: the last one of an epoch may have few.
    ///
    /// - Parameters:
    ///   - small: the mean squared norm of the leaves' gradient sums over the squared mean size of
    ///     a leaf. A step of one leaf has no second size and is left out.
    ///   - large: the squared norm of the gradient's mean over the step's examples.
    ///   - microBatch: the examples of a leaf; the last one may have fewer.
    package mutating func add(small: Double, large: Double, examples: Int, microBatch: Int) {
        precondition(examples > 0 && microBatch > 0, "sizes are counts")
        guard examples > microBatch, small.isFinite, large.isFinite else { return }
        let leaves = (examples + microBatch - 1) / microBatch
        let rest = Double(examples - (leaves - 1) * microBatch)
        let (n, k, micro) = (Double(examples), Double(leaves), Double(microBatch))
        // A leaf of b examples has E|sum|² = b² |G|² + b tr Σ; q is 1 where all are alike.
        let q = k * ((k - 1) * micro * micro + rest * rest) / (n * n)
        let trace = (small - q * large) / ((k - q) / n)
        signal += n * (large - trace / n)
        noise += n * trace
        stepCount += 1
    }

    /// tr Σ / |G|², in examples; nil where the estimate of the signal is not above zero.
    package var scale: Double? { signal > 0 && stepCount > 0 ? noise / signal : nil }
}
