import Statistics
import Testing

@Suite struct SummaryTests {
    /// From the tables of Student's distribution.
    @Test(arguments: [
        (1, 12.7062047364), (2, 4.3026527299), (3, 3.1824463053), (4, 2.7764451052),
        (5, 2.5705818366), (9, 2.2621571628), (10, 2.2281388520), (30, 2.0422724563),
        (101, 1.9837310031), (1000, 1.9623390808),
    ])
    func quantilesAgreeWithTheTables(degreesOfFreedom: Int, expected: Double) {
        let quantile = StudentT.quantile(confidence: 0.95, degreesOfFreedom: degreesOfFreedom)
        #expect(abs(quantile - expected) < 1e-8)
    }

    @Test func summaryOfASample() throws {
        let summary = try #require(Summary([2, 4, 4, 4, 5, 5, 7, 9]))
        #expect(summary.count == 8 && summary.mean == 5)
        #expect(summary.minimum == 2 && summary.maximum == 9)
        let deviation = try #require(summary.standardDeviation)
        #expect(abs(deviation - 2.1380899353) < 1e-9)
        let interval = try #require(summary.confidenceInterval)
        #expect(abs(interval.upperBound - 6.7874883) < 1e-6)
        #expect(abs(interval.lowerBound - 3.2125117) < 1e-6)
    }

    @Test func oneValueHasNoSpread() throws {
        let summary = try #require(Summary([3]))
        #expect(summary.mean == 3)
        #expect(summary.standardDeviation == nil && summary.confidenceInterval == nil)
    }

    @Test(arguments: [[], [1, .nan], [.infinity]] as [[Double]])
    func nothingIsSaidOfWhatIsNoSample(values: [Double]) {
        #expect(Summary(values) == nil)
    }

    @Test func differencesArePairedByKey() throws {
        let difference = try #require(
            Summary.pairedDifference([1: 10, 2: 20, 3: 31, 9: 0], [1: 9, 2: 18, 3: 28, 4: 5]))
        #expect(difference.count == 3 && difference.mean == 2 && difference.standardDeviation == 1)
        #expect(Summary.pairedDifference([1: 1], [2: 2]) == nil)
    }

    private let curve = [0.90, 0.95, .nan, 0.94, 0.97].enumerated().map { index, value in
        CurvePoint(
            step: (index + 1) * 100, epoch: Double(index + 1), seconds: Double(index) + 0.5,
            value: value)
    }

    @Test(arguments: [(0.9, 100), (0.95, 200), (0.951, 500), (0.97, 500)])
    func crossingIsTheFirstPointThere(threshold: Double, step: Int) {
        let crossing = Crossing(of: threshold, in: curve)
        #expect(crossing?.isReached == true)
        #expect(crossing?.point.step == step)
    }

    @Test func whatIsNotReachedIsCensored() {
        #expect(Crossing(of: 0.98, in: curve) == .notReached(curve[4]))
        #expect(Crossing(of: 0.98, in: []) == nil)
    }
}
