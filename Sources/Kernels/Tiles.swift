import CVector

// The dense products are made of tiles: up to 6 rows by one block of columns, whose sums stay in
// registers: 24 of 32 wide ones (64 columns), or 12 of 16 (16 columns). A step of the sum's chain
// loads one block and up to 6 single floats, less than the units that multiply can take. A tile's
// element is one chain, so the tiling does not show in the bits.

#if AVX512
    typealias Block = SIMD64<Float>
#else
    typealias Block = SIMD16<Float>
#endif
/// Columns of a block.
let blockWidth = MemoryLayout<Block>.size / MemoryLayout<Float>.size

/// Rows of the largest tile.
let tileRows = 6

/// Whether a whole block should visit the columns from `column` on, not narrow vectors of 16: the
/// most of it must be of use, and in the row's own memory.
@inline(__always)
func isWholeBlock(_ column: Int, _ columns: Int, _ stride: Int) -> Bool {
    #if AVX512
        columns &- column > blockWidth / 2 && column &+ blockWidth <= stride
    #else
        true
    #endif
}

/// How many of the rows that are left the next tile takes: 6, or what leaves none alone.
@inline(__always)
func rowsOfTile(_ rest: Int) -> Int {
    rest == tileRows || rest > 8 ? tileRows : min(rest, 4)
}

/// The factors of a product, by row of its tiles and by step of their chains: floats of a matrix,
/// or pixels.
protocol TileInput {
    subscript(row: Int, step: Int) -> Float { get }

    /// The factors from a row and a leaf on.
    func advanced(row: Int, leaf: Int) -> Self
}

/// Floats, this far apart by row, step and leaf.
@safe struct MatrixInput: TileInput {
    let floats: UnsafePointer<Float>
    let rowStep: Int
    let stepStep: Int
    let leafStep: Int

    @inline(__always)
    subscript(row: Int, step: Int) -> Float {
        unsafe floats[row &* rowStep &+ step &* stepStep]
    }

    @inline(__always)
    func advanced(row: Int, leaf: Int) -> Self {
        unsafe Self(
            floats: floats + (row &* rowStep &+ leaf &* leafStep), rowStep: rowStep,
            stepStep: stepStep, leafStep: leafStep)
    }
}

/// Continues the chains of `rows` rows: c[r] ← fma(x[r, k], b[k], c[r]) for k ascending.
///
/// - Parameters:
///   - rows: a constant, so that the rest is never compiled.
///   - b: blocks, `bStep` floats apart.
@inline(__always)
func multiplyTile<Input: TileInput>(
    rows: Int, _ x: Input, _ b: UnsafePointer<Float>, _ bStep: Int, _ count: Int,
    _ c0: inout Block, _ c1: inout Block, _ c2: inout Block, _ c3: inout Block,
    _ c4: inout Block, _ c5: inout Block
) {
    var b = unsafe b
    for step in 0..<count {
        let block = unsafe block_load(b)
        c0 = block_fma(block_splat(x[0, step]), block, c0)
        if rows > 1 { c1 = block_fma(block_splat(x[1, step]), block, c1) }
        if rows > 2 { c2 = block_fma(block_splat(x[2, step]), block, c2) }
        if rows > 3 { c3 = block_fma(block_splat(x[3, step]), block, c3) }
        if rows > 4 { c4 = block_fma(block_splat(x[4, step]), block, c4) }
        if rows > 5 { c5 = block_fma(block_splat(x[5, step]), block, c5) }
        unsafe b += bStep
    }
}

