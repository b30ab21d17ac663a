/// Random numbers that a seed determines, the same on every machine (SplitMix64: Steele, Lea and
/// Flood, 2014).
package struct SimulatedRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    /// True once in `count` times.
    mutating func oneIn(_ count: Int) -> Bool { next() % UInt64(count) == 0 }

    mutating func element<T>(of list: [T]) -> T { list[int(0...list.count - 1)] }
}
