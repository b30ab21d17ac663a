import RandomNumbers

/// A figure computed again from resampled data: how far it would scatter over other samples.
///
/// The numbers are drawn from Philox streams of a fixed seed, one a replicate, so that a report
/// is the same whenever it is made.
package struct Bootstrap: Equatable, Sendable {
    /// Of the sample itself.
    package let estimate: Double
    /// Ascending.
    package let replicates: [Double]
    /// Units (seeds) that were resampled.
    package let unitCount: Int
    /// What a sample of few units knows less about its own scatter than a population does.
    private let correction: SmallSample

    package static let replicateCount = 10_000
    /// Resamples of fewer are too few to tell 95 % by: with 6, the interval covers 92 %.
    package static let fewestUnits = 8
    private static let seed: UInt64 = 1

    /// Draws units with replacement. What belongs to a unit stays together: runs of one seed are
    /// paired over all configurations.
    ///
    /// - Parameter statistic: of the units at these places, some of them several times.
    package init(
        unitCount: Int, replicateCount: Int = Self.replicateCount,
        _ statistic: (_ places: [Int]) -> Double
    ) {
        precondition(unitCount > 0, "nothing to draw from")
        self.unitCount = unitCount
        estimate = statistic(Array(0..<unitCount))
        var places = [Int](repeating: 0, count: unitCount)
        replicates = (0..<replicateCount).map { replicate in
            var stream = Self.stream(replicate)
            for place in places.indices { places[place] = stream.place(of: unitCount) }
            return statistic(places)
        }.sorted()
        correction = SmallSample(unitCount: unitCount)
    }

    /// Draws units and, apart from them, examples: the figures of all cells in the drawn rows and
    /// columns. An interval from it holds for other seeds and for other test digits.
    ///
    /// Owen, “The Pigeonhole Bootstrap” (2007). Rows are drawn first, then columns.
    ///
    /// - Parameter table: what is averaged.
    package init(_ table: CrossedTable, replicateCount: Int = Self.replicateCount) {
        unitCount = table.rowCount
        estimate = table.mean
        var rowCounts = [Int](repeating: 0, count: table.rowCount)
        var columnCounts = [Int32](repeating: 0, count: table.columnCount)
        replicates = (0..<replicateCount).map { replicate in
            var stream = Self.stream(replicate)
            for row in rowCounts.indices { rowCounts[row] = 0 }
            for column in columnCounts.indices { columnCounts[column] = 0 }
            for _ in rowCounts.indices { rowCounts[stream.place(of: table.rowCount)] += 1 }
            for _ in columnCounts.indices {
                columnCounts[stream.place(of: table.columnCount)] += 1
            }
            return table.mean(rowCounts: rowCounts, columnCounts: columnCounts)
        }.sorted()
        correction = SmallSample(table, replicates: replicates)
    }

    private static func stream(_ replicate: Int) -> Philox {
        Philox(seed: seed, purpose: .resampling, index: UInt64(replicate))
    }

    /// At 95 %; nil around a constant, and for fewer than ``fewestUnits``.
    ///
    /// The percentile interval, expanded by what small samples need: Hesterberg, “What Teachers
    /// Should Know About the Bootstrap” (2015), section 5.3.
    package var interval: ClosedRange<Double>? {
        guard let low = replicates.first, let high = replicates.last, low < high,
            unitCount >= Self.fewestUnits
        else { return nil }
        let tail = correction.tail
        return Quantiles.quantile(
            tail, of: replicates)...Quantiles.quantile(
                1 - tail, of: replicates)
    }

    /// Two-sided, that the true figure is `value`: the interval with this much less than certainty
    /// just reaches it.
    package func pValue(of value: Double) -> Double {
        let below = Double(replicates.count { $0 < value })
        let equal = Double(replicates.count { $0 == value })
        let share = (below + equal / 2 + 0.5) / Double(replicates.count + 1)
        return correction.pValue(tail: min(share, 1 - share))
    }
}

/// By how much the scatter of replicates is corrected: they scatter by the sample's own variance,
/// which is (n − 1) / n of what it estimates, and as if that were known.
struct SmallSample: Equatable, Sendable {
    var degreesOfFreedom: Int
    /// The variance of the estimate as a multiple of that of the replicates.
    var inflation: Double

    init(unitCount: Int) {
        degreesOfFreedom = max(unitCount - 1, 1)
        inflation = Double(unitCount) / Double(degreesOfFreedom)
    }

    /// Replicates of rows and columns scatter by three times the variance of single cells.
    init(_ table: CrossedTable, replicates: [Double]) {
        self.init(unitCount: table.rowCount)
        guard let found = table.meanVariance,
            let deviation = Summary(replicates)?.standardDeviation, deviation > 0
        else { return }
        degreesOfFreedom = max(1, Int(min(found.degreesOfFreedom, Self.manyDegrees)))
        inflation = found.variance / (deviation * deviation)
    }

    /// From here on Student's distribution is the normal one.
    private static let manyDegrees = 1_000.0

    /// What an interval at 95 % leaves out of the replicates, on each side.
    var tail: Double {
        let t = StudentT.quantile(confidence: 0.95, degreesOfFreedom: degreesOfFreedom)
        return Normal.probability(below: -t * inflation.squareRoot())
    }

    /// - Parameter tail: the share of the replicates beyond a value.
    func pValue(tail: Double) -> Double {
        let t = -Normal.quantile(tail) / inflation.squareRoot()
        return t <= 0
            ? 1 : 1 - StudentT.probability(within: t, degreesOfFreedom: degreesOfFreedom)
    }
}

extension Philox {
    /// A place below `count`: the next 32 bits as a fraction of it.
    fileprivate mutating func place(of count: Int) -> Int {
        let bits: UInt32 = next()
        return Int((UInt64(bits) * UInt64(count)) >> 32)
    }
}
