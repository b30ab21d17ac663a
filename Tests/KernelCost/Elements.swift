import NeuralNetwork
import RandomNumbers

/// The kernels that visit one float after the other, and those that the steps of ``TrainingStep``
/// do without.
struct Elements {
    /// The weights of the default network's first layer.
    static let count = rows * columns
    private static let rows = 784
    private static let columns = 128
    static let exampleCount = 64
    private static let outputs = (count: 10, stride: 16)

    private let kernels: KernelSet
    private let x = Self.uniform(1)
    private let y = Self.uniform(2)
    private let first = FloatBuffer(count: Self.count)
    private let second = FloatBuffer(count: Self.count)

    init(_ kernels: KernelSet) { self.kernels = kernels }

    /// Fresh floats, from −2 to 2.
    private static func uniform(_ seed: UInt64) -> FloatBuffer {
        var random = Philox(seed: seed, purpose: .initialWeights)
        return FloatBuffer((0..<count).map { _ in 4 * random.uniform() - 2 })
    }

    func run() {
        elementary()
        sums()
        optimizers()
        withExtendedLifetime(self) {}
    }

    /// The output layer that no step of ``TrainingStep`` has.
    func runOutputs() {
        output()
        withExtendedLifetime(self) {}
    }

    private func elementary() {
        let values = FloatBuffer(count: Self.count)
        let forward = unsafe [
            kernels.exponentialForward, kernels.logarithmForward, kernels.tanhForward,
            kernels.sigmoidForward, kernels.reluForward,
        ]
        for index in unsafe forward.indices {
            values.copy(from: x)
            unsafe forward[index](values.pointer, Self.count)
        }
        let backward = unsafe [kernels.tanhBackward, kernels.sigmoidBackward, kernels.reluBackward]
        for index in unsafe backward.indices {
            values.copy(from: y)
            unsafe backward[index](values.pointer, x.pointer, Self.count)
        }
        withExtendedLifetime(values) {}
        let (rows, columns) = (Self.rows, Self.columns)
        _ = unsafe kernels.countOutside(x.pointer, rows, columns, columns, -1, 1)
    }

    private func sums() {
        let (x, y, target) = unsafe (x.pointer, y.pointer, first.pointer)
        unsafe kernels.foldPair(x, y, target, Self.count)
        unsafe kernels.copyFloats(x, target, Self.count)
        unsafe kernels.squaredNorms(x, Self.rows, Self.columns, target)
        unsafe kernels.transpose(x, Self.rows, Self.columns, target, Self.rows)
        _ = unsafe kernels.areFinite(x, Self.count)
        _ = unsafe kernels.checksum(x, Self.count * 4)
        _ = unsafe kernels.digest(x, Self.count, 0)
    }

    private func optimizers() {
        let (sums, weights) = unsafe (x.pointer, y.pointer)
        first.copy(from: [Float](repeating: 0, count: Self.count))
        second.copy(from: [Float](repeating: 0, count: Self.count))
        let (count, examples) = (Self.count, Float(Self.exampleCount))
        _ = unsafe kernels.gradientDescent(count, sums, examples, 0.1, 0, weights, weights)
        _ = unsafe kernels.momentum(
            count, sums, examples, 0.1, 0, false, weights, weights, first.pointer)
        _ = unsafe kernels.adam(
            count, sums, examples, 0.001, 0, weights, weights, first.pointer, second.pointer)
        var squares = [Float](repeating: 0, count: Self.rows)
        _ = unsafe kernels.measuredAdam(
            Self.rows, Self.columns, sums, examples, 0.001, 0, weights, weights, first.pointer,
            second.pointer, &squares, 0)
    }

    private func output() {
        let labels = (0..<Self.exampleCount).map { UInt8($0 % Self.outputs.count) }
        unsafe labels.withUnsafeBufferPointer { labels in
            guard let labels = labels.baseAddress else { return }
            unsafe kernels.softmaxMeanSquaredError(
                x.pointer, Self.outputs.stride, Self.outputs.count, Self.exampleCount, labels, 0,
                y.pointer, first.pointer)
        }
    }
}
