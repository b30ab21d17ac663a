/// What each leaf measures beside its gradient; it folds in the same tree and travels as 32-bit
/// words.
///
/// Words: loss sum, squared gradient norm by layer (floats), then correct decisions, saturated
/// units by layer (counts).
package struct StepMetricsLayout: Hashable, Sendable {
    package let layerCount: Int

    package init(layerCount: Int) { self.layerCount = layerCount }

    /// The words before the first count.
    package var floatWordCount: Int { 1 + layerCount }
    package var wordCount: Int { 2 * floatWordCount }
    package var byteCount: Int { wordCount * 4 }
}

/// The metrics of one step: sums over its examples or its leaves.
package struct StepMetrics: Hashable, Sendable {
    /// The sum of the examples' losses.
    package let lossSum: Float
    /// By layer: the sum over leaves of the squared norm of the leaf's gradient sum.
    package let squaredGradientNorms: [Float]
    /// Examples decided right.
    package let correctCount: Int
    /// By layer: (example, unit) pairs whose output is saturated; see
    /// `Activation.saturationBounds`.
    package let saturatedCounts: [Int]

    package init(
        lossSum: Float, squaredGradientNorms: [Float], correctCount: Int, saturatedCounts: [Int]
    ) {
        self.lossSum = lossSum
        self.squaredGradientNorms = squaredGradientNorms
        self.correctCount = correctCount
        self.saturatedCounts = saturatedCounts
    }
}

extension Activation {
    /// An output at or below the first, or at or above the second, is saturated: its derivative is
    /// nearly gone (tanh, sigmoid, softmax), or zero (relu).
    package var saturationBounds: (lower: Float, upper: Float)? {
        switch self {
        case .tanh: (-0.97, 0.97)
        case .sigmoid, .softmax: (0.01, 0.99)
        case .relu: (0, .infinity)
        case .identity: nil
        }
    }
}
