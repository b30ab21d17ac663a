/// What each leaf measures beside its gradient; it folds in the same tree and travels as 32-bit words.
///
/// Words: loss sum, squared gradient norm by layer (floats), then correct decisions, saturated units by
/// layer (counts).
package struct StepMetricsLayout: Hashable, Sendable {
    package let layerCount: Int

    package init(layerCount: Int) { self.layerCount = layerCount }

    package var wordCount: Int { 2 + 2 * layerCount }
    package var byteCount: Int { wordCount * 4 }

    /// parent ← left + right, word by word. The memory need not be aligned; `parent` may be either.
    package func fold(
        _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, into parent: UnsafeMutableRawPointer
    ) {
        for offset in stride(from: 0, to: byteCount, by: 4) {
            let x = unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let y = unsafe right.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let sum =
                offset / 4 <= layerCount
                ? (Float(bitPattern: x) + Float(bitPattern: y)).bitPattern : x &+ y
            unsafe parent.storeBytes(of: sum, toByteOffset: offset, as: UInt32.self)
        }
    }

    /// Reads `wordCount` words.
    package func metrics(_ words: UnsafeRawPointer) -> StepMetrics {
        let word = { unsafe words.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        let layers = 0..<layerCount
        return StepMetrics(
            lossSum: Float(bitPattern: word(0)),
            squaredGradientNorms: layers.map { Float(bitPattern: word(1 + $0)) },
            correctCount: Int(word(1 + layerCount)),
            saturatedCounts: layers.map { Int(word(2 + layerCount + $0)) })
    }
}

/// The metrics of one step: sums over its examples or its leaves.
package struct StepMetrics: Hashable, Sendable {
    /// The sum of the examples' losses.
    package let lossSum: Float
    /// By layer: the sum over leaves of the squared norm of the leaf's gradient sum.
    package let squaredGradientNorms: [Float]
    /// Examples decided right.
    package let correctCount: Int
    /// By layer: (example, unit) pairs whose output is saturated; see `Activation.saturationBounds`.
    package let saturatedCounts: [Int]
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
