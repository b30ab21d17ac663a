/// Quantiles of small samples.
package enum Quantiles {
    /// Linear between the order statistics, as numpy's default and R's type 7.
    ///
    /// - Parameters:
    ///   - sorted: ascending, not empty; what never happens is infinite, above all or below.
    ///   - share: 0…1; 0.5 is the median.
    package static func quantile(_ share: Double, of sorted: [Double]) -> Double {
        precondition(!sorted.isEmpty && (0...1).contains(share), "no such quantile")
        let position = share * Double(sorted.count - 1)
        let lower = Int(position)
        let upper = min(lower + 1, sorted.count - 1)
        let fraction = position - Double(lower)
        // Between two that never happen there is nothing to interpolate.
        guard fraction > 0, sorted[lower] < sorted[upper], sorted[lower] > -.infinity else {
            return sorted[lower]
        }
        return sorted[lower] + fraction * (sorted[upper] - sorted[lower])
    }

    /// Of `total` values of which only `values` are known, and the others lie above them all; nil
    /// where the median falls on one of those.
    package static func median(_ values: [Double], of total: Int) -> Double? {
        let sorted = values.sorted()
        guard total > 0, total / 2 < sorted.count else { return nil }
        let upper = sorted[total / 2]
        return total.isMultiple(of: 2) ? (sorted[total / 2 - 1] + upper) / 2 : upper
    }
}
