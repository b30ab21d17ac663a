import CVector

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
    _ bias: UnsafePointer<Float>, _ outputs: Int, _ z: UnsafeMutablePointer<Float>, _ stride: Int
) {
    let zero = vector_splat64(0)
    for b in 0..<examples {
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

/// Pairs of input rows that visit a leaf together, while its deltas are in the first cache.
private let pairsAtATime = 16
/// Columns of a pair's sums on the stack.
private let stackWidth = 128
/// Floats of a level of the stack, `[pair, row, column]`, and a gap: levels must not share a
/// cache's sets.
private let levelSize = pairsAtATime * 2 * stackWidth + 64
private let stackByteCount = 32 * levelSize * 4

/// Bytes of scratch that `sparseWeightGradient` needs.
package func sparseScratchByteCount() -> Int { stackByteCount + 8 * 2 * pairsAtATime }

/// The weight gradient of input rows `lower ..< upper`, each leaf summed and folded in tree order
/// while its sum is in registers.
///
/// A leaf's element is the chain of fma(x[b, p], δ[b, j]) from +0 over its examples b in order,
/// then + (+0), which is added where a sum is stored: within the fold, it changes no other sum. Two
/// rows, neighbouring pixels mostly black or white together, go through the examples where either
/// is not zero: fma(0, δ, sum) leaves a sum as it is, but for a δ that is not finite, with which no
/// step is committed.
/// - Parameters:
///   - pixels: `[leaf, input, leafStride]`: the bytes of a leaf's examples by input, zero where
///     there are none.
///   - leafStride: bytes between two inputs, a multiple of 16 that is at least `leafSize`.
///   - leafSize: examples of each leaf but the last, which may have fewer.
///   - deltas: `[examples, outputs]`, rows `stride` floats apart, a multiple of 64.
///   - gradient: `[upper − lower, outputs]`; every element is written.
///   - squares: adds the squares of each leaf's elements, `[leaf, stride]`, a chain over rows.
///   - scratch: `sparseScratchByteCount` bytes on a boundary of 64.
@inline(never)
package func sparseWeightGradient(
    _ lower: Int, _ upper: Int, _ pixels: UnsafePointer<UInt8>, _ inputs: Int, _ leafStride: Int,
    _ leafCount: Int, _ leafSize: Int, _ intensities: UnsafePointer<Float>,
    _ deltas: UnsafePointer<Float>, _ stride: Int, _ outputs: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutableRawPointer
) {
    let stack = unsafe scratch.assumingMemoryBound(to: Float.self)
    // Of each pair: the next leaf with a contribution, and the levels of the stack where a left
    // sibling waits. A sibling without a contribution does not: adding its +0 would change nothing.
    // The last leaf always counts; what it completes is the gradient.
    let nextLeaf = unsafe (scratch + stackByteCount).assumingMemoryBound(to: Int.self)
    let occupied = unsafe nextLeaf + pairsAtATime

    // A gradient that cannot be stored a block and a pair at a time takes a detour over the stack.
    let hasWholeBlocks = outputs % blockWidth == 0
    var block = lower
    while block < upper {
        let blockEnd = min(block &+ 2 &* pairsAtATime, upper)
        let pairs = (blockEnd &- block &+ 1) / 2
        var column = 0
        while column < outputs {
            let end = min(column &+ 2 &* blockWidth, outputs)
            let isWide = column &+ blockWidth < outputs
            for pair in 0..<pairs {
                let row = block &+ 2 &* pair
                unsafe occupied[pair] = 0
                unsafe nextLeaf[pair] = contributingLeaf(
                    from: 0, leafCount, pixels + row &* leafStride, inputs, leafStride,
                    row &+ 1 < upper ? leafStride : 0)
            }
            for leaf in 0..<leafCount {
                let leafDeltas = unsafe deltas + (leaf &* leafSize &* stride &+ column)
                let leafSquares = unsafe squares + (leaf &* stride &+ column)
                var squares0 = unsafe block_load(leafSquares)
                var squares1 = unsafe isWide ? block_load(leafSquares + blockWidth) : squares0
                for pair in 0..<pairs where unsafe nextLeaf[pair] == leaf {
                    let row = block &+ 2 &* pair
                    let second = row &+ 1 < upper ? leafStride : 0
                    let rowBytes = unsafe pixels + row &* leafStride
                    let leafBytes = unsafe rowBytes + leaf &* inputs &* leafStride
                    var (level, waiting) = unsafe (0, occupied[pair])
                    if leaf &+ 1 < leafCount {
                        let next = unsafe contributingLeaf(
                            from: leaf &+ 1, leafCount, rowBytes, inputs, leafStride, second)
                        // The subtree that ends between the two leaves is complete.
                        level = Int.bitWidth &- 1 &- (leaf ^ next).leadingZeroBitCount
                        let complete = (1 &<< level) &- 1
                        unsafe occupied[pair] = waiting & ~complete | (complete &+ 1)
                        waiting &= complete
                        unsafe nextLeaf[pair] = next
                    }
                    let sums = unsafe stack + (pair &* 2 &* stackWidth &- column)
                    var (target, distance) = unsafe (sums + level &* levelSize, stackWidth)
                    if leaf &+ 1 == leafCount && hasWholeBlocks && second != 0 {
                        unsafe (target, distance) = (gradient + (row &- lower) &* outputs, outputs)
                    }
                    if isWide {
                        unsafe addLeaf(
                            isWide: true, leafDeltas, stride, leafBytes, second, leafStride,
                            intensities, &squares0, &squares1, waiting, sums + column,
                            target + column, distance)
                    } else {
                        unsafe addLeaf(
                            isWide: false, leafDeltas, stride, leafBytes, second, leafStride,
                            intensities, &squares0, &squares1, waiting, sums + column,
                            target + column, distance)
                    }
                }
                unsafe block_store(leafSquares, squares0)
                if isWide { unsafe block_store(leafSquares + blockWidth, squares1) }
            }
            for row in (hasWholeBlocks ? blockEnd &- (blockEnd &- block) % 2 : block)..<blockEnd {
                let sums = unsafe stack + ((row &- block) &* stackWidth &- column)
                let target = unsafe gradient + (row &- lower) &* outputs
                var j = column
                while j < end {
                    unsafe block_store_first(target + j, block_load(sums + j), outputs &- j)
                    j &+= blockWidth
                }
            }
            column = end
        }
        block &+= 2 &* pairsAtATime
    }
}

/// Sums the examples' products for two rows and one block of columns, or two blocks where it is
/// wide, and stores them, folded with the siblings that wait on the stack, at `target` and
/// `distance` behind it.
@inline(__always)
private func addLeaf(
    isWide: Bool, _ deltas: UnsafePointer<Float>, _ stride: Int, _ bytes: UnsafePointer<UInt8>,
    _ second: Int, _ leafStride: Int, _ intensities: UnsafePointer<Float>,
    _ squares0: inout Block, _ squares1: inout Block, _ waiting: Int,
    _ sums: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ distance: Int
) {
    // (row, half of the columns)
    var (s00, s01) = (block_splat(0), block_splat(0))
    var (s10, s11) = (s00, s00)
    var group = 0
    while group < leafStride {
        let (first, other) = unsafe (bytes + group, bytes + group + second)
        let deltas = unsafe deltas + group &* stride
        var mask = unsafe vector_nonzero_bytes(first) | vector_nonzero_bytes(other)
        while mask != 0 {
            let example = mask.trailingZeroBitCount
            mask &= mask &- 1
            let x0 = unsafe block_splat(intensities[Int(first[example])])
            let x1 = unsafe block_splat(intensities[Int(other[example])])
            let delta = unsafe deltas + example &* stride
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
    squares0 = block_fma(s00, s00, squares0)
    if isWide { squares1 = block_fma(s01, s01, squares1) }
    // A row without a neighbour is its own, and counts once.
    if second != 0 {
        squares0 = block_fma(s10, s10, squares0)
        if isWide { squares1 = block_fma(s11, s11, squares1) }
    }
    var waiting = waiting
    while waiting != 0 {
        // The nearest first.
        let left = unsafe sums + waiting.trailingZeroBitCount &* levelSize
        waiting &= waiting &- 1
        s00 = unsafe block_add(block_load(left), s00)
        s10 = unsafe block_add(block_load(left + stackWidth), s10)
        if isWide {
            s01 = unsafe block_add(block_load(left + blockWidth), s01)
            s11 = unsafe block_add(block_load(left + stackWidth + blockWidth), s11)
        }
    }
    let zero = block_splat(0)
    unsafe block_store(target, block_add(s00, zero))
    unsafe block_store(target + distance, block_add(s10, zero))
    if isWide {
        unsafe block_store(target + blockWidth, block_add(s01, zero))
        unsafe block_store(target + distance + blockWidth, block_add(s11, zero))
    }
}

/// The first leaf from `leaf` on in which one of two rows has a pixel that is not zero, or the last
/// leaf.
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
