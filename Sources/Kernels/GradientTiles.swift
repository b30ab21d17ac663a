import CVector

// Weight gradients in tiles: a tile's sums of one leaf are made in registers, then merged with the
// subtrees that wait on a stack, as a binary counter is increased; so the stack of a tile, some
// kilobytes, stays in the first cache, whatever the number of leaves.

/// Floats of a level of the stack: the largest tile.
let foldLevelSize = 6 * 64

/// Floats of the stack of a fold: 32 levels, for any number of leaves.
private let foldStackSize = 32 * foldLevelSize

/// Deltas that lie this many floats apart are copied side by side, a block of columns at a time:
/// almost each would be on another page, and a processor fetches ahead on one page only.
private let wideStep = 512
/// Rows that must visit such a panel, or the copy takes longer than it saves.
private let rowsOfPanel = 32

/// Bytes of scratch of a gradient of so many examples, in any set of kernels: a stack, and a panel
/// of deltas.
package func foldScratchByteCount(examples: Int) -> Int { 4 * (foldStackSize + examples * 64) }

/// The siblings that wait for a leaf, as bits of their levels, and the level of what it completes.
/// The last leaf is merged with all.
@inline(__always)
func siblings(_ leaf: Int, isLast: Bool) -> Int { isLast ? leaf : leaf & ~(leaf &+ 1) }

/// One leaf's sums of a tile, and their squares; parameters as in `gradientRows`.
@inline(__always)
private func sumLeaf<Input: TileInput>(
    rows: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ count: Int,
    _ squares: UnsafeMutablePointer<Float>, _ c0: inout Block, _ c1: inout Block,
    _ c2: inout Block, _ c3: inout Block, _ c4: inout Block, _ c5: inout Block
) {
    let zero = block_splat(0)
    (c0, c1, c2, c3, c4, c5) = (zero, zero, zero, zero, zero, zero)
    unsafe multiplyTile(rows: rows, x, deltas, deltaStep, count, &c0, &c1, &c2, &c3, &c4, &c5)
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
private func gradientTile<Input: TileInput>(
    rows: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int,
    _ leafSize: Int, _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
    _ squares: UnsafeMutablePointer<Float>, _ squareStep: Int, _ stack: UnsafeMutablePointer<Float>
) {
    let zero = block_splat(0)
    var (c0, c1, c2, c3, c4, c5) = (zero, zero, zero, zero, zero, zero)
    var (x, deltas, squares) = unsafe (x, deltas, squares)
    var (pair, rest) = (0, examples)
    while true {
        let count = min(leafSize, rest)
        unsafe sumLeaf(
            rows: rows, x, deltas, deltaStep, count, squares, &c0, &c1, &c2, &c3, &c4, &c5)
        rest &-= count
        if rest > 0 {
            unsafe storeTile(rows: rows, stack, blockWidth, c0, c1, c2, c3, c4, c5)
            let odd = min(leafSize, rest)
            unsafe sumLeaf(
                rows: rows, x.advanced(row: 0, leaf: 1), deltas + leafSize &* deltaStep, deltaStep,
                odd, squares + squareStep, &c0, &c1, &c2, &c3, &c4, &c5)
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
        x = x.advanced(row: 0, leaf: 2)
        unsafe deltas += 2 &* leafSize &* deltaStep
        unsafe squares += 2 &* squareStep
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
///   - x: by row and example.
///   - deltas: `deltaStep` floats apart by example.
///   - gradient: `gradientStep` floats apart by row; `width` columns of the block are written.
///   - squares: `squareStep` floats apart by leaf.
///   - stack: of `foldStackSize` floats.
@inline(__always)
func gradientRows<Input: TileInput>(
    _ rowCount: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int,
    _ leafSize: Int, _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
    _ squares: UnsafeMutablePointer<Float>, _ squareStep: Int, _ stack: UnsafeMutablePointer<Float>
) {
    var row = 0
    while row < rowCount {
        let rows = rowsOfTile(rowCount &- row)
        let x = x.advanced(row: row, leaf: 0)
        let gradient = unsafe gradient + row &* gradientStep
        switch rows {
        case 6:
            unsafe gradientTile(
                rows: 6, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                width, squares, squareStep, stack)
        case 4:
            unsafe gradientTile(
                rows: 4, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                width, squares, squareStep, stack)
        case 3:
            unsafe gradientTile(
                rows: 3, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                width, squares, squareStep, stack)
        case 2:
            unsafe gradientTile(
                rows: 2, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                width, squares, squareStep, stack)
        default:
            unsafe gradientTile(
                rows: 1, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                width, squares, squareStep, stack)
        }
        row &+= rows
    }
}

/// The gradient of some rows and all columns; parameters as in `gradientRows`.
///
/// - Parameters:
///   - squares: `deltaStep` floats apart by leaf.
///   - scratch: `foldScratchByteCount` bytes.
@inline(__always)
func gradientColumns<Input: TileInput>(
    _ rowCount: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int,
    _ examples: Int, _ leafSize: Int, _ columns: Int, _ gradient: UnsafeMutablePointer<Float>,
    _ squares: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    let panel = unsafe scratch + foldStackSize
    let isWide = deltaStep >= wideStep && rowCount >= rowsOfPanel
    var j = 0
    while j < columns {
        if isWholeBlock(j, columns, deltaStep) {
            var (block, step) = unsafe (deltas + j, deltaStep)
            if isWide {
                for b in 0..<examples {
                    unsafe block_store(panel + b &* blockWidth, block_load(block + b &* step))
                }
                unsafe (block, step) = (UnsafePointer(panel), blockWidth)
            }
            unsafe gradientRows(
                rowCount, x, block, step, examples, leafSize, gradient + j, columns,
                columns &- j, squares + j, deltaStep, scratch)
            j &+= blockWidth
            continue
        }
        #if AVX512
            unsafe gradientNarrowRows(
                rowCount, x, deltas + j, deltaStep, examples, leafSize, gradient + j, columns,
                columns &- j, squares + j, deltaStep, scratch)
        #endif
        j &+= 16
    }
}
