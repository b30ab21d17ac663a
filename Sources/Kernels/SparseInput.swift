import CVector

// The input layer. Its examples are sparse rows: the columns of the non-zero pixels, ascending, and their
// bytes; x = Float(byte) / 255 comes from a table. A zero contributes nothing. Outputs are visited in blocks of
// 64 columns, two at a time where there are 32 wide registers; weights, activations and deltas are padded so
// that a whole block may be read.

#if AVX512
    private let hasWideRegisters = true
#else
    private let hasWideRegisters = false
#endif

/// Continues each example's chain z[b, j] ← fma(x[b, p], w[p, j]) over its non-zero pixels p of the inputs
/// `lower ..< upper`, in order. It begins with bias[j] where `lower` is 0.
///
/// - Parameters:
///   - columns: of each example; so are `bytes` and `counts`, the number of its entries.
///   - done: of each example, the number of entries that lie below `lower`, and then below `upper`.
///   - intensities: x of each byte.
///   - weights: `[inputs, outputs]`, row-major, readable for 64 floats beyond its end.
///   - z: `[examples, outputs]`, rows `stride` floats apart, a multiple of 64.
@inline(never)
package func sparseForward(
    _ columns: UnsafePointer<UnsafePointer<UInt16>>, _ bytes: UnsafePointer<UnsafePointer<UInt8>>,
    _ counts: UnsafePointer<Int>, _ done: UnsafeMutablePointer<Int>, _ examples: Int,
    _ lower: Int, _ upper: Int, _ intensities: UnsafePointer<Float>,
    _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ outputs: Int,
    _ z: UnsafeMutablePointer<Float>, _ stride: Int
) {
    for b in 0..<examples {
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
            unsafe vector_store64(z + j, low)
            if isWide { unsafe vector_store64(z + j + 64, high) }
            j &+= isWide ? 128 : 64
        }
        unsafe done[b] = entry
    }
}

/// Writes one example's bytes into the block of its leaf, `[inputs, stride]`, at its place in the leaf.
@inline(never)
package func sparseScatter(
    _ columns: UnsafePointer<UInt16>, _ bytes: UnsafePointer<UInt8>, _ count: Int,
    _ block: UnsafeMutablePointer<UInt8>, _ stride: Int
) {
    for entry in 0..<count {
        unsafe block[Int(columns[entry]) &* stride] = bytes[entry]
    }
}

#if AVX512
    private typealias Block = SIMD64<Float>
#else
    private typealias Block = SIMD16<Float>
#endif
/// Columns of a block.
private let blockWidth = MemoryLayout<Block>.size / MemoryLayout<Float>.size

