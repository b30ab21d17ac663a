/// Where a node's gradient lies in memory: slice by slice (one a shard), with room for a header
/// before each, and the step's metrics behind the first.
///
/// A packed slice leaves out rows of the first layer's kernel without a contribution, which are +0
/// throughout: of MNIST's that is half with 16 examples a node, and still a quarter with 512. Such
/// a slice begins with a bit for each row of that kernel, 1 where the row is there.
package struct GradientSlices: Hashable, Sendable {
    /// Contiguous ranges of the flat vector, in order, cut at row boundaries.
    package let ranges: [Range<Int>]
    /// Room before each slice, in bytes; a multiple of 4.
    package let headerByteCount: Int
    package let metrics: StepMetricsLayout
    /// The first layer, where its rows are packed.
    package let packedLayer: ParameterLayout.Layer?
    /// The bits before a slice's floats, in whole lines of the cache.
    package let presenceByteCount: Int

    /// - Parameters:
    ///   - ranges: of the flat vector, in order, cut at row boundaries.
    ///   - headerByteCount: room before each slice, in bytes; a multiple of 4.
    ///   - isPacked: whether rows without a contribution are left out.
    package init(
        _ layout: ParameterLayout, ranges: [Range<Int>], headerByteCount: Int, isPacked: Bool
    ) {
        precondition(headerByteCount % 4 == 0, "headers keep the floats aligned")
        self.ranges = ranges
        self.headerByteCount = headerByteCount
        metrics = StepMetricsLayout(layerCount: layout.layers.count)
        packedLayer = isPacked ? layout.layers.first : nil
        presenceByteCount = packedLayer.map { ($0.inputs + 511) / 512 * 64 } ?? 0
    }

    /// One slice with all rows, for a gradient that stays where it is.
    package init(whole layout: ParameterLayout) {
        self.init(
            layout, ranges: [0..<layout.parameterCount], headerByteCount: 0, isPacked: false)
    }

    package var isPacked: Bool { packedLayer != nil }

    /// Bytes of a slice's payload with all rows: bits, floats, then for the first slice the
    /// metrics.
    package func maximumByteCount(_ slice: Int) -> Int {
        presenceByteCount + ranges[slice].count * 4 + metricsByteCount(slice)
    }

    /// Bytes of a slice's payload by what its bits say; nil if they say what cannot be.
    package func byteCount(of payload: UnsafeRawBufferPointer, _ slice: Int) -> Int? {
        guard payload.count >= presenceByteCount else { return nil }
        let rows = packedRows(slice)
        let presentCount = unsafe payload[..<presenceByteCount].reduce(0) {
            $0 + $1.nonzeroBitCount
        }
        var absentCount = 0
        for row in rows where unsafe !isPresent(row, payload) { absentCount += 1 }
        guard presentCount + absentCount == rows.count else { return nil }
        return maximumByteCount(slice) - absentCount * packedRowByteCount
    }

    /// How far, from `start` to at most `end`, a payload has all rows or has none.
    ///
    /// - Parameters:
    ///   - start: in the flat vector, where a row begins, or within one.
    ///   - end: in the same layer.
    package func run(
        from start: Int, to end: Int, in payload: UnsafeRawBufferPointer
    ) -> (end: Int, isPresent: Bool) {
        run(from: start, to: end) { unsafe isPresent($0, payload) }
    }

    /// The same by what the caller knows of each row.
    @inline(__always)
    package func run(
        from start: Int, to end: Int, isPresent: (_ row: Int) -> Bool
    ) -> (end: Int, isPresent: Bool) {
        guard let packedLayer, start < packedLayer.biasOffset else { return (end, true) }
        let width = packedLayer.outputs
        // The bias lies like one more row behind the kernel's, and is always there.
        func isPresentOrBias(_ row: Int) -> Bool { row == packedLayer.inputs || isPresent(row) }
        var row = start / width
        let isRunPresent = isPresentOrBias(row)
        repeat { row += 1 } while row * width < end && isPresentOrBias(row) == isRunPresent
        return (min(row * width, end), isRunPresent)
    }

    /// The rows of the packed layer's kernel in a slice.
    package func packedRows(_ slice: Int) -> Range<Int> {
        guard let packedLayer else { return 0..<0 }
        let kernel = ranges[slice].clamped(to: packedLayer.kernelOffset..<packedLayer.biasOffset)
        return kernel.lowerBound / packedLayer.outputs..<kernel.upperBound / packedLayer.outputs
    }

    package var packedRowByteCount: Int { (packedLayer?.outputs ?? 0) * 4 }

    package func metricsByteCount(_ slice: Int) -> Int { slice == 0 ? metrics.byteCount : 0 }

    private func isPresent(_ row: Int, _ payload: UnsafeRawBufferPointer) -> Bool {
        unsafe payload[row / 8] & 1 << (row % 8) != 0
    }
}
