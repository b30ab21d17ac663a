import NeuralNetwork
import TestSupport
import Testing

/// The dense form of the input layer against the twin of the sparse one, which skips zeros.
struct DenseInputTests {
    private static let densities = [1, 0.9, 0.5, 0.02, 0]

    /// x of each byte.
    private static let intensities = FloatBuffer((0..<256).map { Float($0) / 255 })

    /// Calls `body` with where each row's bytes lie, with others behind them.
    private func withRows(
        _ rows: [[UInt8]], _ body: (UnsafePointer<UnsafePointer<UInt8>>) -> Void
    ) {
        let stride = 64
        let bytes = rows.flatMap { $0 + [UInt8](repeating: 255, count: stride - $0.count) }
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            let places = unsafe rows.indices.map { unsafe start + $0 * stride }
            unsafe places.withUnsafeBufferPointer { unsafe $0.baseAddress.map(body) }
        }
    }

    /// A −0 among the biases, zero weights of both signs and denormals give the sparse form's bits.
    @Test(arguments: supportedVariants)
    func forward(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        let inputs = 29
        for outputs in Array(1...200) + [300] {
            let examples = outputs % 16 + 1
            let pixels = (0..<examples).map { _ in
                random.pixels(inputs, density: Self.densities[outputs % 5])
            }
            var weights = random.floatsWithSpecials(inputs * outputs).map { $0.isFinite ? $0 : 1 }
            let bias = random.floats(outputs).map { $0 < -0.8 ? -0.0 : $0 }
            // Negative weights beside a −0: 0 · w is −0 too, and without the last addition so is z.
            for index in weights.indices where bias[index % outputs] == 0 {
                weights[index] = -weights[index].magnitude
            }
            let (weightBuffer, biasBuffer) = (FloatBuffer(weights), FloatBuffer(bias))
            let stride = roundUp(outputs, to: 64)
            let z = FloatBuffer([Float](repeating: 5, count: examples * stride))
            unsafe withRows(pixels) { rows in
                for (lower, upper) in [(0, 1), (1, 14), (14, inputs)] {
                    unsafe kernels.denseInputForward(
                        rows, examples, lower, upper, Self.intensities.pointer,
                        weightBuffer.pointer, biasBuffer.pointer, outputs, z.pointer, stride,
                        KernelSet.nothingAhead)
                }
            }
            for b in 0..<examples {
                let expected = Twin.forward(
                    pixels[b].map { Float($0) / 255 }, skipsZeros: true, weights: weights,
                    weightStride: outputs, bias: bias, outputs: outputs)
                let found = row(b, of: z.array, stride: stride, width: outputs)
                #expect(
                    firstDifference(found, expected) == nil,
                    "\(outputs) outputs, example \(b) of \(examples)")
            }
        }
    }

    @Test(arguments: supportedVariants)
    func weightGradient(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        for (index, shape) in LeafShape.all.enumerated() {
            let (lower, rows) = (index % 3, shape.rows(index))
            let inputs = lower + rows + 1
            let pixels = (0..<shape.examples).map { _ in
                random.pixels(inputs, density: Self.densities[index % 5])
            }
            let leafStride = roundUp(shape.leafSize, to: 16)
            let data = LeafData(
                shape, stride: roundUp(shape.outputs, to: 64), index / 5, isFinite: true, &random)
            let gradient = FloatBuffer([Float](repeating: 5, count: rows * shape.outputs + 1))
            unsafe kernels.denseInputGradient(
                lower, lower + rows,
                SparseInputTests.blocks(pixels, shape, inputs: inputs, leafStride: leafStride),
                inputs, leafStride, shape.examples, shape.leafSize, Self.intensities.pointer,
                data.deltaBuffer.pointer, data.stride, shape.outputs, gradient.pointer,
                data.squareBuffer.pointer, data.scratch.pointer)
            let intensities = pixels.map { $0[lower..<lower + rows].map { Float($0) / 255 } }
            data.expect(
                gradient,
                Twin.weightGradient(
                    inputs: intensities, skipsZeros: true, deltas: data.deltas,
                    leafSize: shape.leafSize, rows: rows, outputs: shape.outputs,
                    squares: data.squares))
        }
    }

    @Test(arguments: supportedVariants)
    func finiteness(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        for count in [1, 15, 16, 17, 63, 64, 65, 200] {
            // What lies behind the values does not count.
            let values = FloatBuffer(
                [Float](repeating: .greatestFiniteMagnitude, count: count) + [.nan])
            func areFinite() -> Bool {
                withExtendedLifetime(values) { unsafe kernels.areFinite(values.pointer, count) }
            }
            #expect(areFinite(), "\(count) values")
            for (index, value) in [Float.nan, .infinity, -.infinity].enumerated() {
                let place = (count - 1) * index / 2
                unsafe values.pointer[place] = value
                #expect(!areFinite(), "\(value) at \(place) of \(count)")
                unsafe values.pointer[place] = 1
            }
        }
    }

    @Test(arguments: supportedVariants)
    func nonzeroBytesAreCounted(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 4)
        for count in stride(from: 0, through: 320, by: 16) {
            let bytes = random.pixels(count, density: 0.4) + [1]
            #expect(
                unsafe kernels.countNonzero(bytes, count)
                    == bytes[..<count].count { $0 != 0 }, "\(count) bytes")
        }
    }

    @Test(arguments: supportedVariants)
    func transposition(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 5)
        for (width, pixelStride) in [(1, 16), (15, 16), (16, 32), (17, 16), (784, 16), (100, 48)] {
            let lower = width % 5
            let rowWidth = lower + width
            let pixels = random.pixels(16 * rowWidth, density: 0.9)
            var blocks = [UInt8](repeating: 7, count: width * pixelStride)
            unsafe pixels.withUnsafeBufferPointer { pixels in
                guard let base = pixels.baseAddress else { return }
                let rows = unsafe (0..<16).map { unsafe base + $0 * rowWidth }
                unsafe blocks.withUnsafeMutableBufferPointer { blocks in
                    guard let target = blocks.baseAddress else { return }
                    unsafe kernels.transposePixels(rows, lower, width, target, pixelStride)
                }
            }
            let expected = (0..<width * pixelStride).map { index in
                let (p, b) = index.quotientAndRemainder(dividingBy: pixelStride)
                return b < 16 ? pixels[b * rowWidth + lower + p] : 7
            }
            #expect(blocks == expected, "\(width) pixels")
        }
    }
}
