import Statistics
import Testing

@Suite struct SurvivalTests {
    /// Weeks in remission of leukaemia, 6-MP and placebo: Freireich et al. (1963), as in
    /// Kalbfleisch & Prentice; negative ones are censored.
    private static let (treated, placebo) = (
        times([
            6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34,
            -35,
        ]),
        times([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23])
    )

    private static func times(_ weeks: [Double]) -> [TimeToEvent] {
        weeks.map { TimeToEvent(abs($0), isReached: $0 > 0) }
    }

    /// Of R's survfit with conf.type = "log-log", and scipy's ecdf.
    @Test func theCurveAndItsBandAreThoseOfR() {
        let curve = KaplanMeier(Self.treated)
        let expected = [
            (6.0, 21, 3, 0.8571428571, 0.6197179553, 0.9515517476),
            (7, 17, 1, 0.8067226891, 0.5631465646, 0.9228090192),
            (10, 15, 1, 0.7529411765, 0.5031995108, 0.8893618352),
            (13, 12, 1, 0.6901960784, 0.4316102225, 0.8490659633),
            (16, 11, 1, 0.6274509804, 0.3675108560, 0.8049121895),
            (22, 7, 1, 0.5378151261, 0.2677789368, 0.7467907176),
            (23, 6, 1, 0.4481792717, 0.1880520060, 0.6801426285),
        ]
        #expect(curve.steps.count == expected.count)
        for (step, row) in zip(curve.steps, expected) {
            #expect((step.time, step.atRiskCount, step.eventCount) == (row.0, row.1, row.2))
            #expect(abs(step.survival - row.3) < 1e-9)
            #expect(abs(step.band.lowerBound - row.4) < 1e-9)
            #expect(abs(step.band.upperBound - row.5) < 1e-9)
        }
        #expect(curve.survival(at: 9).value == curve.steps[1].survival)
        #expect(curve.survival(at: 5).value == 1)
    }

    /// Medians of 23 and 8 weeks, and restricted means of 23.29 and 8.67 (R: print.survfit).
    @Test func mediansAndRestrictedMeansAreThoseOfR() {
        let (treated, placebo) = (KaplanMeier(Self.treated), KaplanMeier(Self.placebo))
        #expect(treated.median == 23 && placebo.median == 8)
        #expect(abs(treated.restrictedMean(to: 35) - 23.287395) < 1e-5)
        #expect(abs(placebo.restrictedMean(to: 35) - 182 / 21) < 1e-12)
    }

    @Test func theMedianIsThatOfTheSampleWithTheOthersAsNever() {
        func median(_ weeks: [Double]) -> Double? { KaplanMeier(Self.times(weeks)).median }
        #expect(median([1, 2, 3, 4]) == 2.5)
        #expect(median([1, 2, 3]) == 2)
        #expect(median([1, 2, -9]) == 2)
        #expect(median([1, 2, -9, -9]) == nil)
        #expect(median([-9]) == nil)
        // Six of seven sevenths are rounded: half is reached all the same.
        #expect(median([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]) == 7.5)
    }

    /// Where there is no variance to go by the bound is exact: 0.025^(1/n).
    @Test func theBandAtBothEndsIsTheExactBound() throws {
        let curve = KaplanMeier(Self.times([1, 2, 3, 4]))
        let bound = 0.3976353643835254
        #expect(abs(curve.survival(at: 0).band.lowerBound - bound) < 1e-12)
        let last = try #require(curve.steps.last)
        #expect(last.survival == 0 && last.band.lowerBound == 0)
        #expect(abs(last.band.upperBound - (1 - bound)) < 1e-12)
    }

    @Test func aHorizonCutsTimes() {
        let times = Self.times([1, 5, -7]).map { $0.restricted(to: 5) }
        #expect(times == Self.times([1, 5, -5]))
        #expect(KaplanMeier(times).restrictedMean(to: 5) == 11.0 / 3)
        // Nothing happened: the area is that of a rectangle.
        #expect(KaplanMeier(Self.times([-9])).restrictedMean(to: 5) == 5)
    }

    /// Of R's survdiff and scipy's logrank: χ² = 16.79.
    @Test func theLogRankTestIsThatOfR() throws {
        let test = LogRank([.init(first: Self.treated, second: Self.placebo)])
        #expect(abs(try #require(test.chiSquare) - 16.792940989) < 1e-8)
        #expect(abs(try #require(test.pValue) / 4.168809109e-5 - 1) < 1e-8)
        #expect(test.excess < 0)
    }

    /// With pairs as strata it is the sign test's normal form: (wins − losses)² / (wins + losses),
    /// and ties and pairs of which none gets there say nothing.
    @Test func pairsAsStrataAreASignTest() throws {
        func pair(_ a: Double, _ b: Double) -> LogRank.Stratum {
            .init(first: Self.times([a]), second: Self.times([b]))
        }
        let wins = (1...7).map { pair(Double($0), Double($0) + 0.5) }
        let losses = [pair(9, 3), pair(-9, 3)]
        let silent = [pair(4, 4), pair(-9, -9), pair(-2, 5)]
        let test = LogRank(wins + losses + silent)
        #expect(abs(try #require(test.chiSquare) - 25.0 / 9) < 1e-12)
        #expect(LogRank(silent).pValue == nil)
    }
}
