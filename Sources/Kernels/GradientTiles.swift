import CVector

// Weight gradients in tiles: a tile's sums of one leaf are made in registers, then merged with the
// subtrees that wait on a stack, as a binary counter is increased; so the stack of a tile, some
// kilobytes, stays in the first cache, whatever the number of leaves.

/// Floats of a level of the stack: the largest tile.
let foldLevelSize = 6 * 64

/// Bytes of the stack of a fold: 32 levels, for any number of leaves.
package func foldStackByteCount() -> Int { 32 * foldLevelSize * 4 }

/// The siblings that wait for a leaf, as bits of their levels, and the level of what it completes.
/// The last leaf is merged with all.
@inline(__always)
func siblings(_ leaf: Int, isLast: Bool) -> Int { isLast ? leaf : leaf & ~(leaf &+ 1) }

/// One leaf's sums of a tile, and their squares; parameters as in `gradientRows`.
@inline(__always)
private func sumLeaf(
    rows: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int,
    _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ count: Int,
    _ squares: UnsafeMutablePointer<Float>, _ c0: inout Block, _ c1: inout Block,
    _ c2: inout Block, _ c3: inout Block, _ c4: inout Block, _ c5: inout Block
) {
    let zero = block_splat(0)
    (c0, c1, c2, c3, c4, c5) = (zero, zero, zero, zero, zero, zero)
    unsafe multiplyTile(
        rows: rows, x, rowStep, step, deltas, deltaStep, count, &c0, &c1, &c2, &c3, &c4, &c5)
    var sum = unsafe block_fma(c0, c0, block_load(squares))
    if rows > 1 { sum = block_fma(c1, c1, sum) }
    if rows > 2 { sum = block_fma(c2, c2, sum) }
    if rows > 3 { sum = block_fma(c3, c3, sum) }
    if rows > 4 { sum = block_fma(c4, c4, sum) }
    if rows > 5 { sum = block_fma(c5, c5, sum) }
    unsafe block_store(squares, sum)
}

/// c[r] ← left[r] + c[r], of a tile that lies on the stack.
@inline(__always)
private func addTile(
    rows: Int, _ left: UnsafePointer<Float>, _ c0: inout Block, _ c1: inout Block,
    _ c2: inout Block, _ c3: inout Block, _ c4: inout Block, _ c5: inout Block
) {
    c0 = unsafe block_add(block_load(left), c0)
    if rows > 1 { c1 = unsafe block_add(block_load(left + blockWidth), c1) }
    if rows > 2 { c2 = unsafe block_add(block_load(left + 2 &* blockWidth), c2) }
    if rows > 3 { c3 = unsafe block_add(block_load(left + 3 &* blockWidth), c3) }
    if rows > 4 { c4 = unsafe block_add(block_load(left + 4 &* blockWidth), c4) }
    if rows > 5 { c5 = unsafe block_add(block_load(left + 5 &* blockWidth), c5) }
}

/// Stores a tile, `distance` floats from row to row.
@inline(__always)
private func storeTile(
    rows: Int, _ target: UnsafeMutablePointer<Float>, _ distance: Int, _ c0: Block, _ c1: Block,
    _ c2: Block, _ c3: Block, _ c4: Block, _ c5: Block
) {
    unsafe block_store(target, c0)
    if rows > 1 { unsafe block_store(target + distance, c1) }
    if rows > 2 { unsafe block_store(target + 2 &* distance, c2) }
    if rows > 3 { unsafe block_store(target + 3 &* distance, c3) }
    if rows > 4 { unsafe block_store(target + 4 &* distance, c4) }
    if rows > 5 { unsafe block_store(target + 5 &* distance, c5) }
}

