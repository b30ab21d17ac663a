import CVector

// Dense layers. Rows may be read up to a block beyond their end; what lands in padding is never
// read. How the products are made: Tiles.swift and GradientTiles.swift.

/// Inputs whose weights a forward product visits at a time: of a block of columns that is 64 KB,
/// which a second cache delivers as fast as it is used.
private let inputsAtATime = 256

/// z[b, j] ← chain of fma(a[b, p], w[p, j]) over p ascending, from bias[j], or from +0 without a
/// bias.
///
/// - Parameters:
///   - activations: `[examples, inputs]`, rows `activationStride` floats apart.
///   - weights: `[inputs, outputs]`, rows `weightStride` floats apart.
///   - z: `[examples, outputs]`, rows `stride` floats apart, a multiple of 16. Whole blocks are
///     faster.
@inline(never)
package func denseForward(
    _ activations: UnsafePointer<Float>, _ activationStride: Int, _ examples: Int, _ inputs: Int,
    _ weights: UnsafePointer<Float>, _ weightStride: Int, _ bias: UnsafePointer<Float>?,
    _ outputs: Int, _ z: UnsafeMutablePointer<Float>, _ stride: Int
) {
    var j = 0
    while j < outputs {
        let isBlock = isWholeBlock(j, outputs, stride)
        var p = 0
        while p < inputs {
            let count = min(inputsAtATime, inputs &- p)
            let x = unsafe MatrixInput(
                floats: activations + p, rowStep: activationStride, stepStep: 1, leafStep: 0)
            let w = unsafe weights + (p &* weightStride &+ j)
            var (start, startStep) = unsafe (bias.map { unsafe $0 + j }, 0)
            if p > 0 { unsafe (start, startStep) = (UnsafePointer(z + j), stride) }
            if isBlock {
                unsafe forwardRows(
                    x, examples, w, weightStride, count, start, startStep, end: -0.0, z + j,
                    stride)
            } else {
                #if AVX512
                    unsafe forwardNarrowRows(
                        x, examples, w, weightStride, count, start, startStep, end: -0.0, z + j,
                        stride)
                #endif
            }
            p &+= count
        }
        j &+= isBlock ? blockWidth : 16
    }
}

/// The transpose of `[rows, columns]`, row-major without gaps, with rows `stride` floats apart.
@inline(never)
package func transpose(
    _ matrix: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ transposed: UnsafeMutablePointer<Float>, _ stride: Int
) {
    // Sixteen rows at a time keep one line of each target row in the cache.
    var row = 0
    while row < rows {
        let end = min(row &+ 16, rows)
        for column in 0..<columns {
            let target = unsafe transposed + column &* stride
            for r in row..<end { unsafe target[r] = matrix[r &* columns &+ column] }
        }
        row = end
    }
}

/// The weight gradient of inputs `lower ..< upper` of a dense layer, folded in tree order.
///
/// A leaf's element is the chain of fma(a[b, p], δ[b, j]) from +0 over its examples b in order,
/// then + (+0), which is added to the fold's result: before, it changes no other sum.
/// - Parameters:
///   - activations: `[examples, inputs]`, rows `activationStride` floats apart.
///   - deltas: `[examples, outputs]`, rows `stride` floats apart, a multiple of 16. Whole blocks
///     are faster.
///   - leafSize: examples of each leaf but the last, which may have fewer.
///   - gradient: `[upper − lower, outputs]`; every element is written.
///   - squares: adds the squares of each leaf's elements, `[leaf, stride]`, a chain over rows.
///   - scratch: `foldScratchByteCount` bytes.
@inline(never)
package func denseWeightGradient(
    _ lower: Int, _ upper: Int, _ activations: UnsafePointer<Float>, _ activationStride: Int,
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ examples: Int, _ leafSize: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let x = unsafe MatrixInput(
        floats: activations + lower, rowStep: 1, stepStep: activationStride,
        leafStep: leafSize &* activationStride)
    unsafe gradientColumns(
        upper &- lower, x, deltas, stride, examples, leafSize, outputs, gradient, squares, scratch)
}

/// The bias gradient: each leaf's sum of its deltas in order from +0, folded in tree order.
///
/// Parameters as in `denseWeightGradient`; `gradient` is `[outputs]`, and `stack` is the scratch.
@inline(never)
package func biasGradient(
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ examples: Int, _ leafSize: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ stack: UnsafeMutablePointer<Float>
) {
    var j = 0
    while j < outputs {
        let isBlock = isWholeBlock(j, outputs, stride)
        let (deltas, squares) = unsafe (deltas + j, squares + j)
        var (leaf, first) = (0, 0)
        while first < examples {
            let end = min(first &+ leafSize, examples)
            let target =
                unsafe end == examples
                ? gradient + j : stack + (~leaf).trailingZeroBitCount &* foldLevelSize
            let width = end == examples ? outputs &- j : foldLevelSize
            var waiting = siblings(leaf, isLast: end == examples)
            if isBlock {
                var sum = block_splat(0)
                for b in first..<end {
                    sum = unsafe block_add(sum, block_load(deltas + b &* stride))
                }
                let place = unsafe squares + leaf &* stride
                unsafe block_store(place, block_fma(sum, sum, block_load(place)))
                while waiting != 0 {
                    let left = unsafe stack + waiting.trailingZeroBitCount &* foldLevelSize
                    sum = unsafe block_add(block_load(left), sum)
                    waiting &= waiting &- 1
                }
                unsafe block_store_first(target, block_add(sum, block_splat(0)), width)
            } else {
                var sum = splat(0)
                for b in first..<end { sum += unsafe vector_load(deltas + b &* stride) }
                let place = unsafe squares + leaf &* stride
                unsafe vector_store(place, vector_fma(sum, sum, vector_load(place)))
                while waiting != 0 {
                    let left = unsafe stack + waiting.trailingZeroBitCount &* foldLevelSize
                    sum = unsafe vector_load(left) + sum
                    waiting &= waiting &- 1
                }
                unsafe vector_store_first(target, sum + splat(0), width)
            }
            leaf &+= 1
            first = end
        }
        j &+= isBlock ? blockWidth : 16
    }
}

/// The sum of squares that the gradient kernels left for one leaf: columns in vectors of 16, added
/// in order, then the lanes by halves.
@inline(never)
package func sumOfSquares(_ squares: UnsafePointer<Float>, _ outputs: Int) -> Float {
    var sum = splat(0)
    var j = 0
    while j &+ 16 <= outputs {
        sum += unsafe vector_load(squares + j)
        j &+= 16
    }
    if j < outputs { sum += unsafe vector_load_first(squares + j, outputs &- j) }
    return vector_lane_sum(sum)
}
