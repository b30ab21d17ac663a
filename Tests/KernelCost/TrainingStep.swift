import NeuralNetwork
import RandomNumbers
import TrainingPlan

/// A step of the default network, as a worker computes it: 784-128-10, 64 examples in leaves of 16.
struct TrainingStep {
    static let exampleCount = 64
    private static let leafSize = 16

    /// What the pixels are, and what comes behind the input layer.
    struct Input {
        /// Of a hundred pixels, how many are not zero.
        let usedShare: Int
        let hidden: Activation
        let output: Activation
        let loss: Loss
    }

    /// By name. Each takes another way through the input layer: lists of the pixels that are not
    /// zero, all pixels in the sparse form, and all in the dense form. Between them they have every
    /// activation.
    static let inputs: [String: Input] = [
        "sparse": Input(usedShare: 19, hidden: .relu, output: .softmax, loss: .crossEntropy),
        "grey": Input(usedShare: 42, hidden: .sigmoid, output: .sigmoid, loss: .crossEntropy),
        "dense": Input(usedShare: 90, hidden: .tanh, output: .tanh, loss: .mse),
    ]

    private let kernels: KernelSet
    private let input: Input

    init(_ kernels: KernelSet, _ input: Input) {
        self.kernels = kernels
        self.input = input
    }

    func run() {
        let architecture = NetworkArchitecture(
            layers: [784, 128, 10], hidden: input.hidden, output: input.output, loss: input.loss)
        let layout = ParameterLayout(widths: architecture.layers)
        let slices = ShardPlan(whole: layout, headerByteCount: 64).pushedSlices
        let team = ThreadTeam(count: 1)
        let engine = GradientEngine(
            architecture, kernels: kernels, examples: examples(), leafSize: Self.leafSize,
            slices: slices, team: team, batchSize: Self.exampleCount)
        let weights = layout.initialWeights(seed: 1)
        engine.load(weights)
        let gradient = GradientBuffer(slices)
        let indices = (0..<Self.exampleCount).map { UInt32($0) }
        unsafe indices.withUnsafeBufferPointer { unsafe engine.compute($0, into: gradient) }
        withExtendedLifetime(weights) {}
        team.finish()
    }

    private func examples() -> SparseExamples {
        var random = Philox(seed: 3, purpose: .syntheticDigits)
        let pixels = (0..<Self.exampleCount * 784).map { _ -> UInt8 in
            random.integer(below: 100) < input.usedShare ? UInt8(1 + random.integer(below: 255)) : 0
        }
        let labels = (0..<Self.exampleCount).map { UInt8($0 % 10) }
        return SparseExamples(pixels: pixels[...], labels: labels[...], width: 784)
    }
}
