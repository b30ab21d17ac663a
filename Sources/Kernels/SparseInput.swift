package import CVector

// The input layer. Its examples are sparse rows: the columns of the non-zero pixels, ascending, and
// their bytes; x = Float(byte) / 255 comes from a table. A zero contributes nothing. Outputs are
// visited in blocks of 64 columns, two at a time where there are 32 wide registers; weights,
// activations and deltas are padded so that a whole block may be read.

#if AVX512
    private let hasWideRegisters = true
#else
    private let hasWideRegisters = false
#endif

/// Continues each example's chain z[b, j] ← fma(x[b, p], w[p, j]) over its non-zero pixels p of the
/// inputs `lower ..< upper`, in order. It begins with bias[j] where `lower` is 0.
///
/// - Parameters:
///   - columns: of each example; so are `bytes` and `counts`, the number of its entries.
///   - done: of each example, the number of entries that lie below `lower`, and then below `upper`.
///   - intensities: x of each byte.
///   - weights: `[inputs, outputs]`, row-major, readable for 64 floats beyond its end.
///   - z: `[examples, outputs]`, rows `stride` floats apart, a multiple of 64.
///   - ahead: what is asked for meanwhile.
@inline(never)
package func sparseForward(
    _ columns: UnsafePointer<UnsafePointer<UInt16>>, _ bytes: UnsafePointer<UnsafePointer<UInt8>>,
    _ counts: UnsafePointer<Int>, _ done: UnsafeMutablePointer<Int>, _ examples: Int,
    _ lower: Int, _ upper: Int, _ intensities: UnsafePointer<Float>,
    _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ outputs: Int,
    _ z: UnsafeMutablePointer<Float>, _ stride: Int, _ ahead: vector_ahead
) {
    for b in 0..<examples {
        unsafe vector_prefetch_ahead(ahead, b)
        let (columns, bytes, count) = unsafe (columns[b], bytes[b], counts[b])
        let first = unsafe lower == 0 ? 0 : done[b]
        let z = unsafe z + b &* stride
        let start = unsafe lower == 0 ? bias : UnsafePointer(z)
        var entry = first
        var j = 0
        while j < outputs {
            let isWide = hasWideRegisters && j &+ 64 < outputs
            var low = unsafe vector_load64(start + j)
            var high = unsafe isWide ? vector_load64(start + j + 64) : vector_splat64(0)
            entry = first
            while entry < count {
                let column = unsafe Int(columns[entry])
                if column >= upper { break }
                let x = unsafe vector_splat64(intensities[Int(bytes[entry])])
                let row = unsafe weights + (column &* outputs &+ j)
                low = unsafe vector_fma64(x, vector_load64(row), low)
                if isWide { high = unsafe vector_fma64(x, vector_load64(row + 64), high) }
                entry &+= 1
            }
            // + (+0): see `denseInputForward`.
            let zero = vector_splat64(0)
            unsafe vector_store64(z + j, vector_add64(low, zero))
            if isWide { unsafe vector_store64(z + j + 64, vector_add64(high, zero)) }
            j &+= isWide ? 128 : 64
        }
        unsafe done[b] = entry
    }
}

/// The same from rows that hold all pixels, zeros included.
///
/// - Parameters:
///   - rows: the bytes of each example, readable for 64 beyond `upper`.
///   - others: as in `sparseForward`.
@inline(never)
package func sparseForwardBytes(
    _ rows: UnsafePointer<UnsafePointer<UInt8>>, _ examples: Int, _ lower: Int, _ upper: Int,
    _ intensities: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>, _ outputs: Int, _ z: UnsafeMutablePointer<Float>, _ stride: Int,
    _ ahead: vector_ahead
) {
    let zero = vector_splat64(0)
    for b in 0..<examples {
        unsafe vector_prefetch_ahead(ahead, b)
        let bytes = unsafe rows[b]
        let z = unsafe z + b &* stride
        let start = unsafe lower == 0 ? bias : UnsafePointer(z)
        var j = 0
        while j < outputs {
            let isWide = hasWideRegisters && j &+ 64 < outputs
            var low = unsafe vector_load64(start + j)
            var high = unsafe isWide ? vector_load64(start + j + 64) : zero
            var first = lower
            while first < upper {
                var mask = unsafe vector_nonzero_bytes64(bytes + first)
                if upper &- first < 64 { mask &= (1 &<< UInt64(upper &- first)) &- 1 }
                while mask != 0 {
                    let column = first &+ mask.trailingZeroBitCount
                    mask &= mask &- 1
                    let x = unsafe vector_splat64(intensities[Int(bytes[column])])
                    let row = unsafe weights + (column &* outputs &+ j)
                    low = unsafe vector_fma64(x, vector_load64(row), low)
                    if isWide { high = unsafe vector_fma64(x, vector_load64(row + 64), high) }
                }
                first &+= 64
            }
            unsafe vector_store64(z + j, vector_add64(low, zero))
            if isWide { unsafe vector_store64(z + j + 64, vector_add64(high, zero)) }
            j &+= isWide ? 128 : 64
        }
    }
}

/// Writes one example's bytes into the block of its leaf, `[inputs, stride]`, at its place in the
/// leaf.
@inline(never)
package func sparseScatter(
    _ columns: UnsafePointer<UInt16>, _ bytes: UnsafePointer<UInt8>, _ count: Int,
    _ block: UnsafeMutablePointer<UInt8>, _ stride: Int
) {
    for entry in 0..<count {
        unsafe block[Int(columns[entry]) &* stride] = bytes[entry]
    }
}
