/// The examples of one pass through the network: where in the set the entries of each lie, and its
/// label.
///
/// A pass draws its examples from all over the set. They are looked up together, so that the cache
/// misses of many overlap, and their entries can be asked for long before they are read.
///
/// Threads of one team fill and read disjoint ranges: hence `Sendable`.
@safe final class ExampleBatch: @unchecked Sendable {
    let columns: UnsafeMutablePointer<UnsafePointer<UInt16>>
    let bytes: UnsafeMutablePointer<UnsafePointer<UInt8>>
    let counts: UnsafeMutablePointer<Int>
    /// Entries that went into the forward product.
    let done: UnsafeMutablePointer<Int>
    let labels: UnsafeMutablePointer<UInt8>
    /// Whether the rows hold all pixels.
    private(set) var isDense = false

    init(capacity: Int) {
        unsafe columns = .allocate(capacity: capacity)
        unsafe bytes = .allocate(capacity: capacity)
        unsafe counts = .allocate(capacity: capacity)
        unsafe done = .allocate(capacity: capacity)
        unsafe labels = .allocate(capacity: capacity)
    }

    deinit {
        unsafe columns.deallocate()
        unsafe bytes.deallocate()
        unsafe counts.deallocate()
        unsafe done.deallocate()
        unsafe labels.deallocate()
    }

    /// Says where the examples come from; before any thread fills a range.
    func prepare(_ examples: SparseExamples) { isDense = examples.isDense }

    /// - Parameter indices: where in `examples` each example of the batch is.
    func fill(
        _ range: Range<Int>, from examples: SparseExamples, _ indices: UnsafePointer<UInt32>
    ) {
        for place in range {
            let index = unsafe Int(indices[place])
            let row = examples.row(index)
            unsafe columns[place] = row.columns
            unsafe bytes[place] = row.bytes
            unsafe counts[place] = row.count
            unsafe labels[place] = examples.labels[index]
        }
    }

    /// What is read of an example.
    func memory(of place: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: isDense ? UnsafeRawPointer(bytes[place]) : UnsafeRawPointer(columns[place]),
            count: bytesPerEntry * counts[place])
    }

    private var bytesPerEntry: Int { isDense ? 1 : SparseExamples.bytesPerEntry }

    /// One of so many parts of what is read of some examples, to be asked for.
    func ahead(_ places: Range<Int>, _ part: Int, of parts: Int) -> KernelSet.Ahead {
        let first = places.lowerBound
        let examples =
            unsafe isDense ? UnsafeRawPointer(bytes + first) : UnsafeRawPointer(columns + first)
        return unsafe KernelSet.ahead(
            examples, counts + first, bytesPerEntry, count: places.count, part: part, of: parts)
    }

    /// Some pixels of an example that is stored with all of them.
    func memory(of place: Int, _ inputs: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: bytes[place] + inputs.lowerBound, count: inputs.count)
    }

    func row(_ place: Int) -> SparseExamples.Row {
        unsafe SparseExamples.Row(
            columns: columns[place], bytes: bytes[place], count: counts[place])
    }

    /// How many of some inputs are not zero in some examples, which are stored with all pixels.
    func nonzeroCount(
        _ places: some Sequence<Int>, _ inputs: Range<Int>, _ kernels: KernelSet
    ) -> Int {
        let whole = inputs.count / 16 * 16
        var sum = 0
        for place in places {
            let row = unsafe bytes[place] + inputs.lowerBound
            sum += unsafe kernels.countNonzero(row, whole)
            for input in whole..<inputs.count where unsafe row[input] != 0 { sum += 1 }
        }
        return sum
    }

    /// Whether an input is not zero in an example, where they are stored with all pixels.
    func isUsed(_ input: Int, count: Int) -> Bool {
        for place in 0..<count where unsafe bytes[place][input] != 0 { return true }
        return false
    }
}
