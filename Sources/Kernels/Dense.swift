import CVector

// Dense layers, visited in tiles of 4 examples (or inputs) by 16 outputs (8 by 16 where there are
// 32 registers). A tile's element is one chain, so the tiling does not show in the bits. Rows may
// be read up to 16 floats beyond their end; what lands in padding is never read.

/// z[b, j] ← chain of fma(a[b, p], w[p, j]) over p ascending, from bias[j], or from +0 without a
/// bias.
///
/// - Parameters:
///   - activations: `[examples, inputs]`, rows `activationStride` floats apart.
///   - weights: `[inputs, outputs]`, rows `weightStride` floats apart.
///   - z: `[examples, outputs]`, rows `stride` floats apart, a multiple of 16.
@inline(never)
package func denseForward(
    _ activations: UnsafePointer<Float>, _ activationStride: Int, _ examples: Int, _ inputs: Int,
    _ weights: UnsafePointer<Float>, _ weightStride: Int, _ bias: UnsafePointer<Float>?,
    _ outputs: Int, _ z: UnsafeMutablePointer<Float>, _ stride: Int
) {
    var j = 0
    while j < outputs {
        var start = splat(0)
        if let bias = unsafe bias { start = unsafe vector_load(bias + j) }
        var b = 0
        #if AVX512
            while b &+ 8 <= examples {
                let a = unsafe activations + b &* activationStride
                var (z0, z1, z2, z3) = (start, start, start, start)
                var (z4, z5, z6, z7) = (start, start, start, start)
                var row = unsafe weights + j
                for p in 0..<inputs {
                    let w = unsafe vector_load(row)
                    z0 = unsafe vector_fma(splat(a[p]), w, z0)
                    z1 = unsafe vector_fma(splat(a[activationStride &+ p]), w, z1)
                    z2 = unsafe vector_fma(splat(a[2 &* activationStride &+ p]), w, z2)
                    z3 = unsafe vector_fma(splat(a[3 &* activationStride &+ p]), w, z3)
                    z4 = unsafe vector_fma(splat(a[4 &* activationStride &+ p]), w, z4)
                    z5 = unsafe vector_fma(splat(a[5 &* activationStride &+ p]), w, z5)
                    z6 = unsafe vector_fma(splat(a[6 &* activationStride &+ p]), w, z6)
                    z7 = unsafe vector_fma(splat(a[7 &* activationStride &+ p]), w, z7)
                    unsafe row += weightStride
                }
                let target = unsafe z + (b &* stride &+ j)
                unsafe vector_store(target, z0)
                unsafe vector_store(target + stride, z1)
                unsafe vector_store(target + 2 &* stride, z2)
                unsafe vector_store(target + 3 &* stride, z3)
                unsafe vector_store(target + 4 &* stride, z4)
                unsafe vector_store(target + 5 &* stride, z5)
                unsafe vector_store(target + 6 &* stride, z6)
                unsafe vector_store(target + 7 &* stride, z7)
                b &+= 8
            }
        #endif
        while b &+ 4 <= examples {
            let a = unsafe activations + b &* activationStride
            var (z0, z1, z2, z3) = (start, start, start, start)
            var row = unsafe weights + j
            for p in 0..<inputs {
                let w = unsafe vector_load(row)
                z0 = unsafe vector_fma(splat(a[p]), w, z0)
                z1 = unsafe vector_fma(splat(a[activationStride &+ p]), w, z1)
                z2 = unsafe vector_fma(splat(a[2 &* activationStride &+ p]), w, z2)
                z3 = unsafe vector_fma(splat(a[3 &* activationStride &+ p]), w, z3)
                unsafe row += weightStride
            }
            let target = unsafe z + (b &* stride &+ j)
            unsafe vector_store(target, z0)
            unsafe vector_store(target + stride, z1)
            unsafe vector_store(target + 2 &* stride, z2)
            unsafe vector_store(target + 3 &* stride, z3)
            b &+= 4
        }
        while b < examples {
            let a = unsafe activations + b &* activationStride
            var sum = start
            var row = unsafe weights + j
            for p in 0..<inputs {
                sum = unsafe vector_fma(splat(a[p]), vector_load(row), sum)
                unsafe row += weightStride
            }
            unsafe vector_store(z + (b &* stride &+ j), sum)
            b &+= 1
        }
        j &+= 16
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

/// Puts a complete leaf on the binary counter of subtrees: merges it with those it completes.
@inline(__always)
private func carry(
    _ sum: SIMD16<Float>, _ leaf: Int, _ stack: UnsafeMutablePointer<Float>, _ lane: Int
) {
    var (sum, level, rest) = (sum, 0, leaf)
    while rest & 1 == 1 {
        sum = unsafe vector_load(stack + level &* 128 + lane &* 16) + sum
        level &+= 1
        rest &>>= 1
    }
    unsafe vector_store(stack + level &* 128 + lane &* 16, sum)
}

/// What remains on the counter after `leafCount` leaves, folded from the right.
@inline(__always)
private func foldRest(
    _ leafCount: Int, _ stack: UnsafeMutablePointer<Float>, _ lane: Int
) -> SIMD16<Float> {
    var rest = leafCount
    var level = rest.trailingZeroBitCount
    var sum = unsafe vector_load(stack + level &* 128 + lane &* 16)
    rest &= rest &- 1
    while rest != 0 {
        level = rest.trailingZeroBitCount
        sum = unsafe vector_load(stack + level &* 128 + lane &* 16) + sum
        rest &= rest &- 1
    }
    return sum
}

@inline(__always)
private func addSquares(
    _ sum: SIMD16<Float>, _ squares: UnsafeMutablePointer<Float>, _ offset: Int
) {
    unsafe vector_store(squares + offset, vector_fma(sum, sum, vector_load(squares + offset)))
}

/// The weight gradient of inputs `lower ..< upper` of a dense layer, folded in tree order.
///
/// A leaf's element is the chain of fma(a[b, p], δ[b, j]) from +0 over its examples b in order,
/// then + (+0).
/// - Parameters:
///   - activations: `[examples, inputs]`, rows `activationStride` floats apart.
///   - deltas: `[examples, outputs]`, rows `stride` floats apart, a multiple of 16.
///   - leafSize: examples of each leaf but the last, which may have fewer.
///   - gradient: `[upper − lower, outputs]`; every element is written.
///   - squares: adds the squares of each leaf's elements, `[leaf, stride]`, a chain over rows.
///   - stack: scratch of 128 floats a level, 32 levels.
@inline(never)
package func denseWeightGradient(
    _ lower: Int, _ upper: Int, _ activations: UnsafePointer<Float>, _ activationStride: Int,
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ examples: Int, _ leafSize: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ stack: UnsafeMutablePointer<Float>
) {
    let zero = splat(0)
    let leafCount = (examples &+ leafSize &- 1) / leafSize
    var j = 0
    while j < outputs {
        let width = outputs &- j
        var p = lower
        while p &+ 4 <= upper {
            for leaf in 0..<leafCount {
                var (g0, g1, g2, g3) = (zero, zero, zero, zero)
                for b in leaf &* leafSize..<min((leaf &+ 1) &* leafSize, examples) {
                    let a = unsafe activations + (b &* activationStride &+ p)
                    let delta = unsafe vector_load(deltas + (b &* stride &+ j))
                    g0 = unsafe vector_fma(splat(a[0]), delta, g0)
                    g1 = unsafe vector_fma(splat(a[1]), delta, g1)
                    g2 = unsafe vector_fma(splat(a[2]), delta, g2)
                    g3 = unsafe vector_fma(splat(a[3]), delta, g3)
                }
                (g0, g1, g2, g3) = (g0 + zero, g1 + zero, g2 + zero, g3 + zero)
                let offset = leaf &* stride &+ j
                unsafe addSquares(g0, squares, offset)
                unsafe addSquares(g1, squares, offset)
                unsafe addSquares(g2, squares, offset)
                unsafe addSquares(g3, squares, offset)
                unsafe carry(g0, leaf, stack, 0)
                unsafe carry(g1, leaf, stack, 1)
                unsafe carry(g2, leaf, stack, 2)
                unsafe carry(g3, leaf, stack, 3)
            }
            let target = unsafe gradient + ((p &- lower) &* outputs &+ j)
            unsafe vector_store_first(target, foldRest(leafCount, stack, 0), width)
            unsafe vector_store_first(target + outputs, foldRest(leafCount, stack, 1), width)
            unsafe vector_store_first(target + 2 &* outputs, foldRest(leafCount, stack, 2), width)
            unsafe vector_store_first(target + 3 &* outputs, foldRest(leafCount, stack, 3), width)
            p &+= 4
        }
        while p < upper {
            for leaf in 0..<leafCount {
                var sum = zero
                for b in leaf &* leafSize..<min((leaf &+ 1) &* leafSize, examples) {
                    let a = unsafe splat(activations[b &* activationStride &+ p])
                    sum = unsafe vector_fma(a, vector_load(deltas + (b &* stride &+ j)), sum)
                }
                sum += zero
                unsafe addSquares(sum, squares, leaf &* stride &+ j)
                unsafe carry(sum, leaf, stack, 0)
            }
            let target = unsafe gradient + ((p &- lower) &* outputs &+ j)
            unsafe vector_store_first(target, foldRest(leafCount, stack, 0), width)
            p &+= 1
        }
        j &+= 16
    }
}

/// The bias gradient: each leaf's sum of its deltas in order from +0, folded in tree order.
///
/// Parameters as in `denseWeightGradient`; `gradient` is `[outputs]`.
@inline(never)
package func biasGradient(
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ examples: Int, _ leafSize: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ stack: UnsafeMutablePointer<Float>
) {
    let leafCount = (examples &+ leafSize &- 1) / leafSize
    var j = 0
    while j < outputs {
        for leaf in 0..<leafCount {
            var sum = splat(0)
            for b in leaf &* leafSize..<min((leaf &+ 1) &* leafSize, examples) {
                sum += unsafe vector_load(deltas + (b &* stride &+ j))
            }
            sum += splat(0)
            unsafe addSquares(sum, squares, leaf &* stride &+ j)
            unsafe carry(sum, leaf, stack, 0)
        }
        unsafe vector_store_first(gradient + j, foldRest(leafCount, stack, 0), outputs &- j)
        j &+= 16
    }
}

/// The sum of squares that the gradient kernels left for one leaf: columns in vectors of 16, added
/// in order, then the lanes by halves.
@inline(never)
package func sumOfSquares(_ squares: UnsafePointer<Float>, _ outputs: Int) -> Float {
    var sum = splat(0)
    var j = 0
    while j < outputs {
        sum += unsafe vector_load_first(squares + j, outputs &- j)
        j &+= 16
    }
    return vector_lane_sum(sum)
}
