import CVector

// The weight gradient of the input layer over pixels that are not zero. With 32 wide registers a
// leaf's examples are found and summed in one loop, all columns of 128 together. With 16, the
// columns take several passes, so the examples are listed first.

/// Pairs of input rows that visit a leaf together, while its deltas are in the first cache.
private let pairsAtATime = 16
/// Columns of a pair's sums on the stack.
private let stackWidth = 128
/// Floats of a level of the stack, `[pair, row, column]`, and a gap: levels must not share a
/// cache's sets.
private let levelSize = pairsAtATime * 2 * stackWidth + 64
private let stackByteCount = 32 * levelSize * 4

/// Bytes of scratch that `sparseWeightGradient` needs, with leaves of `leafStride` bytes an input.
package func sparseScratchByteCount(leafStride: Int) -> Int {
    stackByteCount + 8 * (2 * pairsAtATime + leafStride + 1) + 4 * 2 * leafStride
}

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
    #if !AVX512
        // Of each example of a leaf where a pair contributes: where its deltas lie, and x of both
        // rows.
        let places = unsafe occupied + pairsAtATime
        let x = unsafe UnsafeMutableRawPointer(places + leafStride + 1).assumingMemoryBound(
            to: Float.self)
    #endif

    // A gradient that cannot be stored a block and a pair at a time takes a detour over the stack.
    let hasWholeBlocks = outputs % blockWidth == 0
    var block = lower
    while block < upper {
        let blockEnd = min(block &+ 2 &* pairsAtATime, upper)
        let pairs = (blockEnd &- block &+ 1) / 2
        var column = 0
        while column < outputs {
            let end = min(column &+ stackWidth, outputs)
            #if AVX512
                let isWide = column &+ blockWidth < outputs
            #endif
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
                #if AVX512
                    var squares0 = unsafe block_load(leafSquares)
                    var squares1 = unsafe isWide ? block_load(leafSquares + blockWidth) : squares0
                #endif
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
                    #if AVX512
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
                    #else
                        unsafe listExamples(
                            leafBytes, second, leafStride, intensities, stride, places, x)
                        var j = 0
                        while column &+ j < end {
                            // `isWide` is a constant in both calls, so nothing asks for it in a
                            // loop.
                            let (deltas, squares) = unsafe (leafDeltas + j, leafSquares + j)
                            if column &+ j &+ blockWidth < outputs {
                                unsafe addLeaf(
                                    isWide: true, deltas, places, x, squares, waiting,
                                    sums + column + j, target + column + j, distance)
                                j &+= 2 &* blockWidth
                            } else {
                                unsafe addLeaf(
                                    isWide: false, deltas, places, x, squares, waiting,
                                    sums + column + j, target + column + j, distance)
                                j &+= blockWidth
                            }
                        }
                    #endif
                }
                #if AVX512
                    unsafe block_store(leafSquares, squares0)
                    if isWide { unsafe block_store(leafSquares + blockWidth, squares1) }
                #endif
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

/// Folds a leaf's sums, (row, half of the columns), with the siblings that wait on the stack, and
/// stores them at `target` and `distance` behind it.
@inline(__always)
private func foldLeaf(
    isWide: Bool, _ s00: Block, _ s01: Block, _ s10: Block, _ s11: Block, _ waiting: Int,
    _ sums: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ distance: Int
) {
    var (s00, s01, s10, s11) = (s00, s01, s10, s11)
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

#if AVX512
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
        unsafe foldLeaf(
            isWide: isWide, s00, s01, s10, s11, waiting, sums, target, distance)
    }
#else
    /// Sums the listed examples' products for two rows and one block of columns, or two blocks
    /// where it is wide, and stores them, folded with the siblings that wait on the stack, at
    /// `target` and `distance` behind it.
    @inline(__always)
    private func addLeaf(
        isWide: Bool, _ deltas: UnsafePointer<Float>, _ places: UnsafePointer<Int>,
        _ x: UnsafePointer<Float>, _ squares: UnsafeMutablePointer<Float>, _ waiting: Int,
        _ sums: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ distance: Int
    ) {
        // (row, half of the columns)
        var (s00, s01) = (block_splat(0), block_splat(0))
        var (s10, s11) = (s00, s00)
        var example = 0
        while true {
            let place = unsafe places[example]
            if place < 0 { break }
            let x0 = unsafe block_splat(x[2 &* example])
            let x1 = unsafe block_splat(x[2 &* example &+ 1])
            let delta = unsafe deltas + place
            let low = unsafe block_load(delta)
            s00 = block_fma(x0, low, s00)
            s10 = block_fma(x1, low, s10)
            if isWide {
                let high = unsafe block_load(delta + blockWidth)
                s01 = block_fma(x0, high, s01)
                s11 = block_fma(x1, high, s11)
            }
            example &+= 1
        }
        unsafe addSquares(s00, s10, squares)
        if isWide { unsafe addSquares(s01, s11, squares + blockWidth) }
        unsafe foldLeaf(
            isWide: isWide, s00, s01, s10, s11, waiting, sums, target, distance)
    }

    /// Lists a leaf's examples where one of two rows is not zero; a place of −1 ends the list.
    @inline(__always)
    private func listExamples(
        _ bytes: UnsafePointer<UInt8>, _ second: Int, _ leafStride: Int,
        _ intensities: UnsafePointer<Float>, _ stride: Int, _ places: UnsafeMutablePointer<Int>,
        _ x: UnsafeMutablePointer<Float>
    ) {
        var (group, count) = (0, 0)
        while group < leafStride {
            let (first, other) = unsafe (bytes + group, bytes + group + second)
            var mask = unsafe vector_nonzero_bytes(first) | vector_nonzero_bytes(other)
            while mask != 0 {
                let example = mask.trailingZeroBitCount
                mask &= mask &- 1
                unsafe places[count] = (group &+ example) &* stride
                unsafe x[2 &* count] = intensities[Int(first[example])]
                unsafe x[2 &* count &+ 1] = second == 0 ? 0 : intensities[Int(other[example])]
                count &+= 1
            }
            group &+= 16
        }
        unsafe places[count] = -1
    }

    @inline(__always)
    private func addSquares(
        _ first: Block, _ second: Block, _ squares: UnsafeMutablePointer<Float>
    ) {
        let sum = unsafe block_fma(first, first, block_load(squares))
        unsafe block_store(squares, block_fma(second, second, sum))
    }
#endif

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
