/// Where a node's gradient lies in memory: slice by slice (one a shard), with room for a header before each,
/// and the step's metrics behind the first.
package struct GradientSlices: Hashable, Sendable {
    /// Contiguous ranges of the flat vector, in order, cut at row boundaries.
    package let ranges: [Range<Int>]
    /// Room before each slice, in bytes; a multiple of 4.
    package let headerByteCount: Int
    package let metrics: StepMetricsLayout

    package init(ranges: [Range<Int>], headerByteCount: Int, metrics: StepMetricsLayout) {
        precondition(headerByteCount % 4 == 0, "headers keep the floats aligned")
        self.ranges = ranges
        self.headerByteCount = headerByteCount
        self.metrics = metrics
    }

    /// Bytes of a slice's payload: its floats, then for the first slice the metrics.
    package func payloadByteCount(_ slice: Int) -> Int {
        ranges[slice].count * 4 + (slice == 0 ? metrics.byteCount : 0)
    }
}

/// One node's gradient sum and metrics, in one allocation, ready to be sent where it lies.
///
/// Written by one engine, then only read until it is reused: hence `Sendable`.
@safe package final class GradientBuffer: @unchecked Sendable {
    package let slices: GradientSlices
    private let memory: UnsafeMutableRawPointer
    private let frameOffsets: [Int]

    package init(_ slices: GradientSlices) {
        self.slices = slices
        var offset = 0
        var offsets: [Int] = []
        for slice in slices.ranges.indices {
            offsets.append(offset)
            // Each frame begins on a line of the cache.
            let end = offset + slices.headerByteCount + slices.payloadByteCount(slice)
            offset = (end + 63) / 64 * 64
        }
        frameOffsets = offsets
        unsafe memory = .allocate(byteCount: offset + 64, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: offset + 64)
    }

    deinit { unsafe memory.deallocate() }

    /// Header and payload of a slice.
    package func frame(_ slice: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: memory + frameOffsets[slice],
            count: slices.headerByteCount + slices.payloadByteCount(slice))
    }

    /// A slice's floats, and behind those of slice 0 the metrics.
    package func payload(_ slice: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: memory + frameOffsets[slice] + slices.headerByteCount,
            count: slices.payloadByteCount(slice))
    }

    package var metricsWords: UnsafeMutableRawPointer {
        unsafe memory + frameOffsets[0] + slices.headerByteCount + slices.ranges[0].count * 4
    }

    /// Where the float at `offset` of the flat vector lies, and where its slice ends in the vector.
    func destination(_ offset: Int) -> (pointer: UnsafeMutablePointer<Float>, end: Int) {
        for (slice, range) in slices.ranges.enumerated() where range.contains(offset) {
            let start = unsafe memory + frameOffsets[slice] + slices.headerByteCount
            let floats = unsafe start.assumingMemoryBound(to: Float.self)
            return unsafe (floats + (offset - range.lowerBound), range.upperBound)
        }
        preconditionFailure("offset \(offset) lies in no slice")
    }
}
