import LockstepRuntime
package import NeuralNetwork
import Synchronization
package import TrainingPlan

/// Small networks and the examples that they are trained on: real arithmetic, in microseconds a
/// step.
package enum SimulatedModel {
    package static let exampleCount = 52
    package static let shape = ExampleShape(pixels: 7, classes: 3)

    /// Batches of one to several leaves, with and without a shorter last one.
    package static let configurations: [RunConfiguration] = [
        configuration([7, 5, 3], .tanh, .tanh, .mse, batch: 8, leaf: 2),
        configuration([7, 4, 3], .relu, .softmax, .crossEntropy, batch: 9, leaf: 1),
        configuration([7, 3], .tanh, .sigmoid, .crossEntropy, batch: 5, leaf: 5),
        configuration([7, 6, 4, 3], .sigmoid, .identity, .mse, batch: 13, leaf: 3),
    ]

    private static func configuration(
        _ layers: [Int], _ hidden: Activation, _ output: Activation, _ loss: Loss, batch: Int,
        leaf: Int
    ) -> RunConfiguration {
        RunConfiguration(
            architecture: NetworkArchitecture(
                layers: layers, hidden: hidden, output: output, loss: loss), batchSize: batch,
            microBatch: leaf)
    }

    /// The same for every seed; read by all threads.
    package static let examples: SparseExamples = {
        var random = SimulatedRandom(seed: 0x5eed)
        let pixels = (0..<exampleCount * shape.pixels).map { _ in
            random.oneIn(3) ? UInt8(truncatingIfNeeded: random.next()) : 0
        }
        let labels = (0..<exampleCount).map { _ in UInt8(random.int(0...shape.classes - 1)) }
        return SparseExamples(pixels: pixels[...], labels: labels[...], width: shape.pixels)
    }()

    /// What a single process comes to, without a network: what every cluster must come to.
    package struct Reference: Sendable {
        /// Of each step.
        package let metrics: [StepMetrics]
        package let squaredNorms: [[Double]]
        package let digests: [UInt64]
        /// The bits of the weights of each step, the first ones included.
        package let weights: [[UInt32]]
    }

    /// Enough for every scenario.
    private static let longestEpochs = 40

    private static let references = Mutex<[RunConfiguration: Reference]>([:])

    package static func reference(_ configuration: RunConfiguration) -> Reference {
        // Neither evaluations nor, at a constant rate, the end of a run move a weight.
        var key = configuration
        key.evaluateEvery = nil
        key.epochs = longestEpochs
        if let known = references.withLock({ $0[key] }) { return known }
        let made = train(key)
        references.withLock { $0[key] = made }
        return made
    }

    private static func train(_ configuration: RunConfiguration) -> Reference {
        let schedule = RunSchedule(configuration, trainingExampleCount: exampleCount)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let engine = LocalEngine(
            configuration, schedule, examples: examples, kernels: KernelSet(.baseline), team: team)
        var metrics: [StepMetrics] = []
        var squaredNorms: [[Double]] = []
        var digests: [UInt64] = []
        var weights = [bits(engine.weights)]
        for step in 0..<schedule.totalSteps {
            guard engine.advance(Step(step)) == nil else {
                preconditionFailure("the simulated networks do not diverge")
            }
            metrics.append(engine.metrics)
            squaredNorms.append(engine.squaredGradientNorms)
            digests.append(engine.weightsDigest)
            weights.append(bits(engine.weights))
        }
        return Reference(
            metrics: metrics, squaredNorms: squaredNorms, digests: digests, weights: weights)
    }

    static func bits(_ weights: FloatBuffer) -> [UInt32] { weights.array.map(\.bitPattern) }
}
