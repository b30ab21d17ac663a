import LockstepProtocol
package import NeuralNetwork

/// The rows of the flat vector, by which the norm of a step's gradient is measured.
///
/// That gradient is never in one place: threads and servers complete some rows each. Whoever completes a row
/// measures it, a chain within the row; the squared norms of a layer's rows are added in order where all
/// have come together. So the bits are the same whoever held which rows.
package struct GradientRows: Sendable {
    /// A longer row counts as several of this length, and the rest: a block of the server's fold.
    package static let longestRow = 2_048

    private struct Layer {
        let range: Range<Int>
        /// Of the kernel's rows; the bias is one more.
        let width: Int
        let rowsPerWidth: Int
        let firstRow: Int
    }

    private let layers: [Layer]
    package let count: Int

    package init(_ layout: ParameterLayout) {
        var count = 0
        layers = layout.layers.map { layer in
            let rowsPerWidth = (layer.outputs + Self.longestRow - 1) / Self.longestRow
            defer { count += (layer.inputs + 1) * rowsPerWidth }
            return Layer(
                range: layer.kernelOffset..<layer.endOffset, width: layer.outputs,
                rowsPerWidth: rowsPerWidth, firstRow: count)
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
            return layer.firstRow + row * layer.rowsPerWidth + within / Self.longestRow
        }
        return row(at: slice.lowerBound)..<row(at: slice.upperBound)
    }

    /// Cuts a slice into parts of whole rows, each within one layer and no longer than the longest row.
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

    /// Writes the squared norm of each row of a part to its place among those of all rows.
    ///
    /// - Parameters:
    ///   - part: whole rows of one layer.
    ///   - sums: the part's floats, at any alignment.
    ///   - squares: where the part's first row has its place, at any alignment.
    func measure(
        _ part: Range<Int>, _ sums: UnsafeRawPointer, _ kernels: KernelSet,
        into squares: UnsafeMutableRawPointer
    ) {
        guard let layer = layers.first(where: { part.lowerBound < $0.range.upperBound }) else {
            return
        }
        var target = unsafe squares
        var offset = 0
        while offset < part.count {
            let width = min(layer.width, part.count - offset)
            var within = 0
            while within < width {
                let length = min(Self.longestRow, width - within)
                let square = unsafe kernels.squaredNorm(sums + (offset + within) * 4, length)
                unsafe target.storeBytes(of: square, as: Float.self)
                unsafe target += 4
                within += length
            }
            offset += width
        }
    }

    /// The payload of a shard's `stepCommitted`, in bytes: the metrics behind shard 0's pushes, then the squared norm
    /// of each of the shard's rows.
    func reportByteCount(
        of shard: ShardIndex, _ plan: ShardPlan, _ metrics: StepMetricsLayout
    ) -> Int {
        (shard == 0 ? metrics.byteCount : 0) + rows(of: plan[shard]).count * 4
    }

    /// The squared norm of each layer, from those of all rows.
    package func layerSums(_ squares: FloatBuffer) -> [Double] {
        layers.enumerated().map { index, layer in
            let end = index + 1 < layers.count ? layers[index + 1].firstRow : count
            return (layer.firstRow..<end).reduce(0) { sum, row in
                unsafe sum + Double(squares.pointer[row])
            }
        }
    }
}
