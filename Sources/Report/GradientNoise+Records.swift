package import RunRecords
package import Statistics

extension GradientNoise {
    /// Over the steps of a log that hold both norms.
    ///
    /// - Parameters:
    ///   - examples: that a step trained on.
    ///   - steps: which of them.
    package init(
        _ records: [MetricsRecord], microBatch: Int, examples: (StepRecord) -> Int,
        steps: (StepRecord) -> Bool = { _ in true }
    ) {
        self.init()
        for case .step(let step) in records where !step.batchGradientNorms.isEmpty && steps(step) {
            func squared(_ norms: [Float]) -> Double {
                norms.reduce(0) { $0 + Double($1) * Double($1) }
            }
            add(
                small: squared(step.gradientNorms), large: squared(step.batchGradientNorms),
                examples: examples(step), microBatch: microBatch)
        }
    }
}
