/// Examples as sparse rows: for each, the columns and bytes of its non-zero pixels, and its label.
///
/// Immutable once made, and read by all threads: that is what makes it `Sendable`.
@safe package final class SparseExamples: @unchecked Sendable {
    package let count: Int
    /// Pixels of one example.
    package let width: Int
    /// `[count + 1]`: where the entries of each example begin.
    let starts: UnsafeMutablePointer<Int>
    let columns: UnsafeMutablePointer<UInt16>
    let bytes: UnsafeMutablePointer<UInt8>
    let labels: UnsafeMutablePointer<UInt8>

    /// - Parameters:
    ///   - pixels: `[count, width]`, row-major.
    ///   - labels: `[count]`.
    package init(pixels: ArraySlice<UInt8>, labels: ArraySlice<UInt8>, width: Int) {
        precondition(width <= Int(UInt16.max) + 1, "a column is a UInt16")
        precondition(pixels.count == labels.count * width, "as many images as labels")
        count = labels.count
        self.width = width
        let entryCount = pixels.reduce(into: 0) { $0 += $1 == 0 ? 0 : 1 }
        unsafe starts = .allocate(capacity: count + 1)
        unsafe columns = .allocate(capacity: max(entryCount, 1))
        unsafe bytes = .allocate(capacity: max(entryCount, 1))
        unsafe self.labels = .allocate(capacity: max(count, 1))
        for (example, label) in labels.enumerated() { unsafe self.labels[example] = label }
        var entry = 0
        var column = 0
        var example = 0
        for pixel in pixels {
            if column == 0 { unsafe starts[example] = entry }
            if pixel != 0 {
                unsafe columns[entry] = UInt16(truncatingIfNeeded: column)
                unsafe bytes[entry] = pixel
                entry += 1
            }
            column += 1
            if column == width {
                column = 0
                example += 1
            }
        }
        unsafe starts[count] = entry
    }

    deinit {
        unsafe starts.deallocate()
        unsafe columns.deallocate()
        unsafe bytes.deallocate()
        unsafe labels.deallocate()
    }

    /// Entries of one example.
    func entryCount(of example: Int) -> Int { unsafe starts[example + 1] - starts[example] }
}