/// A tile of a forward product; parameters as in `forwardRows`.
@inline(__always)
private func forwardTile<Input: TileInput>(
    rows: Int, _ x: Input, _ w: UnsafePointer<Float>, _ wStep: Int, _ count: Int,
    _ start: UnsafePointer<Float>?, _ startStep: Int, _ end: Block,
    _ z: UnsafeMutablePointer<Float>, _ zStep: Int
) {
    var c0 = block_splat(0)
    var (c1, c2, c3, c4, c5) = (c0, c0, c0, c0, c0)
    if let start = unsafe start {
        c0 = unsafe block_load(start)
        if rows > 1 { c1 = unsafe block_load(start + startStep) }
        if rows > 2 { c2 = unsafe block_load(start + 2 &* startStep) }
        if rows > 3 { c3 = unsafe block_load(start + 3 &* startStep) }
        if rows > 4 { c4 = unsafe block_load(start + 4 &* startStep) }
        if rows > 5 { c5 = unsafe block_load(start + 5 &* startStep) }
    }
    unsafe multiplyTile(
        rows: rows, x, w, wStep, count, &c0, &c1, &c2, &c3, &c4, &c5)
    unsafe block_store(z, block_add(c0, end))
    if rows > 1 { unsafe block_store(z + zStep, block_add(c1, end)) }
    if rows > 2 { unsafe block_store(z + 2 &* zStep, block_add(c2, end)) }
    if rows > 3 { unsafe block_store(z + 3 &* zStep, block_add(c3, end)) }
    if rows > 4 { unsafe block_store(z + 4 &* zStep, block_add(c4, end)) }
    if rows > 5 { unsafe block_store(z + 5 &* zStep, block_add(c5, end)) }
}

/// One block of columns of a forward product: z[b] ← start[b], then fma(x[b, p], w[p], ·) for p
/// ascending, then + end.
///
/// - Parameters:
///   - x: by example and input.
///   - w: `wStep` floats apart by input, `count` of them.
///   - start: `startStep` floats apart by example, 0 where all have the same; +0 where nil.
///   - end: what ends the chain: +0, or −0, which changes nothing.
@inline(__always)
func forwardRows<Input: TileInput>(
    _ x: Input, _ examples: Int, _ w: UnsafePointer<Float>, _ wStep: Int, _ count: Int,
    _ start: UnsafePointer<Float>?, _ startStep: Int, end: Float, _ z: UnsafeMutablePointer<Float>,
    _ zStep: Int
) {
    let end = block_splat(end)
    var b = 0
    while b < examples {
        let (x, z) = unsafe (x.advanced(row: b, leaf: 0), z + b &* zStep)
        let start = unsafe start.map { unsafe $0 + b &* startStep }
        let rows = rowsOfTile(examples &- b)
        switch rows {
        case 6:
            unsafe forwardTile(
                rows: 6, x, w, wStep, count, start, startStep, end, z, zStep)
        case 4:
            unsafe forwardTile(
                rows: 4, x, w, wStep, count, start, startStep, end, z, zStep)
        case 3:
            unsafe forwardTile(
                rows: 3, x, w, wStep, count, start, startStep, end, z, zStep)
        case 2:
            unsafe forwardTile(
                rows: 2, x, w, wStep, count, start, startStep, end, z, zStep)
        default:
            unsafe forwardTile(
                rows: 1, x, w, wStep, count, start, startStep, end, z, zStep)
        }
        b &+= rows
    }
}

