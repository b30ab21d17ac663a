import NeuralNetwork
import TestSupport
import Testing

/// Random deltas of a batch in leaves, and the buffers that a gradient kernel takes beside its
/// inputs.
struct LeafData {
    let shape: LeafShape
    let stride: Int
    /// `[example][output]`
    let deltas: [[Float]]
    /// `[leaf][output]`: the squares before.
    let squares: [[Float]]
    let deltaBuffer: FloatBuffer
    let squareBuffer: FloatBuffer
    let scratch: FloatBuffer

    /// - Parameters:
    ///   - index: every fourth has infinities, NaN, zeros of both signs and denormals among its
    ///     deltas.
    ///   - isFinite: leaves infinities and NaN out.
    init(
        _ shape: LeafShape, stride: Int, _ index: Int, isFinite: Bool = false,
        _ random: inout SeededRandom
    ) {
        self.shape = shape
        scratch = KernelSet.foldScratch(examples: shape.examples)
        self.stride = stride
        var (deltas, squares): ([[Float]], [[Float]]) = ([], [])
        for _ in 0..<shape.examples {
            let row =
                index % 4 == 0
                ? random.floatsWithSpecials(shape.outputs) : random.floats(shape.outputs)
            deltas.append(isFinite ? row.map { $0.isFinite ? $0 : 1 } : row)
        }
        for _ in 0..<shape.leafCount {
            squares.append(random.floats(shape.outputs).map(\.magnitude))
        }
        self.deltas = deltas
        self.squares = squares
        // What lies in padding must not show.
        deltaBuffer = FloatBuffer(padded(deltas, stride: stride, filler: 3))
        squareBuffer = FloatBuffer(padded(squares, stride: stride, filler: 3))
        for index in 0..<scratch.count { unsafe scratch.pointer[index] = .nan }
    }

    /// Compares the gradient, the float behind it, which must be as it was, and the squares.
    func expect(
        _ gradient: FloatBuffer, _ twin: GradientTwin,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            firstDifference(gradient.array, twin.gradient + [5]) == nil, "\(shape)",
            sourceLocation: sourceLocation)
        let found = squareBuffer.array
        for leaf in 0..<shape.leafCount {
            #expect(
                firstDifference(
                    row(leaf, of: found, stride: stride, width: shape.outputs), twin.squares[leaf])
                    == nil, "squares of leaf \(leaf), \(shape)", sourceLocation: sourceLocation)
        }
    }
}
