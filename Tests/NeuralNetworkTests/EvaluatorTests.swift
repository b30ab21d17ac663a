import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

struct EvaluatorTests {
    private func makeEvaluator(
        _ problem: Problem, decoding: OutputDecoding = .plain, range: Range<Int>? = nil
    ) -> Evaluator {
        var architecture = problem.architecture
        architecture.decoding = decoding
        let fastest = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
        return Evaluator(
            architecture, kernels: KernelSet(fastest), examples: problem.examples,
            places: range?.map { UInt32($0) })
    }

    private static let architectures: [NetworkArchitecture] = [
        .init(layers: [20, 30, 10], hidden: .relu, output: .softmax, loss: .crossEntropy),
        .init(layers: [20, 30, 10], hidden: .tanh, output: .tanh, loss: .mse),
        .init(layers: [20, 10], hidden: .tanh, output: .sigmoid, loss: .crossEntropy),
    ]

    /// Fewer examples than one pass, more, and a part of the set.
    @Test(
        arguments: architectures, [(50, 0..<50), (128, 0..<128), (300, 0..<300), (300, 17..<290)])
    func equalsNaive(
        architecture: NetworkArchitecture, set: (examples: Int, range: Range<Int>)
    ) {
        let problem = Problem(architecture, examples: set.examples, seed: 1)
        var observed: [Float] = []
        let found = makeEvaluator(problem, range: set.range)
            .evaluate(FloatBuffer(problem.weights)) { observed += $0 }
        let reference = problem.reference
        var confusion = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 10)
        var loss = 0.0
        var expected: [Double] = []
        for example in set.range {
            let (pixels, label) = (problem.pixels[example], problem.labels[example])
            let outputs = reference.forward(pixels).outputs
            let decision = outputs.indices.reduce(0) { outputs[$1] > outputs[$0] ? $1 : $0 }
            confusion[Int(label)][decision] += 1
            loss += reference.loss(pixels, label)
            expected += outputs
        }
        loss /= Double(set.range.count)
        #expect(observed.count == expected.count)
        #expect(zip(observed, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        #expect(found.examples == set.range.count)
        #expect(found.confusion == confusion)
        #expect(found.confusion.joined().reduce(0, +) == found.examples)
        #expect(found.correct == (0..<10).reduce(0) { $0 + confusion[$1][$1] })
        #expect(found.accuracy == Double(found.correct) / Double(found.examples))
        #expect(abs(found.loss - loss) < 1e-5 * loss)
        #expect(found.decisionsChangedByRescaling == 0)
    }

    /// Of the reference's outputs, by the definitions: ∂y/∂z and ∂loss/∂z from the Jacobian.
    @Test(arguments: [Activation.tanh, .sigmoid, .softmax, .identity], TargetEncoding.allCases)
    func hindranceEqualsNaive(output: Activation, targets: TargetEncoding) throws {
        if targets == .plusMinusOne, output == .sigmoid || output == .softmax { return }
        let problem = Problem(
            NetworkArchitecture(
                layers: [20, 30, 10], hidden: .tanh, output: output, loss: .mse, targets: targets),
            examples: 200, seed: 4, weightLimit: 0.6)
        let (reference, range) = (problem.reference, 11..<190)
        /// ∂y_j/∂z_i
        func jacobian(_ y: [Double], _ i: Int, _ j: Int) -> Double {
            switch output {
            case .softmax: return y[j] * ((i == j ? 1 : 0) - y[i])
            case .sigmoid: return i == j ? y[i] * (1 - y[i]) : 0
            case .tanh: return i == j ? 1 - y[i] * y[i] : 0
            case .identity, .relu: return i == j ? 1 : 0
            }
        }
        var (slopes, squaredErrors, squaredDeltas) = (0.0, 0.0, 0.0)
        for example in range {
            let y = reference.forward(problem.pixels[example]).outputs
            let errors = zip(y, reference.targets(problem.labels[example])).map { 0.2 * ($0 - $1) }
            for i in y.indices {
                slopes += jacobian(y, i, i)
                squaredErrors += errors[i] * errors[i]
                let delta = y.indices.reduce(0.0) { $0 + jacobian(y, i, $1) * errors[$1] }
                squaredDeltas += delta * delta
            }
        }
        let evaluation = makeEvaluator(problem, range: range).evaluate(FloatBuffer(problem.weights))
        let found = try #require(evaluation.hindrance)
        #expect(abs(found.errorPassed - slopes / Double(range.count * 10)) < 1e-6)
        let passed = try #require(found.gradientPassed)
        #expect(abs(passed - (squaredDeltas / squaredErrors).squareRoot()) < 1e-5)
        if output == .identity {
            #expect(found.errorPassed == 1 && passed == 1)
        } else {
            #expect(found.errorPassed < 0.95 && passed < 0.97)
        }
    }

    /// There δ is y − t, whatever the activation.
    @Test(arguments: [Activation.softmax, .sigmoid])
    func crossEntropyIsNotHindered(output: Activation) {
        let problem = Problem(
            NetworkArchitecture(
                layers: [20, 10], hidden: .tanh, output: output, loss: .crossEntropy),
            examples: 20, seed: 1)
        #expect(makeEvaluator(problem).evaluate(FloatBuffer(problem.weights)).hindrance == nil)
    }

    @Test func nothingToEvaluate() {
        let problem = Problem(Self.architectures[0], examples: 3, seed: 1)
        let found = makeEvaluator(problem, range: 2..<2).evaluate(FloatBuffer(problem.weights))
        #expect(found.examples == 0 && found.loss == 0 && found.accuracy == 0)
    }

    /// Outputs of 1e-9 and 2e-9 differ, but (y + 1) / 2 rounds both to a half: the first wins then.
    @Test(arguments: OutputDecoding.allCases)
    func aTieMadeByRescalingIsCounted(decoding: OutputDecoding) {
        let architecture = NetworkArchitecture(
            layers: [4, 2], hidden: .tanh, output: .identity, loss: .mse)
        let problem = Problem(architecture, examples: 9, seed: 1, weightLimit: 0)
        var weights = problem.weights
        weights.replaceSubrange(8..<10, with: [1e-9, 2e-9])
        let found = makeEvaluator(problem, decoding: decoding).evaluate(FloatBuffer(weights))
        let decided = decoding == .plain ? 1 : 0
        #expect(found.decisionsChangedByRescaling == 9)
        #expect(found.confusion.allSatisfy { $0[1 - decided] == 0 })
        #expect(found.correct == problem.labels.count { Int($0) == decided })
        // Two classes: the other decision is right where this one is wrong.
        #expect(found.correctByOtherDecoding == 9 - found.correct)
    }
}
