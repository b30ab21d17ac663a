import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The optimisers' kernels against one parameter at a time, with the same fused multiply-adds.
struct OptimizerKernelTests {
    /// One parameter before or after a step.
    private struct Parameter {
        var weight: Float
        var first: Float
        var second: Float
        var isFinite = true
    }

    private struct Setting {
        var examples: Float
        var rate: Float
        var decay: Float
    }

    private static let settings = [
        Setting(examples: 32, rate: 0.001, decay: 0),
        Setting(examples: 100, rate: 0.01, decay: 1e-4),
        Setting(examples: 1, rate: 1, decay: 0.1),
    ]

    private static func flushed(_ moment: Float) -> Float {
        moment.magnitude < 0x1p-100 ? 0 : moment
    }

    private static func step(
        _ kind: OptimizerSettings.Kind, _ before: Parameter, sum: Float, _ setting: Setting
    ) -> Parameter {
        let g = sum / setting.examples
        var after = before
        let decayed = before.weight.addingProduct(-setting.decay, before.weight)
        switch kind {
        case .sgd:
            after.weight = decayed.addingProduct(-setting.rate, g)
        case .momentum, .nesterov:
            let descent = -setting.rate * g
            after.first = flushed(descent.addingProduct(0.9, before.first))
            after.weight =
                decayed
                + (kind == .nesterov ? descent.addingProduct(0.9, after.first) : after.first)
        case .adam:
            after.first = flushed(before.first.addingProduct(g - before.first, 0.1))
            let excess = (-before.second).addingProduct(g, g)
            after.second = flushed(before.second.addingProduct(excess, 0.001))
            after.weight =
                decayed - after.first * setting.rate / (after.second.squareRoot() + 1e-7)
        }
        after.isFinite =
            g.isFinite && after.weight.isFinite && after.first.isFinite && after.second.isFinite
        return after
    }

