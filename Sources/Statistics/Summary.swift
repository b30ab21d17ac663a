import Foundation

/// Figures of a sample, one value a seed for instance.
package struct Summary: Equatable, Sendable {
    package let count: Int
    package let mean: Double
    package let minimum: Double
    package let maximum: Double
    /// Of the sample, over n − 1; missing for a single value.
    package let standardDeviation: Double?

    /// - Returns: nil for no value, and where one is not finite: no figure would mean anything.
    package init?(_ values: [Double]) {
        guard let minimum = values.min(), let maximum = values.max(),
            values.allSatisfy(\.isFinite)
        else { return nil }
        let mean = values.reduce(0, +) / Double(values.count)
        count = values.count
        self.mean = mean
        self.minimum = minimum
        self.maximum = maximum
        if values.count > 1 {
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            standardDeviation = (squares / Double(values.count - 1)).squareRoot()
        } else {
            standardDeviation = nil
        }
    }

    /// Student's 95 % confidence interval of the mean; missing for a single value.
    package var confidenceInterval: ClosedRange<Double>? {
        guard let standardDeviation else { return nil }
        let half =
            StudentT.quantile(confidence: 0.95, degreesOfFreedom: count - 1)
            * standardDeviation / Double(count).squareRoot()
        return (mean - half)...(mean + half)
    }

    /// The part of it that is possible: no accuracy is above 1, so that an interval which reaches
    /// beyond holds no less often for ending there.
    package func confidenceInterval(within range: ClosedRange<Double>) -> ClosedRange<Double>? {
        confidenceInterval?.clamped(to: range)
    }

    /// Of a − b over the keys (seeds) that both have: what is common to a seed cancels out.
    package static func pairedDifference<Key: Hashable>(
        _ a: [Key: Double], _ b: [Key: Double]
    ) -> Summary? {
        Summary(a.compactMap { key, value in b[key].map { value - $0 } }.sorted())
    }
}
