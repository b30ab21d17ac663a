import NeuralNetwork
import TestSupport
import Testing

struct OutputTests {
    enum Layer: String, CaseIterable, Sendable {
        case softmaxCrossEntropy, softmaxMeanSquaredError, sigmoidCrossEntropy, meanSquaredError

        func kernel(_ kernels: KernelSet) -> KernelSet.OutputLayer {
            switch self {
            case .softmaxCrossEntropy: unsafe kernels.softmaxCrossEntropy
            case .softmaxMeanSquaredError: unsafe kernels.softmaxMeanSquaredError
            case .sigmoidCrossEntropy: unsafe kernels.sigmoidCrossEntropy
            case .meanSquaredError: unsafe kernels.meanSquaredError
            }
        }

        var twin: ([Float], Int, Float) -> OutputTwin {
            switch self {
            case .softmaxCrossEntropy: Twin.softmaxCrossEntropy
            case .softmaxMeanSquaredError: Twin.softmaxMeanSquaredError
            case .sigmoidCrossEntropy: Twin.sigmoidCrossEntropy
            case .meanSquaredError: Twin.meanSquaredError
            }
        }
    }

    @Test(arguments: Layer.allCases, supportedVariants)
    func equalsItsTwin(layer: Layer, variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        for outputs in widths {
            for (index, limit) in [1, 20, 120, 1].enumerated() {
                let (examples, stride) = (index + 1, roundUp(outputs, to: 16))
                let logits = (0..<examples).map { _ in
                    index == 3
                        ? random.floatsWithSpecials(outputs)
                        : random.floats(outputs, limit: Float(limit))
                }
                let labels = random.labels(examples, classes: outputs)
                let offTarget: Float = index % 2 == 0 ? 0 : -1
                let y = FloatBuffer(padded(logits, stride: stride, filler: 4))
                let deltas = FloatBuffer(count: examples * stride)
                let losses = FloatBuffer(count: examples)
                unsafe layer.kernel(kernels)(
                    y.pointer, stride, outputs, examples, labels, offTarget, deltas.pointer,
                    losses.pointer)
                for b in 0..<examples {
                    let twin = layer.twin(logits[b], Int(labels[b]), offTarget)
                    let place = "example \(b), \(outputs) outputs in ±\(limit)"
                    let found = row(b, of: y.array, stride: stride, width: outputs)
                    let delta = row(b, of: deltas.array, stride: stride, width: outputs)
                    #expect(firstDifference(found, twin.outputs) == nil, "outputs, \(place)")
                    #expect(firstDifference(delta, twin.deltas) == nil, "deltas, \(place)")
                    #expect(sameBits(losses.array[b], twin.loss), "loss, \(place)")
                }
            }
        }
    }

    @Test(arguments: supportedVariants)
    func decidesForTheFirstLargest(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        for outputs in widths {
            let (examples, stride) = (50, roundUp(outputs, to: 16))
            // Few distinct values, so that there are ties; some so close that rescaling makes them
            // one.
            let values: [Float] = [-1, 0, 0.5, Float(0.5).nextUp, 1e-9, 2e-9, 1, .infinity, .nan]
            let y = (0..<examples).map { _ in
                (0..<outputs).map { _ in values[Int.random(in: 0..<values.count, using: &random)] }
            }
            let buffer = FloatBuffer(padded(y, stride: stride, filler: 9))
            for isRescaled in [false, true] {
                var decisions = [UInt8](repeating: 255, count: examples)
                unsafe decisions.withUnsafeMutableBufferPointer { decisions in
                    guard let base = decisions.baseAddress else { return }
                    unsafe kernels.decide(
                        buffer.pointer, stride, outputs, examples, isRescaled, base)
                }
                #expect(decisions == y.map { Twin.decision($0, isRescaled: isRescaled) })
            }
        }
    }
}
