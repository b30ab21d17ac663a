import TrainingPlan

/// The input layer's forward product, some inputs at a time for a group of examples, in the form
/// that suits the pixels: over those that are not zero, or over all, several examples together.
/// Both give the same bits.
extension Network {
    /// Weights of the input layer that a group of examples visits together: 56 KB. More than a
    /// first cache holds, because many pixels are black in all.
    private static let weightsAtATime = 14336
    /// The same for examples that are stored with all pixels, because few are black in all.
    private static let denseWeightsAtATime = 7168
    /// Units of a group: their pixels and activations stay in the second cache.
    static let unitsAtATime = 4
    /// Inputs for which a form is chosen, in whole vectors of 16.
    static let inputsAtATime = 400
    /// Of a hundred pixels, how many make the dense form faster.
    private static let denseShare = 50

    /// - Parameters:
    ///   - units: of the batch of `count` examples; see `PixelBlocks`.
    ///   - intensities: scratch of `inputsAtATime` floats for each example of a unit.
    func forwardInput(
        units: Range<Int>, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace,
        _ intensities: FloatBuffer
    ) {
        let (batch, pixels) = (workspace.batch, workspace.pixels)
        // Other threads may still be filling what lies beyond.
        let end = pixels.places(ofUnits: units, count: count).upperBound
        for first in stride(from: units.lowerBound, to: units.upperBound, by: Self.unitsAtATime) {
            let group = first..<min(first + Self.unitsAtATime, units.upperBound)
            let places = pixels.places(ofUnits: group, count: count)
            if !batch.isDense, first == units.lowerBound { prefetch(places, of: batch) }
            for unit in group {
                if batch.isDense {
                    let next = pixels.places(ofUnit: unit, count: count).upperBound
                    prefetch(next..<min(next + PixelBlocks.unitSize, end), of: batch)
                }
                pixels.fill(unit: unit, batch, count: count, kernels)
            }
            if batch.isDense {
                for unit in group {
                    unsafe forwardBytes(
                        unit: unit, count: count, weights: weights, workspace, intensities)
                }
            } else {
                let next = places.upperBound..<min(places.upperBound + places.count, end)
                unsafe forwardLists(places, weights: weights, workspace, next: next)
            }
        }
    }

    /// A line from memory takes a tenth of a microsecond, so examples are asked for before they are
    /// read.
    private func prefetch(_ places: Range<Int>, of batch: ExampleBatch) {
        for place in places { unsafe kernels.prefetch(batch.memory(of: place)) }
    }

    /// Examples that are lists of pixels. The `next` ones are asked for meanwhile, a few at a time:
    /// a processor waits for some dozens of lines at once.
    private func forwardLists(
        _ places: Range<Int>, weights: UnsafePointer<Float>, _ workspace: Workspace,
        next: Range<Int>
    ) {
        let (layer, batch) = (layout.layers[0], workspace.batch)
        let (first, rowStride) = (places.lowerBound, workspace.strides[0])
        let step = max(Self.weightsAtATime / layer.outputs, 32)
        for lower in stride(from: 0, to: layer.inputs, by: step) {
            let asked = next.count * lower / layer.inputs
            let end = next.count * min(lower + step, layer.inputs) / layer.inputs
            prefetch(next.lowerBound + asked..<next.lowerBound + end, of: batch)
            unsafe kernels.sparseForward(
                batch.columns + first, batch.bytes + first, batch.counts + first,
                batch.done + first, places.count, lower, lower + step,
                workspace.intensities.pointer, weights + layer.kernelOffset,
                weights + layer.biasOffset, layer.outputs,
                workspace.activations[0].pointer + first * rowStride, rowStride)
        }
    }

    /// Examples that are stored with all pixels: a form for every block of inputs.
    private func forwardBytes(
        unit: Int, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace,
        _ intensities: FloatBuffer
    ) {
        let (pixels, batch) = (workspace.pixels, workspace.batch)
        let (layer, rowStride) = (layout.layers[0], workspace.strides[0])
        let (kernel, bias) = unsafe (weights + layer.kernelOffset, weights + layer.biasOffset)
        let places = pixels.places(ofUnit: unit, count: count)
        let z = unsafe workspace.activations[0].pointer + places.lowerBound * rowStride
        for lower in stride(from: 0, to: layer.inputs, by: Self.inputsAtATime) {
            let inputs = lower..<min(lower + Self.inputsAtATime, layer.inputs)
            let used = pixels.nonzeroCount(unit: unit, inputs, kernels)
            if used * 100 > Self.denseShare * inputs.count * places.count,
                workspace.weightCheck.areFinite({
                    unsafe kernels.areFinite(kernel, layer.inputs * layer.outputs)
                })
            {
                unsafe kernels.denseInputForward(
                    batch.bytes + places.lowerBound, places.count, lower, inputs.upperBound, kernel,
                    bias, layer.outputs, z, rowStride, intensities.pointer)
                continue
            }
            let step = max(Self.denseWeightsAtATime / layer.outputs, 16)
            for lower in stride(from: lower, to: inputs.upperBound, by: step) {
                unsafe kernels.sparseForwardBytes(
                    batch.bytes + places.lowerBound, places.count, lower,
                    min(lower + step, inputs.upperBound), workspace.intensities.pointer, kernel,
                    bias, layer.outputs, z, rowStride)
            }
        }
    }
}
