import NeuralNetwork

/// z = a · w: `[examples, inputs]` times `[inputs, outputs]`, row-major without gaps.
struct Product: Hashable, Sendable {
    var examples: Int
    var inputs: Int
    var outputs: Int

    var operations: Double { 2 * Double(examples) * Double(inputs) * Double(outputs) }
    var words: String { "\(examples) × \(inputs) × \(outputs)" }

    /// Enough for the clock: some 25 million operations.
    var callsPerSample: Int { max(1, Int(25e6 / operations)) }

    /// The product on one line, for the process that runs the library.
    var request: String { "\(examples) \(inputs) \(outputs)" }

    init(examples: Int, inputs: Int, outputs: Int) {
        self.examples = examples
        self.inputs = inputs
        self.outputs = outputs
    }

    init?(request: String) {
        let numbers = request.split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 3, numbers.allSatisfy({ $0 > 0 }) else { return nil }
        self.init(examples: numbers[0], inputs: numbers[1], outputs: numbers[2])
    }
}

/// The matrices of a product, with numbers that stay normal.
struct ProductOperands {
    let product: Product
    let activations: FloatBuffer
    let weights: FloatBuffer
    let z: FloatBuffer

    init(_ product: Product) {
        self.product = product
        activations = FloatBuffer(count: product.examples * product.inputs)
        weights = FloatBuffer(count: product.inputs * product.outputs)
        z = FloatBuffer(count: product.examples * product.outputs)
        for (buffer, period) in [(activations, 7), (weights, 11)] {
            for index in 0..<buffer.count {
                unsafe buffer.pointer[index] = Float(index % period + 1) / Float(period)
            }
        }
    }

    /// Lockstep's, without a bias.
    func multiply(_ kernels: KernelSet) {
        unsafe kernels.denseForward(
            activations.pointer, product.inputs, product.examples, product.inputs,
            weights.pointer, product.outputs, nil, product.outputs, z.pointer, product.outputs)
    }
}