/// The gradient of `rows` rows and one block of columns; parameters as in `gradientRows`.
///
/// Leaves go in pairs: an even one waits in a place of its own for the odd one, so that the lowest
/// level, half of all additions, asks nothing that a processor might guess wrong.
@inline(__always)
private func gradientTile(
    rows: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int, _ leafStep: Int,
    _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int, _ leafSize: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
    _ squares: UnsafeMutablePointer<Float>, _ stack: UnsafeMutablePointer<Float>
) {
    let zero = block_splat(0)
    var (c0, c1, c2, c3, c4, c5) = (zero, zero, zero, zero, zero, zero)
    var (x, deltas, squares) = unsafe (x, deltas, squares)
    var (pair, rest) = (0, examples)
    while true {
        let count = min(leafSize, rest)
        unsafe sumLeaf(
            rows: rows, x, rowStep, step, deltas, deltaStep, count, squares, &c0, &c1, &c2, &c3,
            &c4, &c5)
        rest &-= count
        if rest > 0 {
            unsafe storeTile(rows: rows, stack, blockWidth, c0, c1, c2, c3, c4, c5)
            let odd = min(leafSize, rest)
            unsafe sumLeaf(
                rows: rows, x + leafStep, rowStep, step, deltas + leafSize &* deltaStep, deltaStep,
                odd, squares + deltaStep, &c0, &c1, &c2, &c3, &c4, &c5)
            unsafe addTile(rows: rows, stack, &c0, &c1, &c2, &c3, &c4, &c5)
            rest &-= odd
        }
        // Higher levels lie behind the even leaf's place, the nearest first.
        let above = unsafe stack + foldLevelSize
        var waiting = siblings(pair, isLast: rest == 0)
        while waiting != 0 {
            unsafe addTile(
                rows: rows, above + waiting.trailingZeroBitCount &* foldLevelSize, &c0, &c1, &c2,
                &c3, &c4, &c5)
            waiting &= waiting &- 1
        }
        if rest == 0 { break }
        unsafe storeTile(
            rows: rows, above + (~pair).trailingZeroBitCount &* foldLevelSize, blockWidth, c0, c1,
            c2, c3, c4, c5)
        pair &+= 1
        unsafe x += 2 &* leafStep
        unsafe deltas += 2 &* leafSize &* deltaStep
        unsafe squares += 2 &* deltaStep
    }
    // + (+0) once, at the end: a sum's sign of zero shows nowhere before.
    (c0, c1, c2) = (block_add(c0, zero), block_add(c1, zero), block_add(c2, zero))
    (c3, c4, c5) = (block_add(c3, zero), block_add(c4, zero), block_add(c5, zero))
    if width >= blockWidth {
        unsafe storeTile(rows: rows, gradient, gradientStep, c0, c1, c2, c3, c4, c5)
        return
    }
    unsafe block_store_first(gradient, c0, width)
    if rows > 1 { unsafe block_store_first(gradient + gradientStep, c1, width) }
    if rows > 2 { unsafe block_store_first(gradient + 2 &* gradientStep, c2, width) }
    if rows > 3 { unsafe block_store_first(gradient + 3 &* gradientStep, c3, width) }
    if rows > 4 { unsafe block_store_first(gradient + 4 &* gradientStep, c4, width) }
    if rows > 5 { unsafe block_store_first(gradient + 5 &* gradientStep, c5, width) }
}

/// The gradient of one block of columns, each leaf's sum folded in tree order.
///
/// - Parameters:
///   - rowCount: rows of the gradient: inputs of the layer.
///   - x: `rowStep` floats apart by row, `step` by example, `leafStep` by leaf.
///   - deltas: `deltaStep` floats apart by example.
///   - gradient: `gradientStep` floats apart by row; `width` columns of the block are written.
///   - squares: `deltaStep` floats apart by leaf.
///   - stack: `foldStackByteCount` bytes.
@inline(__always)
func gradientRows(
    _ rowCount: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int, _ leafStep: Int,
    _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int, _ leafSize: Int,
    _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
    _ squares: UnsafeMutablePointer<Float>, _ stack: UnsafeMutablePointer<Float>
) {
    var row = 0
    while row < rowCount {
        let rows = rowsOfTile(rowCount &- row)
        let (x, gradient) = unsafe (x + row &* rowStep, gradient + row &* gradientStep)
        switch rows {
        case 6:
            unsafe gradientTile(
                rows: 6, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                gradient, gradientStep, width, squares, stack)
        case 4:
            unsafe gradientTile(
                rows: 4, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                gradient, gradientStep, width, squares, stack)
        case 3:
            unsafe gradientTile(
                rows: 3, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                gradient, gradientStep, width, squares, stack)
        case 2:
            unsafe gradientTile(
                rows: 2, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                gradient, gradientStep, width, squares, stack)
        default:
            unsafe gradientTile(
                rows: 1, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                gradient, gradientStep, width, squares, stack)
        }
        row &+= rows
    }
}

