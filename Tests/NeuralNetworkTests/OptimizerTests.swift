import Foundation
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The optimiser over several steps. Its kernels have their twins in KernelsTests; here are Keras'
/// formulas, the rates, weight decay, shards and divergence.
struct OptimizerTests {
    private static let layout = ParameterLayout(widths: [7, 6, 3])
    private static let steps = 12

    private static func makeOptimizer(
        _ settings: OptimizerSettings, range: Range<Int>? = nil
    ) -> Optimizer {
        let fastest = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
        return Optimizer(
            settings, layout: layout, range: range ?? 0..<layout.parameterCount,
            totalSteps: steps, kernels: KernelSet(fastest))
    }

    private static func gradients(_ step: Int) -> [Float] {
        var random = SeededRandom(seed: step + 100)
        return random.floats(layout.parameterCount, limit: 20)
    }

    private static var initial: [Float] {
        var random = SeededRandom(seed: 1)
        return random.floats(layout.parameterCount)
    }

    /// All steps of one shard, in place: its weights after the last.
    private static func train(
        _ settings: OptimizerSettings, range: Range<Int>, examples: Int
    ) -> [Float] {
        let optimizer = makeOptimizer(settings, range: range)
        let weights = FloatBuffer(initial[range])
        for step in 0..<steps {
            let sums = UnalignedFloats(Array(gradients(step)[range]), offset: 1)
            let isFinite = unsafe optimizer.update(
                0..<range.count, step: step, sums: sums.pointer, examples: examples,
                weights: weights.pointer, newWeights: weights.pointer)
            #expect(isFinite)
        }
        return weights.array
    }

    /// keras/src/optimizers (3.x): sgd.py, adam.py, adamw.py, in Double.
    private static func keras(_ settings: OptimizerSettings, examples: Int) -> [Double] {
        var w = initial.map(Double.init)
        var (m, v) = (
            [Double](repeating: 0, count: w.count), [Double](repeating: 0, count: w.count)
        )
        let kernels = layout.layers.map { $0.kernelOffset..<$0.biasOffset }
        for step in 0..<steps {
            let rate = settings.schedule.rate(
                base: settings.learningRate, step: step, totalSteps: steps)
            let t = Double(step + 1)
            let adamRate = rate * (1 - pow(0.999, t)).squareRoot() / (1 - pow(0.9, t))
            for (i, sum) in gradients(step).enumerated() {
                let g = Double(sum) / Double(examples)
                if kernels.contains(where: { $0.contains(i) }) {
                    w[i] -= w[i] * settings.weightDecay * rate
                }
                switch settings.kind {
                case .sgd: w[i] -= rate * g
                case .momentum:
                    m[i] = 0.9 * m[i] - rate * g
                    w[i] += m[i]
                case .nesterov:
                    m[i] = 0.9 * m[i] - rate * g
                    w[i] += 0.9 * m[i] - rate * g
                case .adam:
                    m[i] += (g - m[i]) * (1 - 0.9)
                    v[i] += (g * g - v[i]) * (1 - 0.999)
                    w[i] -= m[i] * adamRate / (v[i].squareRoot() + 1e-7)
                }
            }
        }
        return w
    }

    private static let variations: [(Double, LearningRateSchedule)] = [
        (0, LearningRateSchedule()), (0.05, LearningRateSchedule()),
        (0.05, LearningRateSchedule(shape: .cosine, warmupSteps: 3)),
        (0, LearningRateSchedule(shape: .step)),
    ]

