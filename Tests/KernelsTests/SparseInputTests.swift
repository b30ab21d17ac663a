import NeuralNetwork
import TestSupport
import Testing

struct SparseInputTests {
    /// Few, some and all pixels set; none at all.
    private static let densities = [0.02, 0.3, 1, 0]

    private static let intensities = FloatBuffer((0..<256).map { Float($0) / 255 })

    /// Zero pixels contribute nothing, also against an infinite or undefined weight.
    @Test(arguments: supportedVariants)
    func forward(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        let inputs = 29
        for outputs in 1...200 {
            for density in Self.densities {
                let pixels = random.pixels(inputs, density: density)
                let columns = pixels.indices.filter { pixels[$0] != 0 }
                let weights =
                    outputs % 4 == 0
                    ? random.floatsWithSpecials(inputs * outputs) : random.floats(inputs * outputs)
                let bias = random.floats(outputs)
                let (weightBuffer, biasBuffer) = (FloatBuffer(weights), FloatBuffer(bias))
                let z = FloatBuffer(count: roundUp(outputs, to: 64))
                unsafe kernels.sparseForward(
                    columns.map { UInt16($0) }, columns.map { pixels[$0] }, columns.count,
                    Self.intensities.pointer, weightBuffer.pointer, biasBuffer.pointer, outputs,
                    z.pointer)
                let expected = Twin.forward(
                    pixels.map { Float($0) / 255 }, skipsZeros: true, weights: weights,
                    weightStride: outputs, bias: bias, outputs: outputs)
                #expect(
                    firstDifference(Array(z.array[..<outputs]), expected) == nil,
                    "\(outputs) outputs, \(columns.count) pixels")
            }
        }
    }

    @Test(arguments: supportedVariants)
    func scatter(variant: KernelVariant) {
        let columns: [UInt16] = [0, 2, 3, 6]
        let bytes: [UInt8] = [9, 8, 7, 6]
        let stride = 16
        var block = [UInt8](repeating: 0, count: 7 * stride)
        unsafe block.withUnsafeMutableBufferPointer { block in
            guard let base = block.baseAddress else { return }
            unsafe KernelSet(variant).sparseScatter(columns, bytes, 4, base + 5, stride)
        }
        var expected = [UInt8](repeating: 0, count: 7 * stride)
        for (column, byte) in zip(columns, bytes) { expected[Int(column) * stride + 5] = byte }
        #expect(block == expected)
    }

    @Test(arguments: supportedVariants)
    func weightGradient(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        for (index, shape) in LeafShape.all.enumerated() {
            let (inputs, lower, rows) = (6, index % 3, index % 4 + 1)
            let pixels = (0..<shape.examples).map { _ in
                random.pixels(inputs, density: Self.densities[index % 4])
            }
            let leafStride = roundUp(shape.leafSize, to: 16)
            // Deltas that are not finite commit no step, and may show in a neighbouring row.
            let data = LeafData(
                shape, stride: roundUp(shape.outputs, to: 64), index / 4, isFinite: true, &random)
            let gradient = FloatBuffer([Float](repeating: 5, count: rows * shape.outputs + 1))
            unsafe kernels.sparseWeightGradient(
                lower, lower + rows,
                Self.blocks(pixels, shape, inputs: inputs, leafStride: leafStride), inputs,
                leafStride, shape.leafCount, shape.leafSize, Self.intensities.pointer,
                data.deltaBuffer.pointer, data.stride, shape.outputs, gradient.pointer,
                data.squareBuffer.pointer, data.stack.pointer)
            let x = pixels.map { $0[lower..<lower + rows].map { Float($0) / 255 } }
            data.expect(
                gradient,
                Twin.weightGradient(
                    inputs: x, skipsZeros: true, deltas: data.deltas, leafSize: shape.leafSize,
                    rows: rows, outputs: shape.outputs, squares: data.squares))
        }
    }

    /// `[leaf, input, leafStride]`
    private static func blocks(
        _ pixels: [[UInt8]], _ shape: LeafShape, inputs: Int, leafStride: Int
    ) -> [UInt8] {
        var blocks = [UInt8](repeating: 0, count: shape.leafCount * inputs * leafStride)
        for (b, example) in pixels.enumerated() {
            let (leaf, place) = (b / shape.leafSize, b % shape.leafSize)
            for (input, pixel) in example.enumerated() {
                blocks[(leaf * inputs + input) * leafStride + place] = pixel
            }
        }
        return blocks
    }
}
