/// Random numbers for tests, the same in every run (SplitMix64; Steele, Lea & Flood 2014).
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x2545_f491_4f6c_dd1d }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// Uniform in ±`limit`.
    package mutating func floats(_ count: Int, limit: Float = 1) -> [Float] {
        (0..<count).map { _ in .random(in: -limit...limit, using: &self) }
    }

    /// As `floats`, but about one in eight is a zero of either sign, a denormal, a huge number, an
    /// infinity or a NaN.
    package mutating func floatsWithSpecials(_ count: Int, limit: Float = 1) -> [Float] {
        let specials: [Float] = [
            0, -0.0, .leastNonzeroMagnitude, -0x1p-140, 3e38, -3e38, .infinity, -.infinity, .nan,
        ]
        return floats(count, limit: limit).map { value in
            let draw = next()
            return draw & 7 == 0 ? specials[Int((draw >> 3) % UInt64(specials.count))] : value
        }
    }

    /// Bytes of which about the fraction `density` is not zero.
    package mutating func pixels(_ count: Int, density: Double) -> [UInt8] {
        (0..<count).map { _ in
            Double.random(in: 0..<1, using: &self) < density
                ? .random(in: 1...255, using: &self) : 0
        }
    }

    /// Labels below `classes`.
    package mutating func labels(_ count: Int, classes: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(Int.random(in: 0..<classes, using: &self)) }
    }
}
