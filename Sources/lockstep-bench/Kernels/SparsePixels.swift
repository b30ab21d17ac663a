import Datasets
import NeuralNetwork

/// Real digits as the input layer's kernels take them: the non-zero pixels of each, and leaves by
/// input.
@safe final class SparsePixels {
    /// `[examples + 1]`: where the entries of each example begin.
    let starts: [Int]
    let labels: [UInt8]
    /// x of each byte.
    let intensities = FloatBuffer((0..<256).map { Float($0) / 255 })
    private let columns: [UInt16]
    private let bytes: [UInt8]
    private let leafSize: Int
    /// `[leaf, input, leafSize]`, a leaf being a multiple of 16.
    private var blocks: [UInt8]

    var entryCount: Int { columns.count }

    /// - Parameter count: at most as many as there are images; fewer are repeated.
    init(_ images: LabelledImages, count: Int, leafSize: Int) {
        self.leafSize = leafSize
        var (starts, columns, bytes, labels) = ([0], [UInt16](), [UInt8](), [UInt8]())
        for index in 0..<count {
            let (pixels, label) = images[index % images.count]
            for (column, byte) in pixels.enumerated() where byte != 0 {
                columns.append(UInt16(column))
                bytes.append(byte)
            }
            starts.append(columns.count)
            labels.append(label)
        }
        (self.starts, self.columns, self.bytes, self.labels) = (starts, columns, bytes, labels)
        blocks = [UInt8](repeating: 0, count: count * LabelledImages.pixelCount)
        for example in 0..<count {
            for entry in starts[example]..<starts[example + 1] {
                let row = example / leafSize * LabelledImages.pixelCount + Int(columns[entry])
                blocks[row * leafSize + example % leafSize] = bytes[entry]
            }
        }
    }

    /// The columns, bytes and counts of every example, and room for the number of entries that are
    /// done.
    func withExamples(
        _ body: (
            UnsafePointer<UnsafePointer<UInt16>>, UnsafePointer<UnsafePointer<UInt8>>,
            UnsafePointer<Int>, UnsafeMutablePointer<Int>
        ) -> Void
    ) {
        unsafe withEntries { columns, bytes in
            var done = starts
            unsafe body(
                starts.dropLast().map { unsafe columns + $0 },
                starts.dropLast().map { unsafe bytes + $0 },
                zip(starts.dropFirst(), starts).map { $0 - $1 }, &done)
        }
    }

    private func withEntries(_ body: (UnsafePointer<UInt16>, UnsafePointer<UInt8>) -> Void) {
        unsafe columns.withUnsafeBufferPointer { columns in
            unsafe bytes.withUnsafeBufferPointer { bytes in
                guard let columns = columns.baseAddress, let bytes = bytes.baseAddress else {
                    return
                }
                unsafe body(columns, bytes)
            }
        }
    }

    func withBlocks(_ body: (UnsafePointer<UInt8>) -> Void) {
        unsafe blocks.withUnsafeBufferPointer { blocks in
            if let start = blocks.baseAddress { unsafe body(start) }
        }
    }

    /// Writes an example's bytes to their place again.
    func scatter(_ example: Int, _ kernels: KernelSet) {
        let start = starts[example]
        let count = starts[example + 1] - start
        let place = example / leafSize * LabelledImages.pixelCount * leafSize + example % leafSize
        unsafe blocks.withUnsafeMutableBufferPointer { blocks in
            guard let block = blocks.baseAddress else { return }
            unsafe withEntries { columns, bytes in
                unsafe kernels.sparseScatter(
                    columns + start, bytes + start, count, block + place, leafSize)
            }
        }
    }
}

/// Room for one digit an example.
@safe final class DecisionBuffer {
    let pointer: UnsafeMutablePointer<UInt8>

    init(count: Int) {
        unsafe pointer = .allocate(capacity: count)
        unsafe pointer.initialize(repeating: 0, count: count)
    }

    deinit { unsafe pointer.deallocate() }
}
