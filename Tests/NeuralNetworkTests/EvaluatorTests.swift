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
