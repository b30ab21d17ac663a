import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The input layer visits its weights in blocks and its examples in groups; neither shows in the
/// bits.
struct InputLayerTests {
    /// Few pixels, lists; more, all bytes, visited in one form or the other. Groups of 64 from both
    /// sides, and widths that visit all rows together, many, or 32 at a
    /// time.
    @Test(arguments: [10, 64, 100, 128, 300, 500], [1, 63, 64, 65, 130])
    func everyOutputIsOneChain(width: Int, examples: Int) {
        let architecture = NetworkArchitecture(
            layers: [784, width], hidden: .tanh, output: .identity, loss: .mse)
        for density in [0, 0.003, 0.2, 0.45, 0.8] {
            let problem = Problem(
                architecture, examples: examples, seed: width + examples, density: density)
            let fastest = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
            var z: [Float] = []
            _ = Evaluator(architecture, kernels: KernelSet(fastest), examples: problem.examples)
                .evaluate(FloatBuffer(problem.weights)) { z += $0 }
            let expected = problem.pixels.flatMap { chain($0, problem) }
            #expect(firstDifference(z, expected) == nil, "density \(density)")
        }
    }

    /// bias[j], then fma(x[p], w[p, j]) over the pixels that are not black.
    private func chain(_ pixels: [UInt8], _ problem: Problem) -> [Float] {
        let layer = problem.layout.layers[0]
        var z = Array(problem.weights[layer.biasOffset..<layer.endOffset])
        for (p, pixel) in pixels.enumerated() where pixel != 0 {
            let row = layer.kernelOffset + p * layer.outputs
            for j in z.indices { z[j].addProduct(Float(pixel) / 255, problem.weights[row + j]) }
        }
        return z.map { $0 + 0 }
    }

    /// Where a weight is not finite, a zero pixel must not meet it.
    @Test(arguments: [Float.infinity, -.infinity, .nan])
    func zeroPixelsMeetNoWeight(weight: Float) {
        let architecture = NetworkArchitecture(
            layers: [100, 12], hidden: .tanh, output: .identity, loss: .mse)
        let drawn = Problem(architecture, examples: 40, seed: 3, density: 0.9)
        var weights = drawn.weights
        for output in 0..<12 { weights[17 * 12 + output] = weight }
        let problem = Problem(drawn, weights: weights)
        let fastest = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
        var z: [Float] = []
        _ = Evaluator(architecture, kernels: KernelSet(fastest), examples: problem.examples)
            .evaluate(FloatBuffer(problem.weights)) { z += $0 }
        for (b, pixels) in problem.pixels.enumerated() {
            let found = z[b * 12..<(b + 1) * 12]
            if pixels[17] == 0 {
                #expect(firstDifference(Array(found), chain(pixels, problem)) == nil, "\(b)")
            } else {
                #expect(found.allSatisfy { !$0.isFinite })
            }
        }
    }
}
