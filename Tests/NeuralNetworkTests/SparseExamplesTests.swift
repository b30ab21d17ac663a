import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The pixels come back from the gradient: with no weights and squared error on one output, a
/// pixel's weight gradient is x · 2 (0 − 1).
struct SparseExamplesTests {
    @Test(arguments: [0, 0.1, 0.9, 1], [1, 17, 784])
    func roundTrip(density: Double, width: Int) {
        let architecture = NetworkArchitecture(
            layers: [width, 1], hidden: .tanh, output: .identity, loss: .mse)
        let problem = Problem(
            architecture, examples: 20, seed: width, weightLimit: 0, density: density)
        let results = problem.compute((0..<20).map { $0..<$0 + 1 }, leafSize: 4)
        for (pixels, result) in zip(problem.pixels, results) {
            #expect(
                result.sum.map { Int((-255 * $0 / 2).rounded()) } == pixels.map(Int.init) + [255])
        }
    }

    /// Slices need not begin at 0.
    @Test func slicesAreTakenAsTheyAre() {
        let pixels: [UInt8] = [9, 9, 0, 1, 2, 0, 0, 0, 9]
        let labels: [UInt8] = [7, 1, 0, 1, 7]
        let examples = SparseExamples(pixels: pixels[2..<8], labels: labels[1..<4], width: 2)
        #expect(examples.count == 3 && examples.width == 2)
        let architecture = NetworkArchitecture(
            layers: [2, 2], hidden: .tanh, output: .identity, loss: .mse)
        // Output j is pixel j: the decisions show where each pixel went.
        let result = Evaluator(architecture, kernels: KernelSet(.baseline), examples: examples)
            .evaluate(FloatBuffer([1, 0, 0, 1, 0, 0]))
        #expect(result.confusion == [[1, 0], [1, 1]])
    }
}
