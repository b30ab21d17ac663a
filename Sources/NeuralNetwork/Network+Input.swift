import TrainingPlan

/// The input layer's forward product, some inputs at a time for a group of examples, in the form
/// that suits the pixels: over those that are not zero, or over all, several examples together.
/// Both give the same bits.
extension Network {
    /// Weights of the input layer that a group of examples visits together: 48 KB. Little more than
    /// a first cache holds, because many pixels are black in all.
    private static let weightsAtATime = 12288
    /// Units of a group: their pixels and activations stay in the second cache.
    private static let unitsAtATime = 4
    /// A line from memory takes a tenth of a microsecond.
    private static let examplesReadAhead = 2
    /// Inputs for which a form is chosen.
    static let inputsAtATime = 112
    /// Of a hundred pixels, how many make the dense form faster.
    private static let denseShare = 60

    /// - Parameter units: of the batch; see `PixelBlocks`.
    func forwardInput(
        units: Range<Int>, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace,
        _ scratch: InputScratch
    ) {
        let (batch, pixels) = (workspace.batch, workspace.pixels)
        var group = units.lowerBound
        while group < units.upperBound {
            let groupUnits = group..<min(group + Self.unitsAtATime, units.upperBound)
            for unit in groupUnits {
                for place in pixels.places(ofUnit: unit, count: count) {
                    if place + Self.examplesReadAhead < count {
                        unsafe kernels.prefetch(batch.memory(of: place + Self.examplesReadAhead))
                    }
                }
                pixels.add(unit: unit, batch, count: count, kernels)
            }
            if batch.isDense {
                unsafe forwardBytes(
                    units: groupUnits, count: count, weights: weights, workspace, scratch)
            } else {
                let places = pixels.places(ofUnits: groupUnits, count: count)
                let first = places.lowerBound
                unsafe forwardSparse(
                    places, inputs: 0..<layout.layers[0].inputs, batch.columns + first,
                    batch.bytes + first, batch.counts + first, batch.done + first,
                    weights: weights, workspace)
            }
            group = groupUnits.upperBound
        }
    }

    /// The sparse form for some inputs of the examples at `places`; their lists hold no other.
    private func forwardSparse(
        _ places: Range<Int>, inputs: Range<Int>,
        _ columns: UnsafePointer<UnsafePointer<UInt16>>,
        _ bytes: UnsafePointer<UnsafePointer<UInt8>>, _ counts: UnsafePointer<Int>,
        _ done: UnsafeMutablePointer<Int>, weights: UnsafePointer<Float>, _ workspace: Workspace
    ) {
        let (layer, stride) = (layout.layers[0], workspace.strides[0])
        let step = max(Self.weightsAtATime / layer.outputs, 32)
        for lower in Swift.stride(from: inputs.lowerBound, to: inputs.upperBound, by: step) {
            unsafe kernels.sparseForward(
                columns, bytes, counts, done, places.count, lower,
                min(lower + step, inputs.upperBound), workspace.intensities.pointer,
                weights + layer.kernelOffset, weights + layer.biasOffset, layer.outputs,
                workspace.activations[0].pointer + places.lowerBound * stride, stride)
        }
    }

    /// Examples that are stored with all pixels.
    private func forwardBytes(
        units: Range<Int>, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace,
        _ scratch: InputScratch
    ) {
        let pixels = workspace.pixels
        let (layer, stride) = (layout.layers[0], workspace.strides[0])
        let kernel = unsafe weights + layer.kernelOffset
        for lower in Swift.stride(from: 0, to: layer.inputs, by: Self.inputsAtATime) {
            let inputs = lower..<min(lower + Self.inputsAtATime, layer.inputs)
            for unit in units {
                let places = pixels.places(ofUnit: unit, count: count)
                let used = pixels.nonzeroCount(unit: unit, inputs, kernels)
                let isDense =
                    used * 100 > Self.denseShare * inputs.count * places.count
                    && workspace.weightCheck.areFinite {
                        unsafe kernels.areFinite(kernel, layer.inputs * layer.outputs)
                    }
                if isDense {
                    unsafe kernels.denseInputForward(
                        pixels.start(ofUnit: unit), pixels.leafStride, places.count,
                        inputs.lowerBound, inputs.upperBound, kernel, weights + layer.biasOffset,
                        layer.outputs,
                        workspace.activations[0].pointer + places.lowerBound * stride, stride,
                        scratch.intensities.pointer)
                } else {
                    scratch.list(places, inputs, workspace.batch, kernels)
                    unsafe forwardSparse(
                        places, inputs: inputs, scratch.columns, scratch.bytes, scratch.counts,
                        scratch.done, weights: weights, workspace)
                }
            }
        }
    }
}

/// What one thread needs for the input layer of a unit of examples.
@safe final class InputScratch {
    /// x of a unit's pixels: `[input, example]`.
    let intensities = FloatBuffer(count: Network.inputsAtATime * PixelBlocks.unitSize)
    /// Of each example, as `sparseForward` takes them.
    let columns: UnsafeMutablePointer<UnsafePointer<UInt16>>
    let bytes: UnsafeMutablePointer<UnsafePointer<UInt8>>
    let counts: UnsafeMutablePointer<Int>
    let done: UnsafeMutablePointer<Int>
    private let columnLists: UnsafeMutablePointer<UInt16>
    private let byteLists: UnsafeMutablePointer<UInt8>
    /// Entries of one list: one more than are counted may be written.
    private static let capacity = Network.inputsAtATime + 16

    init() {
        let unitSize = PixelBlocks.unitSize
        unsafe columns = .allocate(capacity: unitSize)
        unsafe bytes = .allocate(capacity: unitSize)
        unsafe counts = .allocate(capacity: unitSize)
        unsafe done = .allocate(capacity: unitSize)
        unsafe columnLists = .allocate(capacity: unitSize * Self.capacity)
        unsafe byteLists = .allocate(capacity: unitSize * Self.capacity)
        for example in 0..<unitSize {
            unsafe columns[example] = UnsafePointer(columnLists + example * Self.capacity)
            unsafe bytes[example] = UnsafePointer(byteLists + example * Self.capacity)
        }
    }

    deinit {
        unsafe columns.deallocate()
        unsafe bytes.deallocate()
        unsafe counts.deallocate()
        unsafe done.deallocate()
        unsafe columnLists.deallocate()
        unsafe byteLists.deallocate()
    }

    /// Lists the pixels of some inputs that are not zero, of a unit's examples.
    func list(
        _ places: Range<Int>, _ inputs: Range<Int>, _ batch: ExampleBatch, _ kernels: KernelSet
    ) {
        for (index, place) in places.enumerated() {
            unsafe counts[index] = kernels.listPixels(
                batch.bytes[place], inputs.lowerBound, inputs.upperBound,
                columnLists + index * Self.capacity, byteLists + index * Self.capacity)
            unsafe done[index] = 0
        }
    }
}
