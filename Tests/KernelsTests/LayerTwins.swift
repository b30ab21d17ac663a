import TestSupport

/// What a weight-gradient kernel leaves behind: the tree's sum, and the squares of each leaf's
/// elements.
struct GradientTwin {
    /// `[rows, outputs]`.
    var gradient: [Float]
    /// By leaf `[outputs]`: a chain over rows from the squares before.
    var squares: [[Float]]
}

/// The dense and sparse layers.
extension Twin {
    /// z[j] = bias[j] (or +0), then a chain of x[p] w[p, j] over p; where `skipsZeros`, only
    /// non-zero x, and + (+0) at the end.
    static func forward(
        _ x: [Float], skipsZeros: Bool, weights: [Float], weightStride: Int, bias: [Float]?,
        outputs: Int
    ) -> [Float] {
        var z = bias ?? [Float](repeating: 0, count: outputs)
        for (p, value) in x.enumerated() where !(skipsZeros && value == 0) {
            for j in 0..<outputs { z[j].addProduct(value, weights[p * weightStride + j]) }
        }
        return skipsZeros ? z.map { $0 + 0 } : z
    }

    /// - Parameters:
    ///   - inputs: x of every example, for the rows of the gradient only: `[example][row]`.
    ///   - deltas: `[example][outputs]`.
    static func weightGradient(
        inputs: [[Float]], skipsZeros: Bool, deltas: [[Float]], leafSize: Int, rows: Int,
        outputs: Int, squares: [[Float]]
    ) -> GradientTwin {
        var squares = squares
        var leaves: [[Float]] = []
        for first in stride(from: 0, to: inputs.count, by: leafSize) {
            var sums = [Float](repeating: 0, count: rows * outputs)
            for b in first..<min(first + leafSize, inputs.count) {
                for row in 0..<rows where !(skipsZeros && inputs[b][row] == 0) {
                    for j in 0..<outputs {
                        sums[row * outputs + j].addProduct(inputs[b][row], deltas[b][j])
                    }
                }
            }
            for index in sums.indices {
                sums[index] += 0
                squares[leaves.count][index % outputs].addProduct(sums[index], sums[index])
            }
            leaves.append(sums)
        }
        return GradientTwin(gradient: treeFold(leaves), squares: squares)
    }

    static func biasGradient(
        deltas: [[Float]], leafSize: Int, outputs: Int, squares: [[Float]]
    ) -> GradientTwin {
        // A weight gradient of inputs that are all 1: fma(1, δ, sum) is sum + δ.
        let ones = [[Float]](repeating: [1], count: deltas.count)
        return weightGradient(
            inputs: ones, skipsZeros: false, deltas: deltas, leafSize: leafSize, rows: 1,
            outputs: outputs, squares: squares)
    }

    /// Sixteen lane sums over columns in order, then halves onto halves.
    static func sumOfSquares(_ squares: [Float]) -> Float {
        var lanes = [Float](repeating: 0, count: 16)
        for (column, square) in squares.enumerated() { lanes[column % 16] += square }
        while lanes.count > 1 {
            let half = lanes.count / 2
            lanes = (0..<half).map { lanes[$0] + lanes[half + $0] }
        }
        return lanes[0]
    }
}
