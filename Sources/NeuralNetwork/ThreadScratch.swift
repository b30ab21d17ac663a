/// What one thread of a `GradientEngine` needs for itself.
@safe final class ThreadScratch {
    /// `[leaf, stride]`: squares of a block's gradient elements.
    let squares: UnsafeMutablePointer<Float>
    /// Subtrees that wait for their right sibling, and what else a gradient needs.
    let fold: FloatBuffer
    /// What the input layer's weight gradient needs beside them.
    let sparse: FloatBuffer
    /// A block of rows of examples that are stored with all their pixels.
    let pixels: PixelBlocks

    /// - Parameters:
    ///   - stride: of the widest layer.
    ///   - rows: of a block.
    ///   - inputs: of the first layer.
    init(leafCapacity: Int, leafSize: Int, stride: Int, rows: Int, inputs: Int) {
        unsafe squares = .allocate(capacity: leafCapacity * stride)
        pixels = PixelBlocks(
            width: rows, leafSize: leafSize, leafCapacity: leafCapacity, rowWidth: inputs)
        fold = KernelSet.foldScratch(examples: leafCapacity * leafSize)
        sparse = KernelSet.sparseScratch(leafStride: pixels.leafStride)
    }

    deinit { unsafe squares.deallocate() }
}
