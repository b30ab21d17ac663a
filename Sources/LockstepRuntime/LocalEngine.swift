import Datasets
package import NeuralNetwork
package import RunRecords
import Synchronization
package import TrainingPlan

/// Steps of one run in this process: the gradient of the whole batch, applied row block by row
/// block.
///
/// Weights and state change in place, while a block's gradient is in the cache. When a step turns
/// out to be non-finite, the weights before it are computed again from the start of its epoch, or
/// from where the run continued: the same bits.
package final class LocalEngine {
    private let configuration: RunConfiguration
    private let schedule: RunSchedule
    private let engine: GradientEngine
    private let optimizer: Optimizer
    private let slices: GradientSlices
    private let gradient: GradientBuffer
    private let sampleOrder: SampleOrder
    private var indices: [UInt32]
    private let hasDiverged = Atomic<Bool>(false)
    private let kernels: KernelSet
    private let rows: GradientRows
    /// Of the sum of the step that was measured last, by row.
    private let squaredNorms: FloatBuffer
    /// Of the weights after the step that was measured last, as far as it is done.
    private let digest = Atomic<UInt64>(0)
    /// Weights of the newest step.
    package let weights: FloatBuffer
    /// The step that is computed again from: the first of the epoch, or of this engine.
    private var savedStep: Step?
    private let savedWeights: FloatBuffer
    private let savedOptimizer: Optimizer

    /// - Parameter checkpoint: the state to continue from, of this configuration; nil for that of
    ///   step 0.
    package init(
        _ configuration: RunConfiguration, _ schedule: RunSchedule, examples: SparseExamples,
        kernels: KernelSet, team: ThreadTeam, from checkpoint: Checkpoint? = nil
    ) {
        self.configuration = configuration
        self.schedule = schedule
        self.kernels = kernels
        let layout = configuration.layout
        rows = GradientRows(layout)
        squaredNorms = FloatBuffer(count: rows.count)
        let whole = 0..<layout.parameterCount
        slices = GradientSlices(whole: layout)
        engine = GradientEngine(
            configuration.architecture, kernels: kernels, examples: examples,
            leafSize: schedule.microBatch, slices: slices, team: team)
        func makeOptimizer() -> Optimizer {
            Optimizer(
                configuration.optimizer, layout: layout, range: whole,
                totalSteps: schedule.totalSteps, kernels: kernels)
        }
        optimizer = makeOptimizer()
        savedOptimizer = makeOptimizer()
        gradient = GradientBuffer(slices)
        sampleOrder = SampleOrder(configuration, examples)
        indices = [UInt32](repeating: 0, count: schedule.exampleCount)
        weights = layout.initialWeights(seed: configuration.seed)
        savedWeights = FloatBuffer(count: whole.count)
        if let checkpoint {
            weights.copy(from: checkpoint.weights)
            optimizer.restoreState(checkpoint.state)
        }
    }

    /// The optimiser's vectors beside the weights, of the newest step.
    package var optimizerState: [FloatBuffer] { optimizer.state }

    /// Of the step that was done last.
    package var metrics: StepMetrics { unsafe slices.metrics.metrics(gradient.metricsWords) }

    /// The squared norm of the gradient's sum, by layer, of the step that was measured last.
    package var squaredGradientNorms: [Double] { rows.layerSums(squaredNorms) }

    /// Of the weights after the step that was measured last.
    package var weightsDigest: UInt64 { digest.load(ordering: .relaxed) }

    /// Does a step; steps are done in order, from 0 or from the checkpoint's.
    ///
    /// - Parameter isMeasured: whether the gradient's norms and the digest of the weights are
    ///   wanted.
    /// - Returns: nil, or what was not finite; the weights are then those of `step`.
    package func advance(_ step: Step, isMeasured: Bool = true) -> String? {
        if savedStep == nil || schedule.examples(of: step).lowerBound == 0 {
            sampleOrder.fill(&indices, epoch: schedule.epoch(of: step))
            savedStep = step
            savedWeights.copy(from: weights)
            savedOptimizer.copyState(from: optimizer)
        }
        apply(step, isMeasured: isMeasured)
        return hasDiverged.load(ordering: .relaxed) ? restore(step) : nil
    }

    private func apply(_ step: Step, isMeasured: Bool) {
        let batch = schedule.examples(of: step)
        engine.load(weights, areFinite: true)
        digest.store(0, ordering: .relaxed)
        unsafe indices.withUnsafeBufferPointer { indices in
            unsafe engine.compute(
                UnsafeBufferPointer(rebasing: indices[batch]), into: gradient,
                next: UnsafeBufferPointer(
                    rebasing: indices[batch.upperBound...].prefix(batch.count))
            ) {
                part, sums in
                let target = unsafe weights.pointer + part.lowerBound
                let isFinite =
                    if isMeasured {
                        unsafe updateAndMeasure(part, step, sums, batch.count, target)
                    } else {
                        unsafe optimizer.update(
                            part, step: step.index, sums: sums, examples: batch.count,
                            weights: target, newWeights: target)
                    }
                if !isFinite { hasDiverged.store(true, ordering: .relaxed) }
            }
        }
    }

    private func updateAndMeasure(
        _ part: Range<Int>, _ step: Step, _ sums: UnsafePointer<Float>, _ exampleCount: Int,
        _ weights: UnsafeMutablePointer<Float>
    ) -> Bool {
        let firstRow = rows.rows(of: part).lowerBound
        let update = unsafe rows.update(
            part, with: optimizer, from: 0, step: step, sums: sums, examples: exampleCount,
            weights: weights, newWeights: weights, squares: squaredNorms.pointer + firstRow,
            kernels)
        digest.wrappingAdd(update.digest, ordering: .relaxed)
        return update.isFinite
    }

    /// The weights of `step` again, and what was not finite after it.
    private func restore(_ step: Step) -> String {
        let whole = 0..<weights.count
        guard let sums = unsafe gradient.payload(0).baseAddress else { return "" }
        let found = unsafe optimizer.divergence(whole, sums: sums, newWeights: weights.pointer)
        hasDiverged.store(false, ordering: .relaxed)
        weights.copy(from: savedWeights)
        optimizer.copyState(from: savedOptimizer)
        var earlier = savedStep ?? step
        while earlier < step {
            apply(earlier, isMeasured: false)
            earlier = earlier.next
        }
        let tensor = configuration.layout.tensorName(at: found?.offset ?? 0)
        let quantity = (found?.what ?? .weight).rawValue
        return "a \(quantity) of \(tensor) is not finite"
    }
}
