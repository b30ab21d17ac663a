import CVector

// Weight gradients of 16 columns, where a block would be mostly padding. With 16 registers a block
// is no wider than that.

#if AVX512
    /// As `gradientTile`, of 8, 4 or 1 rows by 16 columns.
    @inline(__always)
    private func gradientNarrowTile<Input: TileInput>(
        rows: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int, _ examples: Int,
        _ leafSize: Int, _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
        _ squares: UnsafeMutablePointer<Float>, _ squareStep: Int,
        _ stack: UnsafeMutablePointer<Float>
    ) {
        let zero = splat(0)
        var (leaf, first) = (0, 0)
        while true {
            let count = min(leafSize, examples &- first)
            var (c0, c1, c2, c3) = (zero, zero, zero, zero)
            var (c4, c5, c6, c7) = (zero, zero, zero, zero)
            unsafe multiplyNarrowTile(
                rows: rows, x.advanced(row: 0, leaf: leaf), deltas + first &* deltaStep,
                deltaStep, count, &c0, &c1, &c2, &c3, &c4, &c5, &c6, &c7)
            let place = unsafe squares + leaf &* squareStep
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
    func gradientNarrowRows<Input: TileInput>(
        _ rowCount: Int, _ x: Input, _ deltas: UnsafePointer<Float>, _ deltaStep: Int,
        _ examples: Int, _ leafSize: Int,
        _ gradient: UnsafeMutablePointer<Float>, _ gradientStep: Int, _ width: Int,
        _ squares: UnsafeMutablePointer<Float>, _ squareStep: Int,
        _ stack: UnsafeMutablePointer<Float>
    ) {
        var row = 0
        while row < rowCount {
            let x = x.advanced(row: row, leaf: 0)
            let gradient = unsafe gradient + row &* gradientStep
            let rest = rowCount &- row
            if rest >= 8 {
                unsafe gradientNarrowTile(
                    rows: 8, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                    width, squares, squareStep, stack)
                row &+= 8
            } else if rest >= 4 {
                unsafe gradientNarrowTile(
                    rows: 4, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                    width, squares, squareStep, stack)
                row &+= 4
            } else {
                unsafe gradientNarrowTile(
                    rows: 1, x, deltas, deltaStep, examples, leafSize, gradient, gradientStep,
                    width, squares, squareStep, stack)
                row &+= 1
            }
        }
    }
#endif
