/// A batch by leaf and pixel: the bytes of a leaf's examples side by side for every input.
///
/// The weight gradient visits one input at a time, finds the leaf's non-zero bytes sixteen at a
/// time, and has a leaf's block (12.5 KB at 16 examples) in the first cache while it is written.
/// Zero until `add`, and again after `clear`.
@safe final class PixelBlocks {
    private let width: Int
    private let leafSize: Int
    /// Bytes between two inputs of a leaf: its examples, in whole groups of 16.
    let leafStride: Int
    /// `[leaf, width, leafStride]`.
    let bytes: UnsafeMutablePointer<UInt8>

    init(width: Int, leafSize: Int, leafCapacity: Int) {
        self.width = width
        self.leafSize = leafSize
        leafStride = (leafSize + 15) / 16 * 16
        unsafe bytes = .allocate(capacity: leafCapacity * width * leafStride)
        unsafe bytes.initialize(repeating: 0, count: leafCapacity * width * leafStride)
    }

    deinit { unsafe bytes.deallocate() }

    /// Adds an example at its place in the batch. Places may be filled by several threads.
    func add(_ row: SparseExamples.Row, at place: Int, _ kernels: KernelSet) {
        let (leaf, offset) = (place / leafSize, place % leafSize)
        unsafe kernels.sparseScatter(
            row.columns, row.bytes, row.count, bytes + leaf * width * leafStride + offset,
            leafStride)
    }

    /// Whether an input is not zero in an example of the first leaves.
    func isUsed(_ input: Int, leafCount: Int) -> Bool {
        for leaf in 0..<leafCount {
            let start = unsafe UnsafeRawPointer(bytes + (leaf * width + input) * leafStride)
            for group in stride(from: 0, to: leafStride, by: 16)
            where unsafe start.loadUnaligned(fromByteOffset: group, as: SIMD2<UInt64>.self) != .zero
            {
                return true
            }
        }
        return false
    }

    /// Makes some inputs of the first leaves zero again.
    func clear(_ inputs: Range<Int>, leafCount: Int) {
        for leaf in 0..<leafCount {
            let start = unsafe bytes + (leaf * width + inputs.lowerBound) * leafStride
            unsafe start.update(repeating: 0, count: inputs.count * leafStride)
        }
    }
}
