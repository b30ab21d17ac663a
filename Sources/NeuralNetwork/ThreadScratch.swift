/// What one thread of a `GradientEngine` needs for itself.
@safe final class ThreadScratch {
    /// `[leaf, stride]`: squares of a block's gradient elements.
    let squares: UnsafeMutablePointer<Float>
    /// Subtrees that wait for their right sibling.
    let stack = KernelSet.foldStack()
    /// What the input layer's weight gradient needs beside them.
    let sparse: FloatBuffer
    /// x of a block of rows, `[leaf, row, example]`, or of a unit's inputs.
    let intensities: FloatBuffer

    init(leafCapacity: Int, leafStride: Int, stride: Int, rows: Int) {
        unsafe squares = .allocate(capacity: leafCapacity * stride)
        sparse = KernelSet.sparseScratch(leafStride: leafStride)
        intensities = FloatBuffer(
            uninitializedCount: max(
                leafCapacity * rows * leafStride, Network.inputsAtATime * PixelBlocks.unitSize))
    }

    deinit { unsafe squares.deallocate() }
}
