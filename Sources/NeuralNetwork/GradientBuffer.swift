package import TrainingPlan

/// One node's gradient sum and metrics, in one allocation, ready to be sent where it lies.
///
/// Written by one engine, then only read until it is reused: hence `Sendable`.
@safe package final class GradientBuffer: @unchecked Sendable {
    package let slices: GradientSlices
    private let memory: UnsafeMutableRawPointer
    private let frameOffsets: [Int]
    /// By row of the packed layer's kernel: how many before it are left out; one more at the end.
    private let absentBefore: UnsafeMutablePointer<Int32>

    /// With all rows, until it is laid out anew.
    package init(_ slices: GradientSlices) {
        self.slices = slices
        var offset = 0
        var offsets: [Int] = []
        for slice in slices.ranges.indices {
            offsets.append(offset)
            // Each frame begins on a line of the cache.
            let end = offset + slices.headerByteCount + slices.maximumByteCount(slice)
            offset = (end + 63) / 64 * 64
        }
        frameOffsets = offsets
        unsafe memory = .allocate(byteCount: offset + 64, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: offset + 64)
        let rowCount = slices.packedLayer?.inputs ?? 0
        unsafe absentBefore = .allocate(capacity: rowCount + 1)
        unsafe absentBefore.initialize(repeating: 0, count: rowCount + 1)
        layOut { _ in true }
    }

    deinit {
        unsafe memory.deallocate()
        unsafe absentBefore.deallocate()
    }

    /// Says which rows of the packed layer's kernel have a place; what lies here is lost.
    func layOut(isPresent: (_ row: Int) -> Bool) {
        guard let packedLayer = slices.packedLayer else { return }
        var absentCount: Int32 = 0
        for row in 0..<packedLayer.inputs {
            if !isPresent(row) { absentCount += 1 }
            unsafe absentBefore[row + 1] = absentCount
        }
        for slice in slices.ranges.indices {
            let bits = unsafe memory + frameOffsets[slice] + slices.headerByteCount
            let bytes = unsafe bits.assumingMemoryBound(to: UInt8.self)
            unsafe bytes.update(repeating: 0, count: slices.presenceByteCount)
            for row in slices.packedRows(slice) where isHere(row) {
                unsafe bytes[row / 8] |= 1 << (row % 8)
            }
        }
    }

    /// Header and payload of a slice.
    package func frame(_ slice: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: memory + frameOffsets[slice],
            count: slices.headerByteCount + payloadByteCount(slice))
    }

    /// A slice's bits where it is packed, its floats, and behind those of slice 0 the metrics.
    package func payload(_ slice: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: frame(slice)[slices.headerByteCount...])
    }

    private func payloadByteCount(_ slice: Int) -> Int {
        let rows = slices.packedRows(slice)
        return slices.maximumByteCount(slice) - absentCount(rows) * slices.packedRowByteCount
    }

    package var metricsWords: UnsafeMutableRawPointer {
        let end = slices.headerByteCount + payloadByteCount(0)
        return unsafe memory + end - slices.metrics.byteCount
    }

    /// The parts of a range of whole rows of one layer that have a place here, in order: one,
    /// unless a slice ends within the range or rows are left out.
    func eachPart(
        of range: Range<Int>,
        _ body: (_ part: Range<Int>, _ sums: UnsafeMutablePointer<Float>) -> Void
    ) {
        for slice in slices.ranges.indices {
            let within = range.clamped(to: slices.ranges[slice])
            var start = within.lowerBound
            while start < within.upperBound {
                let run = slices.run(from: start, to: within.upperBound, isPresent: isHere)
                if run.isPresent { unsafe body(start..<run.end, place(of: start, slice)) }
                start = run.end
            }
        }
    }

    /// Where the float at `offset` of the flat vector lies, if its row does.
    func place(of offset: Int) -> UnsafeMutablePointer<Float> {
        guard let slice = slices.ranges.firstIndex(where: { $0.contains(offset) }) else {
            preconditionFailure("offset \(offset) lies in no slice")
        }
        return unsafe place(of: offset, slice)
    }

    private func place(of offset: Int, _ slice: Int) -> UnsafeMutablePointer<Float> {
        let start = unsafe memory + frameOffsets[slice] + slices.headerByteCount
        let rows = slices.packedRows(slice)
        let row = slices.packedLayer.map { offset / $0.outputs } ?? 0
        let before =
            (offset - slices.ranges[slice].lowerBound) * 4
            - absentCount((0..<row).clamped(to: rows)) * slices.packedRowByteCount
        return unsafe (start + slices.presenceByteCount + before)
            .assumingMemoryBound(to: Float.self)
    }

    private func isHere(_ row: Int) -> Bool { absentCount(row..<row + 1) == 0 }

    private func absentCount(_ rows: Range<Int>) -> Int {
        unsafe Int(absentBefore[rows.upperBound] - absentBefore[rows.lowerBound])
    }
}
