import NeuralNetwork

/// The matrices of a product, with numbers that stay normal, and Lockstep's way to multiply them:
/// the one place that calls the dense kernels for the comparison with other libraries.
struct ProductOperands {
    let product: Product
    let activations: FloatBuffer
    let weights: FloatBuffer
    /// `[outputs, inputs]`
    let transposedWeights: FloatBuffer
    let deltas: FloatBuffer
    /// What the product gives: z, da or dw.
    let result: FloatBuffer
    private let squares: FloatBuffer
    private let scratch: FloatBuffer
    /// Activations and deltas again, as Lockstep's steps keep them: rows that would lie a large
    /// power of two apart, and share a cache's sets, have a line between them.
    private let stepActivations: FloatBuffer
    private let stepDeltas: FloatBuffer

    init(_ product: Product) {
        let (examples, inputs, outputs) = (product.examples, product.inputs, product.outputs)
        self.product = product
        scratch = KernelSet.foldScratch(examples: examples)
        activations = Self.numbers(examples * inputs, period: 7)
        weights = Self.numbers(inputs * outputs, period: 11)
        deltas = Self.numbers(examples * outputs, period: 13)
        transposedWeights = FloatBuffer(count: inputs * outputs)
        for input in 0..<inputs {
            for output in 0..<outputs {
                unsafe transposedWeights.pointer[output * inputs + input] =
                    weights.pointer[input * outputs + output]
            }
        }
        result = FloatBuffer(
            count: max(examples * outputs, examples * inputs, inputs * outputs))
        squares = FloatBuffer(count: Self.stride(outputs))
        stepActivations = Self.padded(activations, examples, inputs)
        stepDeltas = Self.padded(deltas, examples, outputs)
    }

    private static func stride(_ width: Int) -> Int { width % 256 == 0 ? width + 16 : width }

    private static func padded(_ rows: FloatBuffer, _ count: Int, _ width: Int) -> FloatBuffer {
        let stride = stride(width)
        let padded = FloatBuffer(count: count * stride)
        for row in 0..<count {
            for column in 0..<width {
                unsafe padded.pointer[row * stride + column] = rows.pointer[row * width + column]
            }
        }
        return padded
    }

    private static func numbers(_ count: Int, period: Int) -> FloatBuffer {
        FloatBuffer((0..<count).map { Float($0 % period + 1) / Float(period) })
    }

    /// Lockstep's, without a bias. The input gradient finds the weights transposed, as a step does
    /// it once; the weight gradient has one leaf.
    func multiply(_ kernels: KernelSet) {
        let (examples, inputs, outputs) = (product.examples, product.inputs, product.outputs)
        switch product.kind {
        case .forward:
            unsafe kernels.denseForward(
                stepActivations.pointer, Self.stride(inputs), examples, inputs, weights.pointer,
                outputs, nil, outputs, result.pointer, outputs)
        case .inputGradient:
            unsafe kernels.denseForward(
                stepDeltas.pointer, Self.stride(outputs), examples, outputs,
                transposedWeights.pointer, inputs, nil, inputs, result.pointer, inputs)
        case .weightGradient:
            unsafe kernels.denseWeightGradient(
                0, inputs, stepActivations.pointer, Self.stride(inputs), stepDeltas.pointer,
                Self.stride(outputs), examples, examples, outputs, result.pointer,
                squares.pointer, scratch.pointer)
        }
    }
}
