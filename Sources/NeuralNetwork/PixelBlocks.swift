/// A batch by leaf and pixel: the bytes of a leaf's examples side by side for every input.
///
/// The weight gradient visits one input at a time, finds the leaf's non-zero bytes sixteen at a time, and has
/// a leaf's block (12.5 KB at 16 examples) in the first cache while it is written.
@safe final class PixelBlocks {
    private let width: Int
    let leafSize: Int
    /// Bytes between two inputs of a leaf: its examples, in whole groups of 16.
    let leafStride: Int
    /// `[leaf, width, leafStride]`.
    let bytes: UnsafeMutablePointer<UInt8>

    init(width: Int, leafSize: Int, leafCapacity: Int) {
        self.width = width
        self.leafSize = leafSize
        leafStride = (leafSize + 15) / 16 * 16
        unsafe bytes = .allocate(capacity: leafCapacity * width * leafStride)
    }

    deinit { unsafe bytes.deallocate() }

    /// Fills one leaf's block from its examples, at most `leafSize`.
    func fill(
        leaf: Int, _ examples: SparseExamples, _ indices: UnsafeBufferPointer<UInt32>,
        _ kernels: KernelSet
    ) {
        let block = unsafe bytes + leaf * width * leafStride
        unsafe block.update(repeating: 0, count: width * leafStride)
        for place in indices.indices {
            let example = unsafe Int(indices[place])
            let start = unsafe examples.starts[example]
            unsafe kernels.sparseScatter(
                examples.columns + start, examples.bytes + start, examples.entryCount(of: example),
                block + place, leafStride)
        }
    }
}
