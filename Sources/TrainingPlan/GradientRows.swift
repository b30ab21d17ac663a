/// The rows of the flat vector, by which the norm of a step's gradient is measured.
///
/// That gradient is never in one place: threads and servers complete some rows each. Whoever
/// completes a row measures it, a chain within the row; the squared norms of a layer's rows are
/// added in order where all have come together. So the bits are the same whoever held which rows.
package struct GradientRows: Hashable, Sendable {
    /// A longer row counts as several of this length, and the rest: a block of the server's fold.
    package static let longestRow = 2_048

    /// A layer's kernel and bias. The bias is one more row of the kernel's width.
    package struct Layer: Hashable, Sendable {
        /// Of the flat vector, in floats.
        package let range: Range<Int>
        /// The floats of a row.
        package let width: Int
        /// What a row counts as.
        package let rowsPerWidth: Int
        /// The places of the layer's rows among those of all layers.
        package let rows: Range<Int>
    }

    package let layers: [Layer]
    package let count: Int

    package init(_ layout: ParameterLayout) {
        var count = 0
        layers = layout.layers.map { layer in
            let rowsPerWidth = (layer.outputs + Self.longestRow - 1) / Self.longestRow
            let first = count
            count += (layer.inputs + 1) * rowsPerWidth
            return Layer(
                range: layer.kernelOffset..<layer.endOffset, width: layer.outputs,
                rowsPerWidth: rowsPerWidth, rows: first..<count)
        }
        self.count = count
    }

    /// The rows in a slice of the flat vector that was cut between rows.
    package func rows(of slice: Range<Int>) -> Range<Int> {
        func row(at offset: Int) -> Int {
            guard let layer = layers.first(where: { $0.range.contains(offset) }) else {
                return count
            }
            let (row, within) = (offset - layer.range.lowerBound)
                .quotientAndRemainder(dividingBy: layer.width)
            return layer.rows.lowerBound + row * layer.rowsPerWidth + within / Self.longestRow
        }
        return row(at: slice.lowerBound)..<row(at: slice.upperBound)
    }

    /// Cuts a slice into parts of whole rows, each within one layer and no longer than the longest
    /// row.
    package func parts(of slice: Range<Int>) -> [Range<Int>] {
        layers.flatMap { layer -> [Range<Int>] in
            let within = layer.range.clamped(to: slice)
            // Whole rows of the kernel, or else a row at a time.
            let stride =
                layer.rowsPerWidth == 1
                ? Self.longestRow / layer.width * layer.width : layer.width
            return Swift.stride(from: within.lowerBound, to: within.upperBound, by: stride)
                .flatMap { start -> [Range<Int>] in
                    let end = min(start + stride, within.upperBound)
                    return Swift.stride(from: start, to: end, by: Self.longestRow).map {
                        $0..<min($0 + Self.longestRow, end)
                    }
                }
        }
    }
}
