import Datasets
import NeuralNetwork

/// Every kernel of a set with the model's shapes: 784-128-10, leaves of 16.
///
/// In-place kernels get their input back before every sample, so that no value fades into the
/// denormals.
struct KernelCases {
    struct Case {
        var name: String
        /// Of one call: operations or bytes.
        var amount: Double
        var unit: String
        var timed: Timed
    }

    static let examples = 128
    private static let leafSize = 16
    private static let (inputs, hidden, outputs) = (784, 128, 10)
    /// Floats between two examples of the output layer.
    private static let outputStride = 16
    private static let parameters = inputs * hidden + hidden + hidden * outputs + outputs

    private let kernels: KernelSet
    private let pixels: SparsePixels

    init(_ kernels: KernelSet, _ images: LabelledImages) {
        self.kernels = kernels
        pixels = SparsePixels(images, count: Self.examples, leafSize: Self.leafSize)
    }

    var all: [Case] { inputLayer + denseLayers + activations + outputLayers + vectors }

    private static func operations(_ name: String, _ count: Int, _ call: @escaping () -> Void)
        -> Case
    {
        // Without hardware fma, which the baseline may not use, a large product takes long.
        let calls = count > 1_000_000 ? 1 : 8
        return Case(
            name: name, amount: Double(count), unit: "GFLOP/s",
            timed: Timed(calls: calls, call: call))
    }

    private static func bytes(
        _ name: String, _ count: Int, prepare: @escaping () -> Void = {},
        _ call: @escaping () -> Void
    ) -> Case {
        Case(
            name: name, amount: Double(count), unit: "GB/s",
            timed: Timed(calls: 8, prepare: prepare, call: call))
    }

    /// Numbers between −1 and 1 that repeat.
    private static func numbers(_ count: Int) -> FloatBuffer {
        FloatBuffer((0..<count).map { Float($0 % 251 - 125) / 125 })
    }

    private var inputLayer: [Case] {
        let (kernels, pixels) = (kernels, pixels)
        let (inputs, hidden) = (Self.inputs, Self.hidden)
        let weights = Self.numbers(inputs * hidden)
        let bias = Self.numbers(hidden)
        let z = Self.numbers(Self.examples * hidden)
        let gradient = FloatBuffer(count: inputs * hidden)
        let leafCount = Self.examples / Self.leafSize
        let squares = FloatBuffer(count: leafCount * hidden)
        let scratch = KernelSet.sparseScratch(leafStride: Self.leafSize)
        return [
            Self.operations("sparseForward", 2 * pixels.entryCount * hidden) {
                unsafe pixels.withExamples { columns, bytes, counts, done in
                    // A block of rows that stays in the first cache at a time, as the network does
                    // it.
                    for lower in stride(from: 0, to: inputs, by: 96) {
                        unsafe kernels.sparseForward(
                            columns, bytes, counts, done, Self.examples, lower, lower + 96,
                            pixels.intensities.pointer, weights.pointer, bias.pointer, hidden,
                            z.pointer, hidden, KernelSet.nothingAhead)
                    }
                }
            },
            Self.bytes("sparseScatter", 4 * pixels.entryCount) {
                for example in 0..<Self.examples { pixels.scatter(example, kernels) }
            },
            Self.operations("sparseWeightGradient", 2 * pixels.entryCount * hidden) {
                unsafe pixels.withBlocks { blocks in
                    unsafe kernels.sparseWeightGradient(
                        0, inputs, blocks, inputs, Self.leafSize, leafCount, Self.leafSize,
                        pixels.intensities.pointer, z.pointer, hidden, hidden, gradient.pointer,
                        squares.pointer, scratch.pointer)
                }
            },
        ]
    }

    private var denseLayers: [Case] {
        let kernels = kernels
        let (hidden, outputs, stride) = (Self.hidden, Self.outputs, Self.outputStride)
        let first = ProductOperands(
            Product(examples: Self.examples, inputs: Self.inputs, outputs: hidden))
        let activations = Self.numbers(Self.examples * hidden)
        let weights = Self.numbers(hidden * outputs)
        let bias = Self.numbers(outputs)
        let z = Self.numbers(Self.examples * stride)
        let transposed = FloatBuffer(count: outputs * hidden)
        let gradient = FloatBuffer(count: hidden * outputs)
        let biasSum = FloatBuffer(count: hidden)
        let squares = FloatBuffer(count: Self.examples / Self.leafSize * hidden)
        let scratch = KernelSet.foldScratch(examples: Self.examples)
        let operations = 2 * Self.examples * hidden * outputs
        return [
            Self.operations("denseForward 784→128", Int(first.product.operations)) {
                first.multiply(kernels)
            },
            Self.operations("denseForward 128→10", operations) {
                unsafe kernels.denseForward(
                    activations.pointer, hidden, Self.examples, hidden, weights.pointer, outputs,
                    bias.pointer, outputs, z.pointer, stride)
            },
            Self.bytes("transpose 128×10", 8 * hidden * outputs) {
                unsafe kernels.transpose(
                    weights.pointer, hidden, outputs, transposed.pointer, hidden)
            },
            Self.operations("denseWeightGradient 128×10", operations) {
                unsafe kernels.denseWeightGradient(
                    0, hidden, activations.pointer, hidden, z.pointer, stride, Self.examples,
                    Self.leafSize, outputs, gradient.pointer, squares.pointer, scratch.pointer)
            },
            Self.bytes("biasGradient 128", 4 * Self.examples * hidden) {
                unsafe kernels.biasGradient(
                    activations.pointer, hidden, Self.examples, Self.leafSize, hidden,
                    biasSum.pointer, squares.pointer, scratch.pointer)
            },
        ]
    }

