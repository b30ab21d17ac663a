import NeuralNetwork
import TrainingPlan

extension GradientRows {
    /// The update of a part of the weights, with all that is measured of it: the squared norms of
    /// its gradient sum's rows, and the digest of its new weights.
    ///
    /// - Parameters:
    ///   - part: whole rows of one layer.
    ///   - first: where the optimiser's range begins in the flat vector.
    ///   - sums, weights, newWeights: of the part; see ``Optimizer/update``.
    ///   - squares: where the part's first row has its place, at any alignment.
    func update(
        _ part: Range<Int>, with optimizer: Optimizer, from first: Int, step: Step,
        sums: UnsafeRawPointer, examples: Int, weights: UnsafePointer<Float>,
        newWeights: UnsafeMutableRawPointer, squares: UnsafeMutableRawPointer, _ kernels: KernelSet
    ) -> (isFinite: Bool, digest: UInt64) {
        let place = part.lowerBound - first..<part.upperBound - first
        if let layer = layer(of: part), layer.rowsPerWidth == 1,
            optimizer.measures(width: layer.width)
        {
            return unsafe optimizer.measuredUpdate(
                place, width: layer.width, step: step.index, sums: sums, examples: examples,
                weights: weights, newWeights: newWeights, squares: squares, from: part.lowerBound)
        }
        unsafe measure(part, sums, kernels, into: squares)
        let isFinite = unsafe optimizer.update(
            place, step: step.index, sums: sums, examples: examples, weights: weights,
            newWeights: newWeights)
        let digest = unsafe kernels.digest(
            of: newWeights, count: part.count, from: part.lowerBound)
        return (isFinite, digest)
    }
}
