import Glibc
import NeuralNetwork
import RandomNumbers
import TrainingPlan

/// The part of the environment that chooses the kernels.
func kernelEnvironment() -> [String: String] {
    guard let value = unsafe getenv("LOCKSTEP_KERNELS") else { return [:] }
    return unsafe ["LOCKSTEP_KERNELS": String(cString: value)]
}

/// Runs the kernels on small random data and hashes all that they give.
struct Workload {
    private let kernels: KernelSet
    /// FNV-1a over every float and count so far.
    private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    init(kernels: KernelSet) { self.kernels = kernels }

    /// Between them, every activation, loss and target encoding, and widths on both sides of a
    /// block.
    static let models: [NetworkArchitecture] = [
        .init(layers: [30, 70, 10], hidden: .relu, output: .softmax, loss: .crossEntropy),
        .init(layers: [30, 129, 10], hidden: .tanh, output: .tanh, loss: .mse),
        .init(layers: [30, 17, 33, 10], hidden: .sigmoid, output: .sigmoid, loss: .crossEntropy),
        .init(layers: [30, 9, 10], hidden: .identity, output: .softmax, loss: .mse),
        .init(
            layers: [30, 16, 10], hidden: .tanh, output: .sigmoid, loss: .mse,
            targets: .plusMinusOne),
        .init(layers: [30, 64, 10], hidden: .relu, output: .relu, loss: .mse),
        .init(layers: [30, 10], hidden: .tanh, output: .identity, loss: .mse, decoding: .rescaled),
    ]

    /// exp, log, tanh, sigmoid and their like over floats of every magnitude.
    mutating func visitElementaryFunctions() {
        let inputs = stride(from: 0 as UInt64, to: 1 << 32, by: 1_000_003).map {
            Float(bitPattern: UInt32($0))
        }
        let functions = unsafe [
            kernels.exponentialForward, kernels.logarithmForward, kernels.tanhForward,
            kernels.sigmoidForward, kernels.reluForward,
        ]
        for index in unsafe functions.indices {
            let values = FloatBuffer(inputs)
            unsafe functions[index](values.pointer, values.count)
            add(values)
        }
    }

    mutating func visitFoldAndChecksum() {
        var random = Philox(seed: 5, purpose: .initialWeights)
        let left = FloatBuffer((0..<1001).map { _ in random.uniform() })
        let right = FloatBuffer((0..<1001).map { _ in random.uniform() })
        unsafe kernels.foldPair(left.pointer, right.pointer, left.pointer, left.count)
        add(left)
        add(unsafe kernels.checksum(left.pointer, left.count * 4 - 3))
        add(unsafe kernels.digest(left.pointer, left.count, 7))
    }

    /// A layer at a time, as rows that are measured where they can be.
    private func update(
        _ weights: FloatBuffer, by optimizer: Optimizer, _ layout: ParameterLayout,
        _ sums: UnsafeMutableRawPointer, step: Int, _ examples: Int
    ) {
        for layer in layout.layers {
            let part = layer.kernelOffset..<layer.endOffset
            let target = unsafe weights.pointer + part.lowerBound
            guard optimizer.measures(width: layer.outputs) else {
                _ = unsafe optimizer.update(
                    part, step: step, sums: sums + part.lowerBound * 4, examples: examples,
                    weights: target, newWeights: target)
                continue
            }
            var squares = [Float](repeating: 0, count: layer.inputs + 1)
            let measured = unsafe optimizer.measuredUpdate(
                part, width: layer.outputs, step: step, sums: sums + part.lowerBound * 4,
                examples: examples, weights: target, newWeights: target, squares: &squares,
                from: part.lowerBound)
            let digest = unsafe kernels.digest(
                of: target, count: part.count, from: part.lowerBound)
            precondition(measured.digest == digest, "a digest made on the way is the same")
        }
    }

    /// Two steps of training, each on 75 examples in leaves of 16, then an evaluation.
    mutating func train(_ model: NetworkArchitecture, optimizer kind: OptimizerSettings.Kind) {
        let layout = ParameterLayout(widths: model.layers)
        let examples = Self.makeExamples(count: 150, width: 30)
        let slices = GradientSlices(whole: layout)
        let team = ThreadTeam(count: 1)
        let engine = GradientEngine(
            model, kernels: kernels, examples: examples, leafSize: 16, slices: slices, team: team)
        let optimizer = Optimizer(
            OptimizerSettings(
                kind: kind, learningRate: 0.01, weightDecay: 0.001,
                schedule: LearningRateSchedule(shape: .cosine, warmupSteps: 1)),
            layout: layout, range: 0..<layout.parameterCount, totalSteps: 3, kernels: kernels)
        let weights = layout.initialWeights(seed: 1)
        let gradient = GradientBuffer(slices)
        for step in 0..<2 {
            engine.load(weights)
            let indices = (0..<75).map { UInt32(step * 75 + $0) }
            unsafe indices.withUnsafeBufferPointer { unsafe engine.compute($0, into: gradient) }
            let payload = unsafe gradient.payload(0)
            for index in payload.indices { add(UInt64(unsafe payload[index])) }
            if let sums = unsafe gradient.payload(0).baseAddress {
                unsafe update(weights, by: optimizer, layout, sums, step: step, indices.count)
            }
            add(weights)
        }
        let result = Evaluator(model, kernels: kernels, examples: examples).evaluate(weights)
        add(result.loss.bitPattern)
        add(UInt64(result.correct))
        team.finish()
    }

    private static func makeExamples(count: Int, width: Int) -> SparseExamples {
        var random = Philox(seed: 3, purpose: .syntheticDigits)
        let pixels = (0..<count * width).map { _ -> UInt8 in
            random.integer(below: 4) == 0 ? UInt8(random.integer(below: 256)) : 0
        }
        let labels = (0..<count).map { _ in UInt8(random.integer(below: 10)) }
        return SparseExamples(pixels: pixels[...], labels: labels[...], width: width)
    }

    private mutating func add(_ word: UInt64) { hash = (hash ^ word) &* 0x100_0000_01b3 }

    /// A NaN counts as a NaN: payloads are not part of the arithmetic.
    private mutating func add(_ floats: FloatBuffer) {
        for value in floats.array { add(UInt64(value.isNaN ? 0x7fc0_0000 : value.bitPattern)) }
    }
}
