import Glibc

/// Examples by their pixels that are not zero: for each the columns and bytes of those, or, in a
/// set where that is less, the bytes of all its pixels; and its label.
///
/// A step draws its examples from all over the set, so each lies in one piece: its columns, then
/// its bytes. Immutable once made, and read by all threads: that is what makes it `Sendable`.
@safe package final class SparseExamples: @unchecked Sendable {
    package let count: Int
    /// Pixels of one example.
    package let width: Int
    /// Whether rows hold all pixels. Then there is no list of columns.
    let isDense: Bool
    let labels: UnsafeMutablePointer<UInt8>
    /// The examples' rows, in units of two bytes.
    private let memory: UnsafeMutablePointer<UInt16>
    /// `[count + 1]`: where the examples' rows begin, in those units.
    private let starts: UnsafeMutablePointer<UInt32>

    /// One example: its non-zero pixels, by ascending column, or the bytes of all.
    @safe struct Row {
        let columns: UnsafePointer<UInt16>
        let bytes: UnsafePointer<UInt8>
        let count: Int
    }

    /// - Parameters:
    ///   - pixels: `[count, width]`, row-major.
    ///   - labels: `[count]`.
    package init(pixels: ArraySlice<UInt8>, labels: ArraySlice<UInt8>, width: Int) {
        precondition(width <= Int(UInt16.max) + 1, "a column is a UInt16")
        precondition(pixels.count == labels.count * width, "as many images as labels")
        count = labels.count
        self.width = width
        unsafe starts = .allocate(capacity: count + 1)
        unsafe self.labels = .allocate(capacity: max(count, 1))
        for (example, label) in labels.enumerated() { unsafe self.labels[example] = label }
        let (starts, exampleCount) = unsafe (starts, count)
        let (denseUnits, usedCount) = unsafe (
            Self.denseUnitCount(width), pixels.withUnsafeBufferPointer(Self.usedCount)
        )
        isDense = Self.bytesPerEntry * usedCount > 2 * denseUnits * count
        let isDense = isDense
        unsafe memory = unsafe pixels.withUnsafeBufferPointer { pixels in
            var unitCount = 0
            for example in 0..<exampleCount {
                unsafe starts[example] = UInt32(unitCount)
                let row = unsafe UnsafeBufferPointer(
                    rebasing: pixels[example * width..<(example + 1) * width])
                unitCount += unsafe isDense ? denseUnits : Self.unitCount(Self.usedCount(row))
            }
            unsafe starts[exampleCount] = UInt32(unitCount)
            let memory = unsafe Self.allocate(unitCount)
            for example in 0..<exampleCount {
                let start = unsafe Int(starts[example])
                let row = unsafe UnsafeBufferPointer(
                    rebasing: pixels[example * width..<(example + 1) * width])
                if isDense {
                    unsafe UnsafeMutableRawBufferPointer(start: memory + start, count: width)
                        .copyMemory(from: UnsafeRawBufferPointer(row))
                    continue
                }
                let capacity = unsafe Self.entryCount(Int(starts[example + 1]) - start)
                let columns = unsafe memory + start
                let bytes = unsafe UnsafeMutableRawPointer(columns + capacity)
                var entry = 0
                for column in 0..<width {
                    let pixel = unsafe row[column]
                    if pixel == 0 { continue }
                    unsafe columns[entry] = UInt16(truncatingIfNeeded: column)
                    unsafe bytes.storeBytes(of: pixel, toByteOffset: entry, as: UInt8.self)
                    entry += 1
                }
            }
            return unsafe memory
        }
    }

    package var labelBytes: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: labels, count: count)
    }

    deinit {
        unsafe starts.deallocate()
        unsafe labels.deallocate()
        unsafe free(memory)
    }

    /// Two for a column, one for a byte.
    static let bytesPerEntry = 3

    private static func usedCount(_ pixels: UnsafeBufferPointer<UInt8>) -> Int {
        unsafe pixels.reduce(into: 0) { $0 += $1 == 0 ? 0 : 1 }
    }

    /// The entries' bytes, rounded up to whole units.
    private static func unitCount(_ entryCount: Int) -> Int { (bytesPerEntry * entryCount + 1) / 2 }

    private static func entryCount(_ unitCount: Int) -> Int { 2 * unitCount / bytesPerEntry }

    /// The bytes of all pixels in whole lines of the cache, so that an example takes no more of
    /// them than it must.
    private static func denseUnitCount(_ width: Int) -> Int { (width + 63) / 64 * 32 }

    /// Room on huge pages where the system has them: a draw from all over the set misses small
    /// ones.
    private static func allocate(_ unitCount: Int) -> UnsafeMutablePointer<UInt16> {
        let hugePage = 1 << 21
        // A row's last bytes may be looked at with 64 that follow.
        let byteCount = (unitCount * 2 + 64 + hugePage - 1) / hugePage * hugePage
        guard let memory = unsafe aligned_alloc(hugePage, byteCount) else {
            preconditionFailure("no memory for the data set: \(byteCount) bytes")
        }
        // Advice only: without it the same bytes are read, a little later.
        _ = unsafe madvise(memory, byteCount, MADV_HUGEPAGE)
        return unsafe memory.bindMemory(to: UInt16.self, capacity: unitCount)
    }

    /// What is read of an example.
    func memory(of example: Int) -> UnsafeRawBufferPointer {
        let (start, end) = unsafe (Int(starts[example]), Int(starts[example + 1]))
        return unsafe UnsafeRawBufferPointer(start: memory + start, count: 2 * (end - start))
    }

    func row(_ example: Int) -> Row {
        let start = unsafe memory + Int(starts[example])
        if isDense {
            let bytes = unsafe UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
            return unsafe Row(columns: start, bytes: bytes, count: width)
        }
        let count = unsafe Self.entryCount(Int(starts[example + 1] - starts[example]))
        let bytes = unsafe UnsafeRawPointer(start + count).assumingMemoryBound(to: UInt8.self)
        return unsafe Row(columns: start, bytes: bytes, count: count)
    }
}
