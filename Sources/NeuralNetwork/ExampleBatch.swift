/// The examples of one pass through the network: where in the set the entries of each lie, and its label.
///
/// A pass draws its examples from all over the set. They are looked up together, so that the cache misses of many
/// overlap, and their entries can be asked for long before they are read.
///
/// Threads of one team fill and read disjoint ranges: hence `Sendable`.
@safe final class ExampleBatch: @unchecked Sendable {
    let labels: UnsafeMutablePointer<UInt8>
    private let rows: UnsafeMutablePointer<SparseExamples.Row>

    init(capacity: Int) {
        unsafe labels = .allocate(capacity: capacity)
        unsafe rows = .allocate(capacity: capacity)
    }

    deinit {
        unsafe labels.deallocate()
        unsafe rows.deallocate()
    }

    /// - Parameter indices: where in `examples` each example of the batch is.
    func fill(
        _ range: Range<Int>, from examples: SparseExamples, _ indices: UnsafePointer<UInt32>
    ) {
        for place in range {
            let index = unsafe Int(indices[place])
            unsafe labels[place] = examples.labels[index]
            unsafe rows[place] = examples.row(index)
        }
    }

    func row(_ place: Int) -> SparseExamples.Row { unsafe rows[place] }
}
