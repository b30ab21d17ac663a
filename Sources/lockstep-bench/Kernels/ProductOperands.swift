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
    private let stack = FloatBuffer(count: 32 * 128)

    init(_ product: Product) {
        let (examples, inputs, outputs) = (product.examples, product.inputs, product.outputs)
        self.product = product
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
        squares = FloatBuffer(count: outputs)
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
                activations.pointer, inputs, examples, inputs, weights.pointer, outputs, nil,
                outputs, result.pointer, outputs)
        case .inputGradient:
            unsafe kernels.denseForward(
                deltas.pointer, outputs, examples, outputs, transposedWeights.pointer, inputs,
                nil, inputs, result.pointer, inputs)
        case .weightGradient:
            unsafe kernels.denseWeightGradient(
                0, inputs, activations.pointer, inputs, deltas.pointer, outputs, examples,
                examples, outputs, result.pointer, squares.pointer, stack.pointer)
        }
    }
}
