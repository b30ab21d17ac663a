package import CVector

// The input layer where most pixels are not zero: its products as those of a dense layer, from
// blocks of pixels. The bits are those of the sparse form: a zero pixel adds fma(0, w, z), which
// leaves z as it is but for the sign of a zero, as long as w is finite; and both forms end with
// + (+0), after which no zero has a sign to show.

/// Whether all are finite. A sum of x · 0 turns NaN where one is not.
@inline(never)
package func areFinite(_ values: UnsafePointer<Float>, _ count: Int) -> Bool {
    var (s0, s1, s2, s3) = (splat(0), splat(0), splat(0), splat(0))
    var i = 0
    while i &+ 64 <= count {
        s0 = unsafe vector_fma(vector_load(values + i), splat(0), s0)
        s1 = unsafe vector_fma(vector_load(values + i + 16), splat(0), s1)
        s2 = unsafe vector_fma(vector_load(values + i + 32), splat(0), s2)
        s3 = unsafe vector_fma(vector_load(values + i + 48), splat(0), s3)
        i &+= 64
    }
    while i < count {
        s0 = unsafe vector_fma(vector_load_first(values + i, count &- i), splat(0), s0)
        i &+= 16
    }
    return vector_lane_sum((s0 + s1) + (s2 + s3)) == 0
}

/// How many bytes of `count`, a multiple of 16, are not zero.
@inline(never)
package func countNonzero(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var (sum, i) = (0, 0)
    while i &+ 64 <= count {
        sum &+= unsafe vector_nonzero_bytes64(bytes + i).nonzeroBitCount
        i &+= 64
    }
    while i < count {
        sum &+= unsafe vector_nonzero_bytes(bytes + i).nonzeroBitCount
        i &+= 16
    }
    return sum
}

/// Pixels of examples that lie in one piece each. A row of a tile is an example, a step an input.
@safe private struct ExampleRows: TileInput {
    let pixels: UnsafePointer<UnsafePointer<UInt8>>
    let input: Int
    let intensities: UnsafePointer<Float>

    @inline(__always)
    subscript(row: Int, step: Int) -> Float {
        unsafe intensities[Int(pixels[row][input &+ step])]
    }

    @inline(__always)
    func advanced(row: Int, leaf: Int) -> Self {
        unsafe Self(pixels: pixels + row, input: input, intensities: intensities)
    }
}

/// Pixels by leaf, input and example. A row of a tile is an input, a step an example.
@safe private struct LeafColumns: TileInput {
    let pixels: UnsafePointer<UInt8>
    let leafStride: Int
    let leafStep: Int
    let intensities: UnsafePointer<Float>

    @inline(__always)
    subscript(row: Int, step: Int) -> Float {
        unsafe intensities[Int(pixels[row &* leafStride &+ step])]
    }

    @inline(__always)
    func advanced(row: Int, leaf: Int) -> Self {
        unsafe Self(
            pixels: pixels + (row &* leafStride &+ leaf &* leafStep), leafStride: leafStride,
            leafStep: leafStep, intensities: intensities)
    }
}

/// Continues the chains of some examples, z[b, j] ← fma(x[b, p], w[p, j]), over the inputs
/// `lower ..< upper`, in order. It begins with bias[j] where `lower` is 0, and ends with + (+0).
///
/// - Parameters:
///   - pixels: where the bytes of each example lie.
///   - intensities: x of each byte.
///   - weights: `[inputs, outputs]`, row-major, finite, readable for 64 floats beyond its end.
///   - z: `[examples, outputs]`, rows `stride` floats apart, at least the outputs in whole blocks
///     of 64.
///   - ahead: what is asked for meanwhile.
@inline(never)
package func denseInputForward(
    _ pixels: UnsafePointer<UnsafePointer<UInt8>>, _ examples: Int, _ lower: Int, _ upper: Int,
    _ intensities: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>, _ outputs: Int, _ z: UnsafeMutablePointer<Float>, _ stride: Int,
    _ ahead: vector_ahead
) {
    let x = unsafe ExampleRows(pixels: pixels, input: lower, intensities: intensities)
    for example in 0..<examples { unsafe vector_prefetch_ahead(ahead, example) }
    unsafe forwardColumns(
        x, examples, weights + lower &* outputs, outputs, upper &- lower,
        lower == 0 ? bias : UnsafePointer(z), lower == 0 ? 0 : stride, end: 0, outputs, z, stride)
}

/// The weight gradient of input rows `lower ..< upper`: the bits of `sparseWeightGradient`, for
/// finite deltas.
///
/// Parameters as there, and:
///   - examples: of all leaves.
///   - scratch: `foldScratchByteCount` bytes.
@inline(never)
package func denseInputGradient(
    _ lower: Int, _ upper: Int, _ pixels: UnsafePointer<UInt8>, _ inputs: Int, _ leafStride: Int,
    _ examples: Int, _ leafSize: Int, _ intensities: UnsafePointer<Float>,
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let x = unsafe LeafColumns(
        pixels: pixels + lower &* leafStride, leafStride: leafStride,
        leafStep: inputs &* leafStride, intensities: intensities)
    unsafe gradientColumns(
        upper &- lower, x, deltas, stride, examples, leafSize, outputs, gradient, squares, scratch)
}

/// Writes 16 examples' bytes side by side, for every input from `lower` on:
/// pixels[p, b] ← rows[b][lower + p].
///
/// - Parameters:
///   - rows: of 16 examples.
///   - pixels: `[width, pixelStride]`.
@inline(never)
package func transposePixels(
    _ rows: UnsafePointer<UnsafePointer<UInt8>>, _ lower: Int, _ width: Int,
    _ pixels: UnsafeMutablePointer<UInt8>, _ pixelStride: Int
) {
    var p = 0
    while p &+ 16 <= width {
        unsafe vector_transpose_bytes(rows, lower &+ p, pixels + p &* pixelStride, pixelStride)
        p &+= 16
    }
    while p < width {
        for b in 0..<16 { unsafe pixels[p &* pixelStride &+ b] = rows[b][lower &+ p] }
        p &+= 1
    }
}
