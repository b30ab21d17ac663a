import TestSupport
import Testing
import TrainingPlan

/// The engine's gradients against finite differences, and against back-propagation, both in Double.
struct GradientTests {
    /// An output and the loss and targets that it may be trained with.
    struct Head: Sendable, CustomStringConvertible {
        let output: Activation
        let loss: Loss
        let targets: TargetEncoding

        var description: String { "\(output.rawValue), \(loss.rawValue), \(targets.rawValue)" }

        static let all: [Head] =
            [
                Head(output: .softmax, loss: .crossEntropy, targets: .zeroOne),
                Head(output: .sigmoid, loss: .crossEntropy, targets: .zeroOne),
            ]
            + Activation.allCases.flatMap { output in
                TargetEncoding.allCases.map { Head(output: output, loss: .mse, targets: $0) }
            }
    }

    static let hidden: [Activation] = [.tanh, .relu, .sigmoid, .identity]
    private static let depths = [[12, 5], [12, 7, 5], [12, 7, 6, 5]]

    /// A problem in which no pre-activation of a ReLU is near its kink.
    private func makeProblem(_ hidden: Activation, _ head: Head, _ layers: [Int]) -> Problem? {
        let architecture = NetworkArchitecture(
            layers: layers, hidden: hidden, output: head.output, loss: head.loss,
            targets: head.targets)
        return (1...200).lazy.map { Problem(architecture, examples: 6, seed: $0) }.first {
            problem in
            let reference = problem.reference
            return problem.pixels.allSatisfy { pixels in
                let pass = reference.forward(pixels)
                return pass.preActivations.enumerated().allSatisfy { layer, z in
                    reference.activation(ofLayer: layer) != .relu
                        || z.allSatisfy { abs($0) > 1e-3 }
                }
            }
        }
    }

    private func sum(_ gradients: [[Double]]) -> [Double] {
        gradients.dropFirst().reduce(gradients[0]) { zip($0, $1).map { $0 + $1 } }
    }

    /// Central differences of the examples' summed loss.
    private func finiteDifferences(_ problem: Problem) -> [Double] {
        let width = 1e-5
        var reference = problem.reference
        let loss = { (network: ReferenceNetwork) in
            zip(problem.pixels, problem.labels).reduce(0) { $0 + network.loss($1.0, $1.1) }
        }
        return reference.parameters.indices.map { index in
            let value = reference.parameters[index]
            reference.parameters[index] = value + width
            let above = loss(reference)
            reference.parameters[index] = value - width
            let below = loss(reference)
            reference.parameters[index] = value
            return (above - below) / (2 * width)
        }
    }

    @Test(arguments: hidden, Head.all)
    func everyPairInOneToThreeLayers(hidden: Activation, head: Head) throws {
        for layers in Self.depths {
            let problem = try #require(makeProblem(hidden, head, layers))
            let reference = problem.reference
            let actual = problem.compute(leafSize: 2).sum.map(Double.init)
            let differences = finiteDifferences(problem)
            let analytic = sum(
                zip(problem.pixels, problem.labels).map { reference.gradient($0, $1) })
            for (index, layer) in problem.layout.layers.enumerated() {
                for (name, range) in [
                    ("kernel", layer.kernelOffset..<layer.biasOffset),
                    ("bias", layer.biasOffset..<layer.endOffset),
                ] {
                    let place = "\(name) of layer \(index) of \(layers)"
                    try #require(analytic[range].contains { $0 != 0 }, "no gradient in \(place)")
                    let toDifferences = relativeError(actual[range], differences[range])
                    let toTwin = relativeError(actual[range], analytic[range])
                    #expect(toDifferences < 1e-3, "\(place), against finite differences")
                    #expect(toTwin < 1e-5, "\(place), against the double-precision twin")
                }
            }
        }
    }

    /// A network of the main job's shape, at its initial weights.
    @Test(arguments: [
        NetworkArchitecture(hidden: .tanh, output: .tanh, loss: .mse),
        NetworkArchitecture(hidden: .relu, output: .softmax, loss: .crossEntropy),
    ])
    func theMainJobsNetworks(architecture: NetworkArchitecture) {
        let drawn = Problem(architecture, examples: 20, seed: 1, weightLimit: 0.06, density: 0.2)
        let reference = drawn.reference
        let actual = drawn.compute(leafSize: 16).sum.map(Double.init)
        let analytic = sum(zip(drawn.pixels, drawn.labels).map { reference.gradient($0, $1) })
        for layer in drawn.layout.layers {
            let range = layer.kernelOffset..<layer.endOffset
            #expect(relativeError(actual[range], analytic[range]) < 1e-5)
        }
    }
}