    @Test(arguments: OptimizerSettings.Kind.allCases, variations)
    func followsKeras(
        kind: OptimizerSettings.Kind, variation: (decay: Double, schedule: LearningRateSchedule)
    ) {
        let settings = OptimizerSettings(
            kind: kind, learningRate: 0.1, weightDecay: variation.decay,
            schedule: variation.schedule)
        for examples in [32, 100] {
            let actual = Self.train(
                settings, range: 0..<Self.layout.parameterCount, examples: examples)
            let expected = Self.keras(settings, examples: examples)
            // What the optimiser did, not what was there before: the error of the weights' change.
            let changes = zip(actual, Self.initial).map { Double($0) - Double($1) }
            let expectedChanges = zip(expected, Self.initial).map { $0 - Double($1) }
            #expect(relativeError(changes, expectedChanges) < 1e-5, "\(examples) examples")
        }
    }

    @Test(arguments: OptimizerSettings.Kind.allCases)
    func decayLeavesBiasesAlone(kind: OptimizerSettings.Kind) {
        let range = 0..<Self.layout.parameterCount
        let settings = OptimizerSettings(kind: kind, learningRate: 0.01, weightDecay: 0.1)
        let decayed = Self.train(settings, range: range, examples: 10)
        var plainSettings = settings
        plainSettings.weightDecay = 0
        let plain = Self.train(plainSettings, range: range, examples: 10)
        for layer in Self.layout.layers {
            let bias = layer.biasOffset..<layer.endOffset
            #expect(firstDifference(Array(decayed[bias]), Array(plain[bias])) == nil)
            for index in layer.kernelOffset..<layer.biasOffset {
                #expect(decayed[index] != plain[index])
            }
        }
    }

    @Test(arguments: OptimizerSettings.Kind.allCases, [0, 0.1])
    func shardsDoNotShow(kind: OptimizerSettings.Kind, decay: Double) {
        let settings = OptimizerSettings(kind: kind, learningRate: 0.01, weightDecay: decay)
        let whole = Self.train(settings, range: 0..<Self.layout.parameterCount, examples: 10)
        for cuts in [[18], [6, 42, 48], [1, 2, 3, 50]] {
            let ends = [0] + cuts + [Self.layout.parameterCount]
            let shards = zip(ends, ends.dropFirst()).flatMap {
                Self.train(settings, range: $0..<$1, examples: 10)
            }
            #expect(firstDifference(shards, whole) == nil, "cut at \(cuts)")
        }
    }

    /// - Parameters:
    ///   - sum: the gradient sum of one parameter, of many examples.
    ///   - weight: that parameter before the step.
    @Test(arguments: [
        (OptimizerSettings.Kind.sgd, Float.nan, 1 as Float, Divergence.gradient),
        (.momentum, .infinity, 1, .gradient), (.adam, -.infinity, 1, .gradient),
        (.nesterov, .nan, 1, .gradient), (.adam, 3e38, 1, .state), (.momentum, 3e38, 1, .state),
        (.sgd, 3e38, 1, .weight), (.sgd, 0, .infinity, .weight),
        (.adam, 0, .nan, .weight), (.momentum, 0, -.infinity, .weight),
    ])
    func divergenceIsReported(
        kind: OptimizerSettings.Kind, sum: Float, weight: Float, expected: Divergence
    ) {
        for decay in [0, 0.01] {
            for place in [0, 15, 16, Self.layout.parameterCount - 1] {
                let optimizer = Self.makeOptimizer(
                    OptimizerSettings(kind: kind, learningRate: 100, weightDecay: decay))
                var (sums, weights) = (Self.initial, Self.initial)
                (sums[place], weights[place]) = (sum, weight)
                let (gradient, old) = (FloatBuffer(sums), FloatBuffer(weights))
                let new = FloatBuffer(count: old.count)
                let isFinite = unsafe optimizer.update(
                    0..<old.count, step: 0, sums: gradient.pointer, examples: 1,
                    weights: old.pointer, newWeights: new.pointer)
                #expect(!isFinite, "at \(place)")
                let found = unsafe optimizer.divergence(
                    0..<old.count, sums: gradient.pointer, newWeights: new.pointer)
                #expect(found?.what == expected, "at \(place)")
                #expect(firstDifference(old.array, weights) == nil, "the old weights stay")
            }
        }
    }
}
