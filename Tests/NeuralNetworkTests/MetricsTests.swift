import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// The step's metrics against the reference network.
struct MetricsTests {
    private static let heads: [(Activation, Loss)] = [
        (.tanh, .mse), (.softmax, .crossEntropy), (.sigmoid, .crossEntropy), (.relu, .mse),
        (.identity, .mse), (.softmax, .mse),
    ]

    private static func firstLargest(_ values: [Double]) -> Int {
        values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
    }

    @Test(arguments: heads, [Activation.tanh, .relu, .sigmoid, .identity])
    func equalNaiveOnes(head: (output: Activation, loss: Loss), hidden: Activation) {
        let architecture = NetworkArchitecture(
            layers: [30, 70, 10], hidden: hidden, output: head.output, loss: head.loss)
        let problem = Problem(architecture, examples: 53, seed: 2, weightLimit: 0.5)
        let (leafSize, reference) = (8, problem.reference)
        let metrics = problem.compute(leafSize: leafSize)

        let passes = problem.pixels.map(reference.forward)
        let loss = zip(problem.pixels, problem.labels).reduce(0) { $0 + reference.loss($1.0, $1.1) }
        #expect(abs(Double(metrics.lossSum) - loss) < 1e-5 * abs(loss))
        let correct = zip(passes, problem.labels).count {
            Self.firstLargest($0.outputs) == Int($1)
        }
        #expect(metrics.correctCount == correct)

        for (index, layer) in problem.layout.layers.enumerated() {
            let outputs = passes.flatMap { $0.activations[index] }
            let saturated =
                switch reference.activation(ofLayer: index) {
                case .tanh: outputs.count { abs($0) >= 0.97 }
                case .relu: outputs.count { $0 == 0 }
                case .sigmoid, .softmax: outputs.count { $0 <= 0.01 || $0 >= 0.99 }
                case .identity: 0
                }
            #expect(metrics.saturatedCounts[index] == saturated, "layer \(index)")

            // Σ over leaves of the squared norm of the leaf's gradient sum.
            var norm = 0.0
            for first in stride(from: 0, to: problem.pixels.count, by: leafSize) {
                var sum = [Double](repeating: 0, count: layer.endOffset - layer.kernelOffset)
                for b in first..<min(first + leafSize, problem.pixels.count) {
                    let gradient = reference.gradient(problem.pixels[b], problem.labels[b])
                    for offset in sum.indices {
                        sum[offset] += gradient[layer.kernelOffset + offset]
                    }
                }
                norm += sum.reduce(0) { $0 + $1 * $1 }
            }
            let found = Double(metrics.squaredGradientNorms[index])
            #expect(abs(found - norm) < 1e-4 * norm, "norm of layer \(index)")
        }
    }

    /// Words that lie unaligned, as they come over the wire.
    @Test func foldAddsFloatsAndCountsAtAnyAlignment() {
        let layout = StepMetricsLayout(layerCount: 2)
        #expect(layout.wordCount == 6 && layout.byteCount == 24)
        let words: [Float] = [
            1.5, 2, 3, Float(bitPattern: 7), Float(bitPattern: 1 << 20), Float(bitPattern: 9),
        ]
        let (left, right) = (UnalignedFloats(words, offset: 1), UnalignedFloats(words, offset: 3))
        unsafe layout.fold(left.pointer, right.pointer, into: right.pointer)
        let sum = unsafe layout.metrics(right.pointer)
        #expect(sum.lossSum == 3)
        #expect(sum.squaredGradientNorms == [4, 6])
        #expect(sum.correctCount == 14)
        #expect(sum.saturatedCounts == [2 << 20, 18])
    }
}
