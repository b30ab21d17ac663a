package import RunRecords
package import Statistics

extension GradientNoise {
    /// Over the steps of a log that hold both norms.
    ///
    /// - Parameter steps: which of them.
    package init(
        _ records: [MetricsRecord], microBatch: Int, batchSize: Int,
        steps: (StepRecord) -> Bool = { _ in true }
    ) {
        self.init()
        guard batchSize > microBatch else { return }
        for case .step(let step) in records where !step.batchGradientNorms.isEmpty && steps(step) {
            func squared(_ norms: [Float]) -> Double {
                norms.reduce(0) { $0 + Double($1) * Double($1) }
            }
            add(
                small: squared(step.gradientNorms), smallBatch: Double(microBatch),
                large: squared(step.batchGradientNorms), largeBatch: Double(batchSize))
        }
    }
}
