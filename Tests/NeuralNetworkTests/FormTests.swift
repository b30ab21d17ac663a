import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// Whether examples are lists or bytes, and in which form their products are made, does not show.
struct FormTests {
    /// Densities on both sides of where examples become bytes and products dense, and leaves of
    /// less and more than a unit; widths that fill no block.
    @Test(
        arguments: [0.3, 0.4, 0.55, 0.7, 1],
        [(7, 33), (16, 128), (16, 10), (24, 100), (48, 300)])
    func storageDoesNotShow(density: Double, shape: (leafSize: Int, width: Int)) {
        let architecture = NetworkArchitecture(
            layers: [401, shape.width, 10], hidden: .relu, output: .softmax, loss: .crossEntropy)
        let drawn = Problem(
            architecture, examples: 60, seed: shape.width, weightLimit: 0.1, density: density)
        // Blank examples, which no node holds, make lists of the same pixels.
        let sparse = Problem(drawn, blankExamples: 180)
        // Without hardware, fma takes too long here.
        for variant in KernelVariant.allCases where variant.isSupported && variant != .baseline {
            for threads in [1, 2] {
                let nodes = [0..<60, 5..<22, 0..<1]
                let lists = sparse.compute(
                    nodes, leafSize: shape.leafSize, threads: threads, variant: variant)
                let bytes = drawn.compute(
                    nodes, leafSize: shape.leafSize, threads: threads, variant: variant)
                for (lists, bytes) in zip(lists, bytes) {
                    #expect(bytes.difference(from: lists) == nil, "\(variant), \(threads) threads")
                }
            }
        }
    }

    /// Dense and empty regions of the images, each in its form.
    @Test func regionsDoNotShow() {
        let architecture = NetworkArchitecture(
            layers: [900, 65, 10], hidden: .tanh, output: .softmax, loss: .crossEntropy)
        let drawn = Problem(architecture, examples: 70, seed: 1, weightLimit: 0.1, density: 1)
        let pixels = drawn.pixels.map { row in
            row.enumerated().map { $0.offset / 128 % 3 == 1 ? 0 : $0.element }
        }
        let problem = Problem(drawn, pixels: pixels)
        let lists = Problem(problem, blankExamples: 200).compute([0..<70], leafSize: 16)
        #expect(problem.compute([0..<70], leafSize: 16)[0].difference(from: lists[0]) == nil)
    }

    /// A last leaf with less in it than the same leaf had before: nothing of that remains, in
    /// either storage.
    @Test(arguments: [1, 0.2], [1, 2])
    func noNodeShowsInTheNext(density: Double, threads: Int) {
        let architecture = NetworkArchitecture(
            layers: [200, 64, 10], hidden: .relu, output: .softmax, loss: .crossEntropy)
        let drawn = Problem(
            architecture, examples: 96, seed: 3, weightLimit: 0.1, density: density)
        // In the last inputs, pixels are few enough for the sparse form.
        let problem = Problem(
            drawn,
            pixels: drawn.pixels.map { row in
                row.enumerated().map { $0.offset >= 128 && $0.offset % 5 > 0 ? 0 : $0.element }
            })
        for (leafSize, count) in [(24, 58), (48, 50), (48, 10), (16, 40)] {
            let after = problem.compute(
                [0..<96, 5..<5 + count], leafSize: leafSize, threads: threads)
            let alone = problem.compute([5..<5 + count], leafSize: leafSize, threads: threads)
            #expect(after[1].difference(from: alone[0]) == nil, "\(count) in leaves of \(leafSize)")
        }
    }
}
