import NeuralNetwork
import TestSupport
import Testing

struct DenseTests {
    @Test(arguments: supportedVariants)
    func forward(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 1)
        for outputs in Array(1...200) + [300] {
            // Tiles of six examples and every rest; inputs of one visit and, now and then, more.
            let (examples, inputs) = (
                outputs % 21 + 1, outputs % 50 == 0 ? 256 + outputs : outputs % 13 + 1
            )
            let inputStride = roundUp(inputs, to: 16)
            let weightStride = outputs + outputs % 3
            // Whole blocks, or vectors where a block would not fit.
            let stride = roundUp(outputs, to: outputs % 5 < 2 ? 64 : 16)
            let hasSpecials = outputs % 4 == 0
            let draw = { (count: Int) in
                hasSpecials ? random.floatsWithSpecials(count) : random.floats(count)
            }
            let x = (0..<examples).map { _ in draw(inputs) }
            let weights = draw(inputs * weightStride)
            let bias: [Float]? = outputs % 2 == 0 ? draw(outputs) : nil
            let biasBuffer = bias.map { FloatBuffer($0) }
            let activations = FloatBuffer(padded(x, stride: inputStride))
            let weightBuffer = FloatBuffer(weights)
            let z = FloatBuffer(count: examples * stride)
            unsafe kernels.denseForward(
                activations.pointer, inputStride, examples, inputs, weightBuffer.pointer,
                weightStride, biasBuffer.map { unsafe UnsafePointer($0.pointer) }, outputs,
                z.pointer, stride)
            let actual = z.array
            for b in 0..<examples {
                let expected = Twin.forward(
                    x[b], skipsZeros: false, weights: weights, weightStride: weightStride,
                    bias: bias, outputs: outputs)
                let found = row(b, of: actual, stride: stride, width: outputs)
                #expect(
                    firstDifference(found, expected) == nil,
                    "\(outputs) outputs, \(inputs) inputs, example \(b) of \(examples)")
            }
        }
    }

    @Test(arguments: supportedVariants)
    func transpose(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        for (rows, columns) in [(1, 1), (16, 10), (17, 33), (128, 10), (5, 129)] {
            let stride = roundUp(rows, to: 16)
            let matrix = random.floats(rows * columns)
            let source = FloatBuffer(matrix)
            let target = FloatBuffer(count: columns * stride)
            unsafe kernels.transpose(source.pointer, rows, columns, target.pointer, stride)
            let expected = (0..<columns).map { column in
                (0..<rows).map { matrix[$0 * columns + column] }
            }
            #expect(
                firstDifference(target.array, padded(expected, stride: stride)) == nil,
                "\(rows) × \(columns)")
        }
    }

    @Test(arguments: supportedVariants)
    func weightGradient(variant: KernelVariant) {
        var random = SeededRandom(seed: 3)
        for (index, shape) in LeafShape.all.enumerated() {
            // Tiles of six or eight rows, every rest, and a beginning within the layer.
            let block = index % 5 < 2 ? 64 : 16
            expectWeightGradient(
                shape, rows: shape.rows(index), lower: index % 3,
                stride: roundUp(shape.outputs, to: block), index, KernelSet(variant), &random)
        }
    }

    /// Deltas so far apart that they are copied side by side; the last columns are no whole block.
    @Test(arguments: supportedVariants, [530, 576])
    func weightGradientOfManyColumns(variant: KernelVariant, outputs: Int) {
        var random = SeededRandom(seed: 5)
        for (index, leafSize) in [16, 7, 40].enumerated() {
            expectWeightGradient(
                LeafShape(leafSize: leafSize, examples: 37, outputs: outputs), rows: 34 + index,
                lower: index, stride: roundUp(outputs, to: 16), index + 1, KernelSet(variant),
                &random)
        }
    }

    /// - Parameter index: as in `LeafData`; every eighth has specials among its inputs, too.
    private func expectWeightGradient(
        _ shape: LeafShape, rows: Int, lower: Int, stride: Int, _ index: Int, _ kernels: KernelSet,
        _ random: inout SeededRandom
    ) {
        let inputStride = roundUp(lower + rows, to: 16)
        let data = LeafData(shape, stride: stride, index, &random)
        let x = (0..<shape.examples).map { _ in
            index % 8 == 0 ? random.floatsWithSpecials(rows) : random.floats(rows)
        }
        let before = [Float](repeating: 9, count: lower)
        let activations = FloatBuffer(padded(x.map { before + $0 }, stride: inputStride))
        let gradient = FloatBuffer([Float](repeating: 5, count: rows * shape.outputs + 1))
        unsafe kernels.denseWeightGradient(
            lower, lower + rows, activations.pointer, inputStride, data.deltaBuffer.pointer,
            data.stride, shape.examples, shape.leafSize, shape.outputs, gradient.pointer,
            data.squareBuffer.pointer, data.scratch.pointer)
        data.expect(
            gradient,
            Twin.weightGradient(
                inputs: x, skipsZeros: false, deltas: data.deltas, leafSize: shape.leafSize,
                rows: rows, outputs: shape.outputs, squares: data.squares))
    }

    @Test(arguments: supportedVariants)
    func biasGradient(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 4)
        for (index, shape) in LeafShape.all.enumerated() {
            let block = index % 5 < 2 ? 64 : 16
            let data = LeafData(shape, stride: roundUp(shape.outputs, to: block), index, &random)
            let gradient = FloatBuffer([Float](repeating: 5, count: shape.outputs + 1))
            unsafe kernels.biasGradient(
                data.deltaBuffer.pointer, data.stride, shape.examples, shape.leafSize,
                shape.outputs, gradient.pointer, data.squareBuffer.pointer, data.scratch.pointer)
            data.expect(
                gradient,
                Twin.biasGradient(
                    deltas: data.deltas, leafSize: shape.leafSize, outputs: shape.outputs,
                    squares: data.squares))
        }
    }

    @Test(arguments: supportedVariants)
    func sumOfSquares(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 5)
        for count in 1...200 {
            // What lies beyond the columns is not part of the sum.
            let squares = random.floats(count)
            let buffer = FloatBuffer(squares + [.nan])
            let sum = unsafe kernels.sumOfSquares(buffer.pointer, count)
            #expect(sameBits(sum, Twin.sumOfSquares(squares)), "\(count) columns")
        }
    }
}