#if AVX512
    /// As `gradientTile`, of 8, 4 or 1 rows by 16 columns.
    @inline(__always)
    private func gradientNarrowTile(
        rows: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int, _ leafStep: Int,
        _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int, _ leafSize: Int,
        _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
        _ squares: UnsafeMutablePointer<Float>, _ stack: UnsafeMutablePointer<Float>
    ) {
        let zero = splat(0)
        var (leaf, first) = (0, 0)
        while true {
            let count = min(leafSize, examples &- first)
            var (c0, c1, c2, c3) = (zero, zero, zero, zero)
            var (c4, c5, c6, c7) = (zero, zero, zero, zero)
            unsafe multiplyNarrowTile(
                rows: rows, x + leaf &* leafStep, rowStep, step, deltas + first &* deltaStep,
                deltaStep, count, &c0, &c1, &c2, &c3, &c4, &c5, &c6, &c7)
            let place = unsafe squares + leaf &* deltaStep
            var sum = unsafe vector_fma(c0, c0, vector_load(place))
            if rows > 1 {
                sum = vector_fma(c3, c3, vector_fma(c2, c2, vector_fma(c1, c1, sum)))
            }
            if rows > 4 {
                sum = vector_fma(c5, c5, vector_fma(c4, c4, sum))
                sum = vector_fma(c7, c7, vector_fma(c6, c6, sum))
            }
            unsafe vector_store(place, sum)
            first &+= count
            let isLast = first == examples
            var waiting = siblings(leaf, isLast: isLast)
            while waiting != 0 {
                let left = unsafe stack + waiting.trailingZeroBitCount &* foldLevelSize
                waiting &= waiting &- 1
                c0 = unsafe vector_load(left) + c0
                if rows > 1 {
                    c1 = unsafe vector_load(left + 16) + c1
                    c2 = unsafe vector_load(left + 32) + c2
                    c3 = unsafe vector_load(left + 48) + c3
                }
                if rows > 4 {
                    c4 = unsafe vector_load(left + 64) + c4
                    c5 = unsafe vector_load(left + 80) + c5
                    c6 = unsafe vector_load(left + 96) + c6
                    c7 = unsafe vector_load(left + 112) + c7
                }
            }
            var (target, distance, lanes) = unsafe (gradient, gradientStep, min(width, 16))
            if !isLast {
                let level = (~leaf).trailingZeroBitCount
                unsafe (target, distance, lanes) = (stack + level &* foldLevelSize, 16, 16)
            }
            unsafe vector_store_first(target, c0 + zero, lanes)
            if rows > 1 {
                unsafe vector_store_first(target + distance, c1 + zero, lanes)
                unsafe vector_store_first(target + 2 &* distance, c2 + zero, lanes)
                unsafe vector_store_first(target + 3 &* distance, c3 + zero, lanes)
            }
            if rows > 4 {
                unsafe vector_store_first(target + 4 &* distance, c4 + zero, lanes)
                unsafe vector_store_first(target + 5 &* distance, c5 + zero, lanes)
                unsafe vector_store_first(target + 6 &* distance, c6 + zero, lanes)
                unsafe vector_store_first(target + 7 &* distance, c7 + zero, lanes)
            }
            if isLast { return }
            leaf &+= 1
        }
    }

    /// As `gradientRows`, for 16 columns.
    @inline(__always)
    private func gradientNarrowRows(
        _ rowCount: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int, _ leafStep: Int,
        _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int, _ leafSize: Int,
        _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
        _ squares: UnsafeMutablePointer<Float>, _ stack: UnsafeMutablePointer<Float>
    ) {
        var row = 0
        while row < rowCount {
            let (x, gradient) = unsafe (x + row &* rowStep, gradient + row &* gradientStep)
            let rest = rowCount &- row
            if rest >= 8 {
                unsafe gradientNarrowTile(
                    rows: 8, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                    gradient, gradientStep, width, squares, stack)
                row &+= 8
            } else if rest >= 4 {
                unsafe gradientNarrowTile(
                    rows: 4, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                    gradient, gradientStep, width, squares, stack)
                row &+= 4
            } else {
                unsafe gradientNarrowTile(
                    rows: 1, x, rowStep, step, leafStep, deltas, deltaStep, examples, leafSize,
                    gradient, gradientStep, width, squares, stack)
                row &+= 1
            }
        }
    }
#endif

/// The gradient of some rows and all columns; parameters as in `gradientRows`.
@inline(__always)
func gradientColumns(
    _ rowCount: Int, _ x: UnsafePointer<Float>, _ rowStep: Int, _ step: Int, _ leafStep: Int,
    _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int, _ leafSize: Int,
    _ columns: Int, _ gradient: UnsafeMutablePointer<Float>,
    _ squares: UnsafeMutablePointer<Float>, _ stack: UnsafeMutablePointer<Float>
) {
    var j = 0
    while j < columns {
        if isWholeBlock(j, columns, deltaStep) {
            unsafe gradientRows(
                rowCount, x, rowStep, step, leafStep, deltas + j, deltaStep, examples, leafSize,
                gradient + j, columns, columns &- j, squares + j, stack)
            j &+= blockWidth
            continue
        }
        #if AVX512
            unsafe gradientNarrowRows(
                rowCount, x, rowStep, step, leafStep, deltas + j, deltaStep, examples, leafSize,
                gradient + j, columns, columns &- j, squares + j, stack)
        #endif
        j &+= 16
    }
}
