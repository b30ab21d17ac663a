/// The batch size at which a run needs twice the fewest steps and twice the fewest examples.
///
/// S = S₀ + E₀ / B, fitted by least squares of the relative errors; the critical batch is E₀ / S₀
/// (McCandlish et al., “An Empirical Model of Large-Batch Training”, 2018, section 2.3).
package struct CriticalBatch: Equatable, Sendable {
    /// S₀: the steps that no batch goes below.
    package let fewestSteps: Double
    /// E₀: the examples that no batch goes below.
    package let fewestExamples: Double

    package var batchSize: Double { fewestExamples / fewestSteps }

    /// - Parameter points: steps to one accuracy at each batch size, all above zero.
    /// - Returns: nil for fewer than three points, and where the fit has no such floors.
    package init?(_ points: [(batchSize: Double, steps: Double)]) {
        guard points.count >= 3 else { return nil }
        // Weighted sums of 1, x, x², y and x y, with x = 1 / B and y = S.
        var (one, x, xx, y, xy) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for point in points {
            let weight = 1 / (point.steps * point.steps)
            let inverse = 1 / point.batchSize
            one += weight
            x += weight * inverse
            xx += weight * inverse * inverse
            y += weight * point.steps
            xy += weight * inverse * point.steps
        }
        let determinant = one * xx - x * x
        let steps = (y * xx - xy * x) / determinant
        let examples = (one * xy - x * y) / determinant
        guard steps > 0, examples > 0, steps.isFinite, examples.isFinite else { return nil }
        fewestSteps = steps
        fewestExamples = examples
    }
}