/// The weight gradient of input rows `lower ..< upper`, each leaf summed and the leaves folded in tree
/// order while a row is in registers.
///
/// A leaf's element is the chain of fma(x[b, p], δ[b, j]) from +0 over its examples b in order, then + (+0).
/// Two rows, neighbouring pixels mostly black or white together, go through the examples where either is not
/// zero: fma(0, δ, sum) leaves a sum as it is, but for a δ that is not finite, with which no step is committed.
/// - Parameters:
///   - pixels: `[leaf, input, leafStride]`: the bytes of a leaf's examples by input, zero where there are none.
///   - leafStride: bytes between two inputs, a multiple of 16 that is at least `leafSize`.
///   - leafSize: examples of each leaf but the last, which may have fewer.
///   - deltas: `[examples, outputs]`, rows `stride` floats apart, a multiple of 64.
///   - gradient: `[upper − lower, outputs]`; every element is written.
///   - squares: adds the squares of each leaf's elements, `[leaf, stride]`, a chain over rows.
///   - stack: scratch of 256 floats a level, 32 levels.
@inline(never)
package func sparseWeightGradient(
    _ lower: Int, _ upper: Int, _ pixels: UnsafePointer<UInt8>, _ inputs: Int, _ leafStride: Int,
    _ leafCount: Int, _ leafSize: Int, _ intensities: UnsafePointer<Float>,
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ stack: UnsafeMutablePointer<Float>
) {
    let zero = block_splat(0)
    var target = unsafe gradient
    var row = lower
    while row < upper {
        let isPair = row &+ 1 < upper
        var j = 0
        while j < outputs {
            let isWide = j &+ blockWidth < outputs
            // The sums of the last leaf that had a contribution: (row, half of the columns).
            var (s00, s01, s10, s11) = (zero, zero, zero, zero)
            var last = -1
            // Levels of the stack where a left sibling waits. One without a contribution does not: adding its
            // +0 would change nothing.
            var occupied: UInt32 = 0
            var bytes = unsafe pixels + row &* leafStride
            for leaf in 0..<leafCount {
                var leafDeltas = unsafe deltas + (leaf &* leafSize &* stride &+ j)
                var isFirst = true
                var group = 0
                while group < leafStride {
                    let first = unsafe bytes + group
                    let second = unsafe isPair ? first + leafStride : first
                    var mask = unsafe vector_nonzero_bytes(first) | vector_nonzero_bytes(second)
                    if mask != 0 {
                        if isFirst {
                            isFirst = false
                            if last >= 0 {
                                // The subtree that ends between the two leaves is complete.
                                let levels = Int.bitWidth &- 1 &- (last ^ leaf).leadingZeroBitCount
                                let complete = (1 &<< UInt32(truncatingIfNeeded: levels)) &- 1
                                unsafe fold(
                                    &s00, &s01, &s10, &s11, isWide, occupied & complete, stack)
                                occupied = occupied & ~complete | (complete &+ 1)
                                let waiting = unsafe stack + levels &* 256
                                unsafe block_store(waiting, s00)
                                unsafe block_store(waiting + 64, s10)
                                if isWide {
                                    unsafe block_store(waiting + 128, s01)
                                    unsafe block_store(waiting + 192, s11)
                                }
                                (s00, s01, s10, s11) = (zero, zero, zero, zero)
                            }
                        }
                        repeat {
                            let example = mask.trailingZeroBitCount
                            mask &= mask &- 1
                            let x0 = unsafe block_splat(intensities[Int(first[example])])
                            let x1 = unsafe block_splat(intensities[Int(second[example])])
                            let delta = unsafe leafDeltas + example &* stride
                            let low = unsafe block_load(delta)
                            s00 = block_fma(x0, low, s00)
                            s10 = block_fma(x1, low, s10)
                            if isWide {
                                let high = unsafe block_load(delta + blockWidth)
                                s01 = block_fma(x0, high, s01)
                                s11 = block_fma(x1, high, s11)
                            }
                        } while mask != 0
                    }
                    unsafe leafDeltas += 16 &* stride
                    group &+= 16
                }
                if !isFirst {
                    last = leaf
                    let total = unsafe squares + (leaf &* stride &+ j)
                    (s00, s10) = (block_add(s00, zero), block_add(s10, zero))
                    var sum = unsafe block_fma(s00, s00, block_load(total))
                    if isPair { sum = block_fma(s10, s10, sum) }
                    unsafe block_store(total, sum)
                    if isWide {
                        (s01, s11) = (block_add(s01, zero), block_add(s11, zero))
                        sum = unsafe block_fma(s01, s01, block_load(total + blockWidth))
                        if isPair { sum = block_fma(s11, s11, sum) }
                        unsafe block_store(total + blockWidth, sum)
                    }
                }
                unsafe bytes += inputs &* leafStride
            }
            unsafe fold(&s00, &s01, &s10, &s11, isWide, occupied, stack)
            unsafe block_store_first(target + j, s00, outputs &- j)
            if isPair { unsafe block_store_first(target + outputs + j, s10, outputs &- j) }
            if isWide {
                let (rest, next) = (outputs &- j &- blockWidth, j &+ blockWidth)
                unsafe block_store_first(target + next, s01, rest)
                if isPair { unsafe block_store_first(target + outputs + next, s11, rest) }
            }
            j &+= isWide ? 2 &* blockWidth : blockWidth
        }
        unsafe target += 2 &* outputs
        row &+= 2
    }
}

/// Adds the waiting left siblings, nearest first.
@inline(__always)
private func fold(
    _ s00: inout Block, _ s01: inout Block, _ s10: inout Block, _ s11: inout Block, _ isWide: Bool,
    _ waiting: UInt32, _ stack: UnsafePointer<Float>
) {
    var waiting = waiting
    while waiting != 0 {
        let left = unsafe stack + waiting.trailingZeroBitCount &* 256
        s00 = unsafe block_add(block_load(left), s00)
        s10 = unsafe block_add(block_load(left + 64), s10)
        if isWide {
            s01 = unsafe block_add(block_load(left + 128), s01)
            s11 = unsafe block_add(block_load(left + 192), s11)
        }
        waiting &= waiting &- 1
    }
}
