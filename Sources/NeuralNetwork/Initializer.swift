import RandomNumbers
import TrainingPlan

extension ParameterLayout {
    /// The weights of step 0: kernels Glorot-uniform in ±√(6 / (inputs + outputs)), biases zero.
    ///
    /// Source: Glorot & Bengio 2010; Keras' default. Each layer has a random stream of its own.
    package func initialWeights(seed: UInt64) -> FloatBuffer {
        let weights = FloatBuffer(count: parameterCount)
        for (index, layer) in layers.enumerated() {
            var random = Philox(seed: seed, purpose: .initialWeights, index: UInt64(index))
            let limit = (6 / Float(layer.inputs + layer.outputs)).squareRoot()
            for offset in layer.kernelOffset..<layer.biasOffset {
                unsafe weights.pointer[offset] = (2 * random.uniform() - 1) * limit
            }
        }
        return weights
    }
}
