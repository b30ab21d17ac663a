import RandomNumbers
import Testing

struct PhiloxTests {
    /// The known answers of Random123 (`kat_vectors`, philox4x32 10 rounds).
    @Test(arguments: [
        (
            SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
            SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
        ),
        (
            SIMD4<UInt32>(repeating: .max), SIMD2<UInt32>(repeating: .max),
            SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
        ),
        (
            SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
            SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
            SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
        ),
    ])
    func knownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: SIMD4<UInt32>) {
        #expect(Philox.block(counter: counter, key: key) == expected)
    }

    @Test func streamsOfAnotherSeedPurposeOrIndexDiffer() {
        var streams = [
            Philox(seed: 1, purpose: .sampleOrder), Philox(seed: 2, purpose: .sampleOrder),
            Philox(seed: 1, purpose: .initialWeights),
            Philox(seed: 1, purpose: .sampleOrder, index: 1),
            Philox(seed: 1, purpose: .sampleOrder, index: 1 << 40),
            Philox(seed: 1 << 40, purpose: .sampleOrder),
        ]
        let firsts = Set(streams.indices.map { index -> UInt64 in streams[index].next() })
        #expect(firsts.count == streams.count)
    }

    @Test func uniformStaysBelowOneAndAveragesToAHalf() {
        var random = Philox(seed: 7, purpose: .initialWeights)
        let draws = (0..<100_000).map { _ in random.uniform() }
        #expect(draws.allSatisfy { $0 >= 0 && $0 < 1 })
        #expect(abs(draws.reduce(0) { $0 + Double($1) } / 100_000 - 0.5) < 0.005)
    }

    @Test func integersFillTheirIntervalEvenly() {
        var random = Philox(seed: 7, purpose: .sampleOrder)
        var counts = [Int](repeating: 0, count: 6)
        for _ in 0..<60_000 { counts[Int(random.integer(below: 6))] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
    }
}
