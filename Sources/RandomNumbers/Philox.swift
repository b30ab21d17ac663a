/// Philox4x32-10, a counter-based generator: the n-th number of a stream is a function of n alone.
///
/// A stream is keyed by (seed, purpose, index), so nothing depends on who draws first or how much.
/// The key is the seed; the counter holds the block number, the purpose and the index.
/// Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
package struct Philox: RandomNumberGenerator, Sendable {
    /// What a stream is for; two purposes never share a number.
    package enum Purpose: UInt16, Sendable {
        case initialWeights = 1
        case sampleOrder = 2
        case syntheticDigits = 3
        case heldOutExamples = 4
        case resampling = 5
    }

    private let key: SIMD2<UInt32>
    private var counter: SIMD4<UInt32>
    private var block = SIMD4<UInt32>()
    private var unused = 0

    /// - Parameter index: which stream of the purpose (a layer, an epoch, a digit), below 2^48.
    package init(seed: UInt64, purpose: Purpose, index: UInt64 = 0) {
        precondition(index >> 48 == 0, "a Philox stream's index is below 2^48")
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        counter = SIMD4(
            0, UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32),
            UInt32(purpose.rawValue) << 16)
        counter.w |= counter.z >> 16
        counter.z &= 0xffff
    }

    /// Ten rounds over one counter.
    package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (counter, key) = (counter, key)
        for _ in 0..<10 {
            let product0 = UInt64(counter.x) * 0xd251_1f53
            let product1 = UInt64(counter.z) * 0xcd9e_8d57
            counter = SIMD4(
                UInt32(truncatingIfNeeded: product1 >> 32) ^ counter.y ^ key.x,
                UInt32(truncatingIfNeeded: product1),
                UInt32(truncatingIfNeeded: product0 >> 32) ^ counter.w ^ key.y,
                UInt32(truncatingIfNeeded: product0))
            key &+= SIMD2(0x9e37_79b9, 0xbb67_ae85)
        }
        return counter
    }

    /// The next 32 bits of the stream.
    package mutating func next() -> UInt32 {
        if unused == 0 {
            block = Self.block(counter: counter, key: key)
            counter.x &+= 1
            precondition(counter.x != 0, "a Philox stream holds 2^34 numbers")
            unused = 4
        }
        unused -= 1
        return block[3 - unused]
    }

    package mutating func next() -> UInt64 {
        let low: UInt32 = next()
        let high: UInt32 = next()
        return UInt64(high) << 32 | UInt64(low)
    }

    /// Uniform in [0, 1): the top 24 bits, so every value is exact.
    package mutating func uniform() -> Float {
        let bits: UInt32 = next()
        return Float(bits >> 8) * 0x1p-24
    }

    /// Uniform below `bound`, without bias (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    package mutating func integer(below bound: UInt32) -> UInt32 {
        precondition(bound > 0, "an empty interval holds no integer")
        while true {
            let bits: UInt32 = next()
            let product = UInt64(bits) * UInt64(bound)
            if UInt32(truncatingIfNeeded: product) >= (0 &- bound) % bound {
                return UInt32(product >> 32)
            }
        }
    }
}
