import Foundation
package import TrainingPlan

/// The network in Double, one example at a time, from the textbook formulas and libm: what the
/// engine's gradients are compared with.
package struct ReferenceNetwork {
    package let architecture: NetworkArchitecture
    package let layout: ParameterLayout
    /// The flat vector.
    package var parameters: [Double]

    package init(_ architecture: NetworkArchitecture, parameters: [Double]) {
        self.architecture = architecture
        layout = ParameterLayout(widths: architecture.layers)
        self.parameters = parameters
    }

    /// One example's way through the network, by layer.
    package struct Pass {
        package var preActivations: [[Double]] = []
        package var activations: [[Double]] = []
        package var outputs: [Double] { activations.last ?? [] }
    }

    package func activation(ofLayer index: Int) -> Activation {
        index == layout.layers.count - 1 ? architecture.output : architecture.hidden
    }

    package func forward(_ pixels: [UInt8]) -> Pass {
        var pass = Pass()
        var x = pixels.map { Double(Float($0) / 255) }
        for (index, layer) in layout.layers.enumerated() {
            let z = (0..<layer.outputs).map { j in
                x.enumerated().reduce(parameters[layer.biasOffset + j]) { sum, input in
                    sum + input.element
                        * parameters[layer.kernelOffset + input.offset * layer.outputs + j]
                }
            }
            x = Self.activate(activation(ofLayer: index), z)
            pass.preActivations.append(z)
            pass.activations.append(x)
        }
        return pass
    }

    package func targets(_ label: UInt8) -> [Double] {
        let offTarget: Double = architecture.targets == .zeroOne ? 0 : -1
        return (0..<(architecture.layers.last ?? 0)).map { $0 == Int(label) ? 1 : offTarget }
    }

    package func loss(_ pixels: [UInt8], _ label: UInt8) -> Double {
        let y = forward(pixels).outputs
        let pairs = zip(y, targets(label))
        switch architecture.loss {
        case .mse: return pairs.reduce(0) { $0 + pow($1.0 - $1.1, 2) } / Double(y.count)
        case .crossEntropy:
            if architecture.output == .softmax {
                return pairs.reduce(0) { $0 - $1.1 * log($1.0) }
            }
            let sum = pairs.reduce(0) { $0 - $1.1 * log($1.0) - (1 - $1.1) * log1p(-$1.0) }
            return sum / Double(y.count)
        }
    }

    /// ∂loss/∂parameters of one example, by back-propagation.
    package func gradient(_ pixels: [UInt8], _ label: UInt8) -> [Double] {
        var gradient = [Double](repeating: 0, count: layout.parameterCount)
        let pass = forward(pixels)
        var upstream = lossGradient(pass.outputs, targets(label))
        for (index, layer) in layout.layers.enumerated().reversed() {
            let deltas = Self.backPropagate(
                activation(ofLayer: index), upstream, pass.activations[index],
                pass.preActivations[index])
            let inputs =
                index == 0
                ? pixels.map { Double(Float($0) / 255) } : pass.activations[index - 1]
            upstream = [Double](repeating: 0, count: layer.inputs)
            for (p, x) in inputs.enumerated() {
                for (j, delta) in deltas.enumerated() {
                    let offset = layer.kernelOffset + p * layer.outputs + j
                    gradient[offset] = x * delta
                    upstream[p] += parameters[offset] * delta
                }
            }
            for (j, delta) in deltas.enumerated() { gradient[layer.biasOffset + j] = delta }
        }
        return gradient
    }

    /// ∂loss/∂y
    private func lossGradient(_ y: [Double], _ t: [Double]) -> [Double] {
        let count = Double(y.count)
        return zip(y, t).map { y, t in
            switch (architecture.loss, architecture.output) {
            case (.mse, _): 2 * (y - t) / count
            case (.crossEntropy, .softmax): -t / y
            case (.crossEntropy, _): (y - t) / (y * (1 - y)) / count
            }
        }
    }

    private static func activate(_ activation: Activation, _ z: [Double]) -> [Double] {
        switch activation {
        case .tanh: return z.map { tanh($0) }
        case .relu: return z.map { max($0, 0) }
        case .sigmoid: return z.map { 1 / (1 + exp(-$0)) }
        case .identity: return z
        case .softmax:
            let maximum = z.max() ?? 0
            let powers = z.map { exp($0 - maximum) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum }
        }
    }

    /// ∂loss/∂z from ∂loss/∂y.
    private static func backPropagate(
        _ activation: Activation, _ upstream: [Double], _ y: [Double], _ z: [Double]
    ) -> [Double] {
        switch activation {
        case .tanh: return zip(upstream, y).map { $0 * (1 - $1 * $1) }
        case .relu: return zip(upstream, z).map { $1 > 0 ? $0 : 0 }
        case .sigmoid: return zip(upstream, y).map { $0 * $1 * (1 - $1) }
        case .identity: return upstream
        case .softmax:
            let dot = zip(upstream, y).reduce(0) { $0 + $1.0 * $1.1 }
            return zip(upstream, y).map { $1 * ($0 - dot) }
        }
    }
}
