import Datasets
import NeuralNetwork
import TrainingPlan

/// Steps of training in this process with a leaf of any size, as `lockstep train --workers 0` does
/// them: every block of the gradient is applied while it is in the cache.
final class StepEngine {
    private let engine: GradientEngine
    private let optimizer: Optimizer
    private let gradient: GradientBuffer
    private let weights: FloatBuffer
    private let indices: [UInt32]
    private let batchSize: Int
    private var step = 0

    init(
        _ configuration: RunConfiguration, _ leafSize: Int, _ kernels: KernelSet,
        _ examples: SparseExamples, _ team: ThreadTeam
    ) {
        let layout = configuration.layout
        let slices = GradientSlices(whole: layout)
        engine = GradientEngine(
            configuration.architecture, kernels: kernels, examples: examples, leafSize: leafSize,
            slices: slices, team: team)
        optimizer = Optimizer(
            configuration.optimizer, layout: layout, range: 0..<layout.parameterCount,
            totalSteps: Int.max, kernels: kernels)
        gradient = GradientBuffer(slices)
        weights = layout.initialWeights(seed: configuration.seed)
        var order = [UInt32](repeating: 0, count: examples.count)
        SampleOrder(seed: configuration.seed, count: examples.count).fill(&order, epoch: 0)
        indices = order
        batchSize = configuration.batchSize
    }

    func advance() {
        let batches = indices.count / batchSize
        let first = step % batches * batchSize
        engine.load(weights)
        unsafe indices.withUnsafeBufferPointer { indices in
            let batch = unsafe UnsafeBufferPointer(
                rebasing: indices[first..<first + batchSize])
            unsafe engine.compute(batch, into: gradient) { part, sums in
                let target = unsafe weights.pointer + part.lowerBound
                _ = unsafe optimizer.update(
                    part, step: step, sums: sums, examples: batchSize, weights: target,
                    newWeights: target)
            }
        }
        step += 1
    }
}
