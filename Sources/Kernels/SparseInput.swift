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

/// The weight gradient of input rows `lower ..< upper`, each leaf summed and folded in tree order while its sum
/// is in registers.
///
/// A leaf's element is the chain of fma(x[b, p], δ[b, j]) from +0 over its examples b in order, then + (+0): added
/// once, after the fold, because a −0 within it changes no sum but a zero.
/// Two rows, neighbouring pixels mostly black or white together, go through the examples where either is not
/// zero: fma(0, δ, sum) leaves a sum as it is, but for a δ that is not finite, with which no step is committed.
/// All passes over a leaf's columns follow each other: they take as many turns, which a CPU learns to predict.
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
    var row = lower
    while row < upper {
        let isPair = row &+ 1 < upper
        let rowBytes = unsafe pixels + row &* leafStride
        let second = isPair ? leafStride : 0
        // As many columns as a level of the stack holds.
        var first = 0
        while first < outputs {
            let end = min(first &+ 128, outputs)
            // Levels of the stack where a left sibling waits. One without a contribution does not: adding its
            // +0 would change nothing. The last leaf always counts; what it completes is the gradient.
            var occupied: UInt32 = 0
            var leaf = unsafe contributingLeaf(
                from: 0, leafCount, rowBytes, inputs, leafStride, second)
            while leaf < leafCount {
                let isLast = leaf &+ 1 == leafCount
                var (next, level, waiting) = (leafCount, 0, occupied)
                if !isLast {
                    next = unsafe contributingLeaf(
                        from: leaf &+ 1, leafCount, rowBytes, inputs, leafStride, second)
                    // The subtree that ends between the two leaves is complete.
                    level = Int.bitWidth &- 1 &- (leaf ^ next).leadingZeroBitCount
                    let complete = (1 &<< UInt32(truncatingIfNeeded: level)) &- 1
                    waiting = occupied & complete
                    occupied = occupied & ~complete | (complete &+ 1)
                }
                let bytes = unsafe rowBytes + leaf &* inputs &* leafStride
                var j = first
                while j < end {
                    let isWide = j &+ blockWidth < outputs
                    // (row, half of the columns)
                    var (s00, s01) = (block_splat(0), block_splat(0))
                    var (s10, s11) = (s00, s00)
                    unsafe addExamples(
                        &s00, &s01, &s10, &s11, isWide, bytes, second, leafStride, intensities,
                        deltas + (leaf &* leafSize &* stride &+ j), stride)
                    let total = unsafe squares + (leaf &* stride &+ j)
                    unsafe addSquares(s00, s10, isPair, total)
                    if isWide { unsafe addSquares(s01, s11, isPair, total + blockWidth) }
                    let columns = unsafe stack + (j &- first)
                    unsafe fold(&s00, &s01, &s10, &s11, isWide, waiting, columns)
                    if isLast {
                        let target = unsafe gradient + ((row &- lower) &* outputs &+ j)
                        let (next, rest) = unsafe (target + blockWidth, outputs &- j)
                        unsafe storeTotal(target, s00, rest)
                        if isWide { unsafe storeTotal(next, s01, rest &- blockWidth) }
                        if isPair {
                            unsafe storeTotal(target + outputs, s10, rest)
                            if isWide { unsafe storeTotal(next + outputs, s11, rest &- blockWidth) }
                        }
                    } else {
                        let place = unsafe columns + level &* 256
                        unsafe block_store(place, s00)
                        unsafe block_store(place + 128, s10)
                        if isWide {
                            unsafe block_store(place + blockWidth, s01)
                            unsafe block_store(place + 128 + blockWidth, s11)
                        }
                    }
                    j &+= isWide ? 2 &* blockWidth : blockWidth
                }
                leaf = next
            }
            first = end
        }
        row &+= 2
    }
}

/// The first leaf from `leaf` on in which one of two rows has a pixel that is not zero, or the last leaf.
@inline(__always)
private func contributingLeaf(
    from leaf: Int, _ leafCount: Int, _ rowBytes: UnsafePointer<UInt8>, _ inputs: Int,
    _ leafStride: Int, _ second: Int
) -> Int {
    var leaf = leaf
    while leaf &+ 1 < leafCount {
        let bytes = unsafe rowBytes + leaf &* inputs &* leafStride
        var group = 0
        while group < leafStride {
            let (x0, x1) = unsafe (bytes + group, bytes + group + second)
            if unsafe vector_nonzero_bytes(x0) | vector_nonzero_bytes(x1) != 0 { return leaf }
            group &+= 16
        }
        leaf &+= 1
    }
    return leaf
}

/// Adds the products of a leaf's examples where one of two rows is not zero.
@inline(__always)
private func addExamples(
    _ s00: inout Block, _ s01: inout Block, _ s10: inout Block, _ s11: inout Block, _ isWide: Bool,
    _ bytes: UnsafePointer<UInt8>, _ second: Int, _ leafStride: Int,
    _ intensities: UnsafePointer<Float>, _ deltas: UnsafePointer<Float>, _ stride: Int
) {
    var group = 0
    while group < leafStride {
        let (first, second) = unsafe (bytes + group, bytes + group + second)
        let groupDeltas = unsafe deltas + group &* stride
        var mask = unsafe vector_nonzero_bytes(first) | vector_nonzero_bytes(second)
        while mask != 0 {
            let example = mask.trailingZeroBitCount
            mask &= mask &- 1
            let x0 = unsafe block_splat(intensities[Int(first[example])])
            let x1 = unsafe block_splat(intensities[Int(second[example])])
            let delta = unsafe groupDeltas + example &* stride
            let low = unsafe block_load(delta)
            s00 = block_fma(x0, low, s00)
            s10 = block_fma(x1, low, s10)
            if isWide {
                let high = unsafe block_load(delta + blockWidth)
                s01 = block_fma(x0, high, s01)
                s11 = block_fma(x1, high, s11)
            }
        }
        group &+= 16
    }
}

@inline(__always)
private func addSquares(
    _ first: Block, _ second: Block, _ isPair: Bool, _ squares: UnsafeMutablePointer<Float>
) {
    var sum = unsafe block_fma(first, first, block_load(squares))
    if isPair { sum = block_fma(second, second, sum) }
    unsafe block_store(squares, sum)
}

/// Stores the first `count` columns of a complete sum, a −0 as +0.
@inline(__always)
private func storeTotal(_ target: UnsafeMutablePointer<Float>, _ sum: Block, _ count: Int) {
    unsafe block_store_first(target, block_add(sum, block_splat(0)), count)
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
        s10 = unsafe block_add(block_load(left + 128), s10)
        if isWide {
            s01 = unsafe block_add(block_load(left + blockWidth), s01)
            s11 = unsafe block_add(block_load(left + 128 + blockWidth), s11)
        }
        waiting &= waiting &- 1
    }
}
