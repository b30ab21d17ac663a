import NeuralNetwork
import TestSupport
import Testing

struct SparseInputTests {
    /// Few, some and all pixels set; none at all.
    private static let densities = [0.02, 0.3, 1, 0]

    private static let intensities = FloatBuffer((0..<256).map { Float($0) / 255 })

    /// Zero pixels contribute nothing, also against an infinite or undefined weight. Inputs may be
    /// visited in pieces, some of them empty, without a change to a bit.
    @Test(arguments: supportedVariants)
    func forward(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        let inputs = 29
        for outputs in Array(1...200) + [300] {
            let examples = outputs % 5 + 1
            let pixels = (0..<examples).map {
                random.pixels(inputs, density: Self.densities[(outputs + $0) % 4])
            }
            let weights =
                outputs % 4 == 0
                ? random.floatsWithSpecials(inputs * outputs) : random.floats(inputs * outputs)
            // A −0 shows in no result.
            let bias = random.floats(outputs).map { $0 < -0.8 ? -0.0 : $0 }
            let expected = pixels.map { pixels in
                Twin.forward(
                    pixels.map { Float($0) / 255 }, skipsZeros: true, weights: weights,
                    weightStride: outputs, bias: bias, outputs: outputs)
            }
            for ends in [[inputs], [1, 2, 3, 28, inputs], [14, 40], [inputs + 5, inputs + 9]] {
                let z = Self.forward(kernels, pixels, weights, bias, ends: ends)
                for (b, expected) in expected.enumerated() {
                    #expect(
                        firstDifference(z[b], expected) == nil,
                        "\(outputs) outputs, example \(b) of \(examples), inputs cut at \(ends)")
                }
            }
        }
    }

    /// z of every example, visiting the inputs up to each of `ends` in turn.
    private static func forward(
        _ kernels: KernelSet, _ pixels: [[UInt8]], _ weights: [Float], _ bias: [Float], ends: [Int]
    ) -> [[Float]] {
        let columns = pixels.map { row in row.indices.filter { row[$0] != 0 }.map(UInt16.init) }
        let counts = columns.map(\.count)
        let starts = counts.indices.map { counts[..<$0].reduce(0, +) }
        let (weights, bias) = (FloatBuffer(weights), FloatBuffer(bias))
        let stride = roundUp(bias.count, to: 64)
        let z = FloatBuffer([Float](repeating: 5, count: pixels.count * stride))
        var done = [Int](repeating: 99, count: pixels.count)
        unsafe columns.flatMap(\.self).withUnsafeBufferPointer { allColumns in
            unsafe pixels.joined().filter { $0 != 0 }.withUnsafeBufferPointer { allBytes in
                // An array without elements may have no address; then nothing is read from this
                // one.
                let nothing = unsafe UnsafeRawPointer(z.pointer)
                let columns =
                    unsafe allColumns.baseAddress ?? nothing.assumingMemoryBound(to: UInt16.self)
                let bytes =
                    unsafe allBytes.baseAddress ?? nothing.assumingMemoryBound(to: UInt8.self)
                for (lower, upper) in zip([0] + ends, ends) {
                    unsafe kernels.sparseForward(
                        starts.map { unsafe columns + $0 }, starts.map { unsafe bytes + $0 },
                        counts, &done, pixels.count, lower, upper, intensities.pointer,
                        weights.pointer, bias.pointer, bias.count, z.pointer, stride,
                        KernelSet.nothingAhead)
                }
            }
        }
        #expect(done == counts)
        return pixels.indices.map {
            row($0, of: z.array, stride: stride, width: bias.count)
        }
    }

    /// Rows with all pixels give the same, and what lies behind the visited inputs does not show.
    @Test(arguments: supportedVariants)
    func forwardFromBytes(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 3)
        let inputs = 150
        for outputs in [1, 10, 16, 33, 64, 65, 100, 128, 129, 300] {
            for density in Self.densities {
                let pixels = (0..<3).map { _ in random.pixels(inputs, density: density) }
                let weights =
                    outputs % 2 == 0
                    ? random.floatsWithSpecials(inputs * outputs) : random.floats(inputs * outputs)
                let bias = random.floats(outputs).map { $0 < -0.8 ? -0.0 : $0 }
                let (weightBuffer, biasBuffer) = (FloatBuffer(weights), FloatBuffer(bias))
                let stride = roundUp(outputs, to: 64)
                let z = FloatBuffer([Float](repeating: 5, count: 3 * stride))
                let rows = pixels.map { $0 + [UInt8](repeating: 9, count: 64) }
                unsafe rows.joined().map(\.self).withUnsafeBufferPointer { bytes in
                    guard let base = bytes.baseAddress else { return }
                    let starts = unsafe (0..<3).map { unsafe base + $0 * (inputs + 64) }
                    for (lower, upper) in [(0, 1), (1, 64), (64, 129), (129, inputs)] {
                        unsafe kernels.sparseForwardBytes(
                            starts, 3, lower, upper, Self.intensities.pointer,
                            weightBuffer.pointer, biasBuffer.pointer, outputs, z.pointer, stride,
                            KernelSet.nothingAhead)
                    }
                }
                for b in 0..<3 {
                    let expected = Twin.forward(
                        pixels[b].map { Float($0) / 255 }, skipsZeros: true, weights: weights,
                        weightStride: outputs, bias: bias, outputs: outputs)
                    let found = row(b, of: z.array, stride: stride, width: outputs)
                    #expect(firstDifference(found, expected) == nil, "\(outputs), \(density)")
                }
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
            // Few rows, or more than visit a leaf together.
            let (lower, rows) = (index % 3, index % 13 == 5 ? 64 + index % 5 : index % 4 + 1)
            let inputs = lower + rows + 1
            let pixels = (0..<shape.examples).map { _ in
                random.pixels(inputs, density: Self.densities[index % 4])
            }
            let leafStride = roundUp(shape.leafSize, to: 16)
            // Deltas that are not finite commit no step, and may show in a neighbouring row.
            let data = LeafData(
                shape, stride: roundUp(shape.outputs, to: 64), index / 4, isFinite: true, &random)
            let gradient = FloatBuffer([Float](repeating: 5, count: rows * shape.outputs + 1))
            let scratch = KernelSet.sparseScratch(leafStride: leafStride)
            for index in 0..<scratch.count { unsafe scratch.pointer[index] = .nan }
            unsafe kernels.sparseWeightGradient(
                lower, lower + rows,
                Self.blocks(pixels, shape, inputs: inputs, leafStride: leafStride), inputs,
                leafStride, shape.leafCount, shape.leafSize, Self.intensities.pointer,
                data.deltaBuffer.pointer, data.stride, shape.outputs, gradient.pointer,
                data.squareBuffer.pointer, scratch.pointer)
            let x = pixels.map { $0[lower..<lower + rows].map { Float($0) / 255 } }
            data.expect(
                gradient,
                Twin.weightGradient(
                    inputs: x, skipsZeros: true, deltas: data.deltas, leafSize: shape.leafSize,
                    rows: rows, outputs: shape.outputs, squares: data.squares))
        }
    }

    /// `[leaf, input, leafStride]`
    static func blocks(
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