#if AVX512
    /// Sixteen columns of a forward product, where a block would be mostly padding: up to 8 rows.
    @inline(__always)
    private func forwardNarrowTile<Input: TileInput>(
        rows: Int, _ x: Input, _ w: UnsafePointer<Float>, _ wStep: Int, _ count: Int,
        _ start: UnsafePointer<Float>?, _ startStep: Int, _ end: SIMD16<Float>,
        _ z: UnsafeMutablePointer<Float>, _ zStep: Int
    ) {
        var (c0, c1, c2, c3) = (splat(0), splat(0), splat(0), splat(0))
        var (c4, c5, c6, c7) = (c0, c0, c0, c0)
        if let start = unsafe start {
            c0 = unsafe vector_load(start)
            if rows > 1 {
                c1 = unsafe vector_load(start + startStep)
                c2 = unsafe vector_load(start + 2 &* startStep)
                c3 = unsafe vector_load(start + 3 &* startStep)
            }
            if rows > 4 {
                c4 = unsafe vector_load(start + 4 &* startStep)
                c5 = unsafe vector_load(start + 5 &* startStep)
                c6 = unsafe vector_load(start + 6 &* startStep)
                c7 = unsafe vector_load(start + 7 &* startStep)
            }
        }
        unsafe multiplyNarrowTile(
            rows: rows, x, w, wStep, count, &c0, &c1, &c2, &c3, &c4, &c5, &c6, &c7)
        unsafe vector_store(z, c0 + end)
        if rows > 1 {
            unsafe vector_store(z + zStep, c1 + end)
            unsafe vector_store(z + 2 &* zStep, c2 + end)
            unsafe vector_store(z + 3 &* zStep, c3 + end)
        }
        if rows > 4 {
            unsafe vector_store(z + 4 &* zStep, c4 + end)
            unsafe vector_store(z + 5 &* zStep, c5 + end)
            unsafe vector_store(z + 6 &* zStep, c6 + end)
            unsafe vector_store(z + 7 &* zStep, c7 + end)
        }
    }

    /// As `multiplyTile`, of 8, 4 or 1 rows by 16 columns.
    @inline(__always)
    func multiplyNarrowTile<Input: TileInput>(
        rows: Int, _ x: Input, _ b: UnsafePointer<Float>, _ bStep: Int, _ count: Int,
        _ c0: inout SIMD16<Float>, _ c1: inout SIMD16<Float>, _ c2: inout SIMD16<Float>,
        _ c3: inout SIMD16<Float>, _ c4: inout SIMD16<Float>, _ c5: inout SIMD16<Float>,
        _ c6: inout SIMD16<Float>, _ c7: inout SIMD16<Float>
    ) {
        var b = unsafe b
        for step in 0..<count {
            let vector = unsafe vector_load(b)
            c0 = vector_fma(splat(x[0, step]), vector, c0)
            if rows > 1 {
                c1 = vector_fma(splat(x[1, step]), vector, c1)
                c2 = vector_fma(splat(x[2, step]), vector, c2)
                c3 = vector_fma(splat(x[3, step]), vector, c3)
            }
            if rows > 4 {
                c4 = vector_fma(splat(x[4, step]), vector, c4)
                c5 = vector_fma(splat(x[5, step]), vector, c5)
                c6 = vector_fma(splat(x[6, step]), vector, c6)
                c7 = vector_fma(splat(x[7, step]), vector, c7)
            }
            unsafe b += bStep
        }
    }

    /// As `forwardRows`, for 16 columns.
    @inline(__always)
    func forwardNarrowRows<Input: TileInput>(
        _ x: Input, _ examples: Int, _ w: UnsafePointer<Float>, _ wStep: Int, _ count: Int,
        _ start: UnsafePointer<Float>?, _ startStep: Int, end: Float,
        _ z: UnsafeMutablePointer<Float>, _ zStep: Int
    ) {
        let end = splat(end)
        var b = 0
        while b < examples {
            let (x, z) = unsafe (x.advanced(row: b, leaf: 0), z + b &* zStep)
            let start = unsafe start.map { unsafe $0 + b &* startStep }
            let rest = examples &- b
            if rest >= 8 {
                unsafe forwardNarrowTile(
                    rows: 8, x, w, wStep, count, start, startStep, end, z, zStep)
                b &+= 8
            } else if rest >= 4 {
                unsafe forwardNarrowTile(
                    rows: 4, x, w, wStep, count, start, startStep, end, z, zStep)
                b &+= 4
            } else {
                unsafe forwardNarrowTile(
                    rows: 1, x, w, wStep, count, start, startStep, end, z, zStep)
                b &+= 1
            }
        }
    }
#endif

/// The forward product of some inputs and all columns; parameters as in `forwardRows`.
@inline(__always)
func forwardColumns<Input: TileInput>(
    _ x: Input, _ examples: Int, _ w: UnsafePointer<Float>, _ wStep: Int, _ count: Int,
    _ start: UnsafePointer<Float>?, _ startStep: Int, end: Float, _ columns: Int,
    _ z: UnsafeMutablePointer<Float>, _ zStep: Int
) {
    var j = 0
    while j < columns {
        let start = unsafe start.map { unsafe $0 + j }
        if isWholeBlock(j, columns, zStep) {
            unsafe forwardRows(
                x, examples, w + j, wStep, count, start, startStep, end: end, z + j, zStep)
            j &+= blockWidth
            continue
        }
        #if AVX512
            unsafe forwardNarrowRows(
                x, examples, w + j, wStep, count, start, startStep, end: end, z + j, zStep)
        #endif
        j &+= 16
    }
}