    private var activations: [Case] {
        let kernels = kernels
        let count = Self.examples * Self.hidden
        let fresh = Self.numbers(count)
        let values = Self.numbers(count)
        let outputs = Self.numbers(count)
        let forward = unsafe [
            ("exponentialForward", kernels.exponentialForward),
            ("logarithmForward", kernels.logarithmForward), ("tanhForward", kernels.tanhForward),
            ("sigmoidForward", kernels.sigmoidForward), ("reluForward", kernels.reluForward),
        ]
        let backward = unsafe [
            ("tanhBackward", kernels.tanhBackward), ("sigmoidBackward", kernels.sigmoidBackward),
            ("reluBackward", kernels.reluBackward),
        ]
        return unsafe forward.map { name, kernel in
            Self.bytes(name, 8 * count, prepare: { values.copy(from: fresh) }) {
                unsafe kernel(values.pointer, count)
            }
        }
            + backward.map { name, kernel in
                Self.bytes(name, 12 * count, prepare: { values.copy(from: fresh) }) {
                    unsafe kernel(values.pointer, outputs.pointer, count)
                }
            } + [
                Self.bytes("countOutside", 4 * count) {
                    keep(
                        unsafe kernels.countOutside(
                            values.pointer, Self.examples, Self.hidden, Self.hidden, -0.99, 0.99))
                }
            ]
    }

    private var outputLayers: [Case] {
        let (kernels, labels) = (kernels, pixels.labels)
        let (stride, outputs) = (Self.outputStride, Self.outputs)
        let count = Self.examples * stride
        let fresh = Self.numbers(count)
        let (logits, deltas) = (Self.numbers(count), FloatBuffer(count: count))
        let losses = FloatBuffer(count: Self.examples)
        let decisions = DecisionBuffer(count: Self.examples)
        let layers = unsafe [
            ("softmaxCrossEntropy", kernels.softmaxCrossEntropy),
            ("softmaxMeanSquaredError", kernels.softmaxMeanSquaredError),
            ("sigmoidCrossEntropy", kernels.sigmoidCrossEntropy),
            ("meanSquaredError", kernels.meanSquaredError),
        ]
        return unsafe layers.map { name, kernel in
            Self.bytes(
                name, 12 * Self.examples * outputs, prepare: { logits.copy(from: fresh) }
            ) {
                unsafe labels.withUnsafeBufferPointer { labels in
                    guard let labels = labels.baseAddress else { return }
                    unsafe kernel(
                        logits.pointer, stride, outputs, Self.examples, labels, 0, deltas.pointer,
                        losses.pointer)
                }
            }
        } + [
            Self.bytes("decide", 4 * Self.examples * outputs) {
                unsafe kernels.decide(
                    fresh.pointer, stride, outputs, Self.examples, false, decisions.pointer)
            }
        ]
    }

    private var vectors: [Case] {
        let (kernels, count) = (kernels, Self.parameters)
        let (left, right) = (Self.numbers(count), Self.numbers(count))
        let sum = FloatBuffer(count: count)
        let weights = Self.numbers(count)
        let (first, second) = (FloatBuffer(count: count), FloatBuffer(count: count))
        let examples = Float(Self.examples)
        return [
            Self.bytes("foldPair", 12 * count) {
                unsafe kernels.foldPair(left.pointer, right.pointer, sum.pointer, count)
            },
            Self.bytes("copyFloats", 8 * count) {
                unsafe kernels.copyFloats(left.pointer, sum.pointer, count)
            },
            Self.bytes("checksum", 4 * count) {
                keep(unsafe kernels.checksum(left.pointer, count * 4))
            },
            Self.bytes("digest", 4 * count) {
                keep(unsafe kernels.digest(left.pointer, count, 0))
            },
            Self.bytes("sumOfSquares 128", 4 * Self.hidden) {
                keep(unsafe kernels.sumOfSquares(left.pointer, Self.hidden))
            },
            Self.bytes("adam", 28 * count) {
                keep(
                    unsafe kernels.adam(
                        count, left.pointer, examples, 0.001, 0, weights.pointer, weights.pointer,
                        first.pointer, second.pointer))
            },
            Self.bytes("measuredAdam", 28 * Self.inputs * Self.hidden) {
                keep(
                    unsafe kernels.measuredAdam(
                        Self.inputs, Self.hidden, left.pointer, examples, 0.001, 0, weights.pointer,
                        weights.pointer, first.pointer, second.pointer, sum.pointer, 0))
            },
            Self.bytes("gradientDescent", 12 * count) {
                keep(
                    unsafe kernels.gradientDescent(
                        count, left.pointer, examples, 0.001, 0, weights.pointer, weights.pointer))
            },
            Self.bytes("momentum", 20 * count) {
                keep(
                    unsafe kernels.momentum(
                        count, left.pointer, examples, 0.001, 0, false, weights.pointer,
                        weights.pointer, first.pointer))
            },
        ]
    }
}
