/// A batch by leaf and pixel: the bytes of a leaf's examples side by side for every input, as the
/// weight gradient visits them.
///
/// Of examples that are lists of pixels, all inputs are laid out while the forward product has the
/// lists at hand; of those that are stored with all their pixels, some rows at a time, just before
/// their gradient. Sixteen examples of a leaf at most are a unit: what is laid out together, and by
/// one thread.
@safe final class PixelBlocks {
    /// Inputs.
    let width: Int
    private let leafSize: Int
    /// Bytes between two inputs of a leaf: its examples, in whole units.
    let leafStride: Int
    /// `[leaf, width, leafStride]`. Once all units of a batch are there, zero in its leaves where
    /// there is no example. Pages that nobody fills cost nothing.
    let bytes: UnsafeMutablePointer<UInt8>
    /// A row without a pixel, for examples that are not there.
    private let blank: UnsafePointer<UInt8>

    static let unitSize = 16

    /// - Parameter rowWidth: the inputs of an example that is stored with all its pixels.
    init(width: Int, leafSize: Int, leafCapacity: Int, rowWidth: Int) {
        self.width = width
        self.leafSize = leafSize
        leafStride = (leafSize + Self.unitSize - 1) / Self.unitSize * Self.unitSize
        unsafe bytes = .allocate(capacity: leafCapacity * width * leafStride)
        let blank = UnsafeMutablePointer<UInt8>.allocate(capacity: rowWidth)
        unsafe blank.initialize(repeating: 0, count: rowWidth)
        unsafe self.blank = UnsafePointer(blank)
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

    /// Puts the examples of a unit, lists of pixels, in place of those that an earlier batch had
    /// there. Units may be filled by several threads.
    func fill(unit: Int, _ batch: ExampleBatch, count: Int, _ kernels: KernelSet) {
        // Its lines are in the first cache then, where single bytes are written fast.
        clear(unit: unit)
        clearAbsent(after: unit, count: count)
        let places = places(ofUnit: unit, count: count)
        let start = unsafe start(ofUnit: unit)
        for place in places {
            let row = batch.row(place)
            unsafe kernels.sparseScatter(
                row.columns, row.bytes, row.count, start + (place - places.lowerBound), leafStride)
        }
    }

    /// Puts some inputs of all examples, which are stored with all their pixels, in place of what
    /// was there, from the first row on.
    func fill(inputs: Range<Int>, _ batch: ExampleBatch, count: Int, _ kernels: KernelSet) {
        for unit in 0..<unitCount(count) {
            clearAbsent(after: unit, count: count)
            let places = places(ofUnit: unit, count: count)
            for next in places.upperBound..<min(places.upperBound + Self.unitSize, count) {
                unsafe kernels.prefetch(batch.memory(of: next, inputs))
            }
            let start = unsafe start(ofUnit: unit)
            if places.count == Self.unitSize {
                unsafe kernels.transposePixels(
                    batch.bytes + places.lowerBound, inputs.lowerBound, inputs.count, start,
                    leafStride)
                continue
            }
            unsafe withUnsafeTemporaryAllocation(
                of: UnsafePointer<UInt8>.self, capacity: Self.unitSize
            ) { rows in
                guard let rows = rows.baseAddress else { return }
                unsafe rows.initialize(repeating: blank, count: Self.unitSize)
                unsafe rows.update(from: batch.bytes + places.lowerBound, count: places.count)
                unsafe kernels.transposePixels(
                    rows, inputs.lowerBound, inputs.count, start, leafStride)
            }
        }
    }

    /// Clears what a batch's last leaf has behind its last unit.
    private func clearAbsent(after unit: Int, count: Int) {
        guard places(ofUnit: unit, count: count).upperBound == count else { return }
        let unitsOfLeaf = leafStride / Self.unitSize
        let end = (unit / unitsOfLeaf + 1) * unitsOfLeaf
        for absent in unit + 1..<end { clear(unit: absent) }
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

    /// Whether an input is not zero in one of the `count` examples.
    func isUsed(_ input: Int, count: Int) -> Bool {
        for leaf in 0..<(count + leafSize - 1) / leafSize {
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
