import Statistics
import Testing

@Suite struct VerdictTests {
    /// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"), and with ties.
    @Test(arguments: [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.6, 0.5], [1, 1]),
        ([0.04], [0.04]),
        ([], []),
    ])
    func holmsCorrectionIsThatOfR(pValues: [Double], expected: [Double]) {
        let adjusted = Holm.adjusted(pValues)
        #expect(adjusted.count == expected.count)
        #expect(zip(adjusted, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    /// scipy.stats.binomtest(first, first + second).
    @Test(arguments: [
        (5, 15, 0.04138946533203125), (121, 59, 4.4344492637551645e-06),
        (0, 24, 1.1920928955078125e-07),
        (7, 7, 1), (0, 0, 1), (3, 4, 1),
    ])
    func mcNemarsTestIsExact(first: Int, second: Int, expected: Double) {
        for test in [
            McNemar(onlyFirst: first, onlySecond: second),
            McNemar(onlyFirst: second, onlySecond: first),
        ] {
            #expect(abs(test.pValue / expected - 1) < 1e-9)
        }
    }

    /// scipy.stats.ttest_1samp(values, 0.1).
    @Test func anEffectIsTestedAgainstItsMargin() throws {
        let effect = try #require(Effect([0.3, 0.2, 0.25, 0.4], margin: 0.1))
        #expect(abs(effect.pValue - 0.02187539878275782) < 1e-9)
        #expect(effect.unitCount == 4 && abs(effect.estimate - 0.2875) < 1e-12)
        #expect(try #require(effect.interval).lowerBound > 0.1)
    }

    @Test func oneSeedNeverGivesAVerdict() {
        for count in 0..<Verdict.fewestPairs {
            #expect(Effect([Double](repeating: 9, count: count), margin: 0) == nil)
        }
        #expect(Verdict.ofFamily([nil]).map(\.verdict) == [.notTested])
    }

    /// Where all pairs agree there is no interval, and a coin is as good a model as any: three of
    /// one side happen by chance, eight hardly.
    @Test func constantsHaveNoInterval() throws {
        let three = try #require(Effect([1, 1, 1], margin: 0))
        #expect(three.interval == nil && abs(three.pValue - 0.25) < 1e-9)
        let eight = try #require(Effect([Double](repeating: 1, count: 8), margin: 0))
        #expect(eight.interval == nil && abs(eight.pValue - 1.0 / 128) < 1e-9)
        #expect(Effect([0, 0, 0, 0], margin: 0)?.pValue == 1)
        let bootstrap = Bootstrap(unitCount: 8) { _ in 1 }
        #expect(abs(try #require(Effect(bootstrap, margin: 2)).pValue - 1.0 / 128) < 1e-9)
    }

    @Test func theMarginAndTheFamilyDecide() throws {
        func verdicts(_ samples: [Double]..., margin: Double) -> [Verdict] {
            Verdict.ofFamily(samples.map { Effect($0, margin: margin) }).map(\.verdict)
        }
        let clear = [0.30, 0.31, 0.29, 0.30, 0.31]
        #expect(verdicts(clear, margin: 0) == [.supported])
        // True and too small to matter.
        #expect(verdicts(clear, margin: 0.5) == [.refuted])
        #expect(verdicts(clear, margin: 0.3) == [.inconclusive])
        // p = 0.03 alone; among three that are tested, too little. What is not tested costs
        // nothing.
        let weak = [0.1, 0.5, 0.3, 0.05, 0.4]
        let p = try #require(Effect(weak, margin: 0)?.pValue)
        #expect(0.02...0.05 ~= p)
        #expect(verdicts(weak, [], [1], margin: 0) == [.supported, .notTested, .notTested])
        #expect(
            verdicts(weak, weak, weak, margin: 0) == [.inconclusive, .inconclusive, .inconclusive])
    }
}