    private func check(
        _ kind: OptimizerSettings.Kind, _ kernels: KernelSet, sums: [Float], before: [Parameter],
        _ setting: Setting
    ) {
        let count = sums.count
        let gradient = UnalignedFloats(sums, offset: count % 4)
        let weights = FloatBuffer(before.map(\.weight))
        let first = FloatBuffer(before.map(\.first))
        let second = FloatBuffer(before.map(\.second))
        let new = UnalignedFloats([Float](repeating: 7, count: count + 1), offset: 3)
        let isFinite =
            switch kind {
            case .sgd:
                unsafe kernels.gradientDescent(
                    count, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    weights.pointer, new.pointer)
            case .momentum, .nesterov:
                unsafe kernels.momentum(
                    count, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    kind == .nesterov, weights.pointer, new.pointer, first.pointer)
            case .adam:
                unsafe kernels.adam(
                    count, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    weights.pointer, new.pointer, first.pointer, second.pointer)
            }
        let after = zip(sums, before).map { Self.step(kind, $1, sum: $0, setting) }
        #expect(firstDifference(new.array, after.map(\.weight) + [7]) == nil, "\(count) weights")
        #expect(firstDifference(first.array, after.map(\.first)) == nil, "\(count) first moments")
        #expect(
            firstDifference(second.array, after.map(\.second)) == nil, "\(count) second moments")
        #expect(isFinite == after.allSatisfy(\.isFinite), "\(count) weights")
    }

    @Test(arguments: OptimizerSettings.Kind.allCases, supportedVariants)
    func equalsItsTwin(kind: OptimizerSettings.Kind, variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        for count in 1...200 {
            let sums = random.floats(count, limit: count % 2 == 0 ? 30 : 1e-30)
            let (w, m) = (random.floats(count), random.floats(count, limit: 1e-30))
            let before = w.indices.map {
                Parameter(weight: w[$0], first: m[$0], second: m[$0].magnitude)
            }
            check(kind, kernels, sums: sums, before: before, Self.settings[count % 3])
        }
    }

    /// One float that is not finite, in each place that a vector and its rest have, is reported.
    @Test(arguments: OptimizerSettings.Kind.allCases, supportedVariants)
    func reportsWhatIsNotFinite(kind: OptimizerSettings.Kind, variant: KernelVariant) {
        let kernels = KernelSet(variant)
        for bad in [Float.nan, .infinity, -.infinity, 3e38] {
            for place in 0..<37 {
                var sums = [Float](repeating: 0.5, count: 37)
                sums[place] = bad
                let before = sums.map { _ in Parameter(weight: 0.25, first: 0, second: 0) }
                check(kind, kernels, sums: sums, before: before, Self.settings[2])
                var weights = before
                weights[place].weight = bad
                check(
                    kind, kernels, sums: [Float](repeating: 0.5, count: 37), before: weights,
                    Self.settings[0])
            }
        }
    }

    /// Rows measured on the way: the bits of `adam`, of `squaredNorms` and of `digest`, in place
    /// and not, and what is not finite in any place.
    @Test(arguments: supportedVariants)
    func measuredAdamIsAdamAndItsMeasures(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        for (index, shape) in [(0, 16), (1, 16), (2, 48), (3, 128), (7, 32)].enumerated() {
            let (rows, width) = shape
            let count = rows * width
            var sums = random.floats(count, limit: index % 2 == 0 ? 30 : 1e-30)
            let (weights, moments) = (random.floats(count), random.floats(count, limit: 1e-3))
            let setting = Self.settings[index % 3]
            for place in 0...count {
                if place < count { sums[place] = .infinity }
                let gradient = UnalignedFloats(sums, offset: index)
                let old = FloatBuffer(weights)
                let (first, second) = (FloatBuffer(moments), FloatBuffer(moments.map(\.magnitude)))
                let expectedIsFinite = unsafe kernels.adam(
                    count, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    old.pointer, old.pointer, first.pointer, second.pointer)
                let norms = FloatBuffer(count: rows)
                unsafe kernels.squaredNorms(gradient.pointer, rows, width, norms.pointer)

                let (measured, squares) = (
                    UnalignedFloats(weights, offset: 3),
                    UnalignedFloats([Float](repeating: 7, count: rows + 1), offset: 1)
                )
                let source = FloatBuffer(weights)
                let (m, v) = (FloatBuffer(moments), FloatBuffer(moments.map(\.magnitude)))
                let (isFinite, digest) = unsafe kernels.measuredAdam(
                    rows, width, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    source.pointer, measured.pointer, m.pointer, v.pointer, squares.pointer, 1_000)
                #expect(isFinite == expectedIsFinite && isFinite == (place == count))
                #expect(firstDifference(measured.array, old.array) == nil)
                #expect(firstDifference(m.array, first.array) == nil)
                #expect(firstDifference(v.array, second.array) == nil)
                #expect(firstDifference(squares.array, norms.array + [7]) == nil)
                #expect(
                    unsafe digest == kernels.digest(of: old.pointer, count: count, from: 1_000))

                let again = unsafe kernels.measuredAdam(
                    rows, width, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    source.pointer, source.pointer, restored(m, moments).pointer,
                    restored(v, moments.map(\.magnitude)).pointer, squares.pointer, 1_000)
                #expect(again.digest == digest && again.isFinite == isFinite)
                #expect(firstDifference(source.array, old.array) == nil)
                withExtendedLifetime((gradient, m, v, squares)) {}
                if place < count { sums[place] = 0.5 }
            }
            // A weight that is not finite shows nowhere else.
            let gradient = UnalignedFloats(sums, offset: 0)
            let squares = FloatBuffer(count: rows)
            for place in 0..<count {
                let bad = FloatBuffer(weights)
                unsafe bad.pointer[place] = .nan
                let (m, v) = (FloatBuffer(moments), FloatBuffer(moments.map(\.magnitude)))
                let (isFinite, _) = unsafe kernels.measuredAdam(
                    rows, width, gradient.pointer, setting.examples, setting.rate, setting.decay,
                    bad.pointer, bad.pointer, m.pointer, v.pointer, squares.pointer, 0)
                withExtendedLifetime((bad, m, v)) {}
                #expect(!isFinite, "a weight at \(place) of \(count)")
            }
            withExtendedLifetime((gradient, squares)) {}
        }
    }

    private func restored(_ buffer: FloatBuffer, _ values: [Float]) -> FloatBuffer {
        buffer.copy(from: values)
        return buffer
    }
}
