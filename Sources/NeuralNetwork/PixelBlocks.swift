/// A batch by leaf and pixel: the bytes of a leaf's examples side by side for every input.
///
/// The weight gradient visits one input at a time, finds the leaf's non-zero bytes sixteen at a
/// time, and has a leaf's block (12.5 KB at 16 examples) in the first cache while it is written.
/// Sixteen examples of a leaf at most are a unit: what the dense forward product takes together,
/// and what one thread fills.
@safe final class PixelBlocks {
    private let width: Int
    private let leafSize: Int
    private let leafCapacity: Int
    /// Bytes between two inputs of a leaf: its examples, in whole units.
    let leafStride: Int
    /// `[leaf, width, leafStride]`. Once all units of a batch are there, zero in its leaves where
    /// there is no example.
    let bytes: UnsafeMutablePointer<UInt8>
    /// A row without a pixel, for examples that are not there.
    private let blank: UnsafeMutablePointer<UInt8>

    static let unitSize = 16

    init(width: Int, leafSize: Int, leafCapacity: Int) {
        self.width = width
        self.leafSize = leafSize
        self.leafCapacity = leafCapacity
        leafStride = (leafSize + Self.unitSize - 1) / Self.unitSize * Self.unitSize
        unsafe bytes = .allocate(capacity: leafCapacity * width * leafStride)
        unsafe bytes.initialize(repeating: 0, count: leafCapacity * width * leafStride)
        unsafe blank = .allocate(capacity: width + 64)
        unsafe blank.initialize(repeating: 0, count: width + 64)
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe blank.deallocate()
    }

    /// Units of a batch of `count` examples.
    func unitCount(_ count: Int) -> Int {
        let (leaves, rest) = count.quotientAndRemainder(dividingBy: leafSize)
        return leaves * (leafStride / Self.unitSize) + (rest + Self.unitSize - 1) / Self.unitSize
    }

    /// The units of a batch of `count` examples that one of several threads fills.
    func units(ofThread thread: Int, of threadCount: Int, count: Int) -> Range<Int> {
        let unitCount = unitCount(count)
        return unitCount * thread / threadCount..<unitCount * (thread + 1) / threadCount
    }

    /// The examples of a unit of a batch of `count`, by their places in the batch.
    func places(ofUnit unit: Int, count: Int) -> Range<Int> {
        let (leaf, part) = unit.quotientAndRemainder(dividingBy: leafStride / Self.unitSize)
        let end = min((leaf + 1) * leafSize, count)
        let start = min(leaf * leafSize + part * Self.unitSize, end)
        return start..<min(start + Self.unitSize, end)
    }

    /// The places of several units.
    func places(ofUnits units: Range<Int>, count: Int) -> Range<Int> {
        guard let last = units.last else { return 0..<0 }
        return places(ofUnit: units.lowerBound, count: count)
            .lowerBound..<places(ofUnit: last, count: count).upperBound
    }

    /// Where a unit's bytes of the first input lie, `leafStride` before those of the next.
    func start(ofUnit unit: Int) -> UnsafeMutablePointer<UInt8> {
        let (leaf, part) = unit.quotientAndRemainder(dividingBy: leafStride / Self.unitSize)
        return unsafe bytes + leaf * width * leafStride + part * Self.unitSize
    }

    /// Puts the examples of a unit in place of those that an earlier batch had there. Units may be
    /// filled by several threads.
    func fill(unit: Int, _ batch: ExampleBatch, count: Int, _ kernels: KernelSet) {
        let places = places(ofUnit: unit, count: count)
        if places.upperBound == count {
            let unitsOfLeaf = leafStride / Self.unitSize
            let end = (unit / unitsOfLeaf + 1) * unitsOfLeaf
            for absent in unit + 1..<end { clear(unit: absent) }
        }
        let start = unsafe start(ofUnit: unit)
        guard batch.isDense else {
            // Its lines are in the first cache then, where single bytes are written fast.
            clear(unit: unit)
            for place in places {
                let row = batch.row(place)
                unsafe kernels.sparseScatter(
                    row.columns, row.bytes, row.count, start + (place - places.lowerBound),
                    leafStride)
            }
            return
        }
        if places.count == Self.unitSize {
            unsafe kernels.transposePixels(
                batch.bytes + places.lowerBound, width, start, leafStride)
            return
        }
        unsafe withUnsafeTemporaryAllocation(
            of: UnsafePointer<UInt8>.self, capacity: Self.unitSize
        ) { rows in
            guard let rows = rows.baseAddress else { return }
            for index in 0..<Self.unitSize {
                let place = places.lowerBound + index
                unsafe rows[index] =
                    place < places.upperBound
                    ? batch.bytes[place] : UnsafePointer(blank)
            }
            unsafe kernels.transposePixels(rows, width, start, leafStride)
        }
    }

    /// How many pixels of a unit are not zero, of some inputs.
    func nonzeroCount(unit: Int, _ inputs: Range<Int>, _ kernels: KernelSet) -> Int {
        let start = unsafe start(ofUnit: unit) + inputs.lowerBound * leafStride
        if leafStride == Self.unitSize {
            return unsafe kernels.countNonzero(start, inputs.count * leafStride)
        }
        var sum = 0
        for input in 0..<inputs.count {
            sum += unsafe kernels.countNonzero(start + input * leafStride, Self.unitSize)
        }
        return sum
    }

    /// How many pixels of the first leaves are not zero, of some inputs: an estimate from a few of
    /// the leaves.
    func nonzeroEstimate(leaves leafCount: Int, _ inputs: Range<Int>, _ kernels: KernelSet) -> Int {
        var sum = 0
        let step = (leafCount + Self.sampledLeaves - 1) / Self.sampledLeaves
        for leaf in stride(from: 0, to: leafCount, by: step) {
            let start = unsafe bytes + (leaf * width + inputs.lowerBound) * leafStride
            sum += unsafe kernels.countNonzero(start, inputs.count * leafStride)
        }
        return sum * step
    }

    private static let sampledLeaves = 4

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

    private func clear(unit: Int) {
        let start = unsafe start(ofUnit: unit)
        if leafStride == Self.unitSize {
            unsafe start.update(repeating: 0, count: width * Self.unitSize)
            return
        }
        for input in 0..<width {
            unsafe UnsafeMutableRawPointer(start + input * leafStride)
                .storeBytes(of: .zero, as: SIMD16<UInt8>.self)
        }
    }
}
