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
    /// Inputs for which a form is chosen.
    private static let inputsAtATime = 400
    /// Of a hundred pixels, how many make the dense form faster.
    private static let denseShare = 50
    /// Of a unit, how many examples tell its share of such pixels.
    private static let sampledExamples = 4

    /// - Parameter units: of the batch of `count` examples; see `PixelBlocks`.
    func forwardInput(
        units: Range<Int>, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace
    ) {
        let (batch, pixels) = (workspace.batch, workspace.pixels)
        // Other threads may still be filling what lies beyond.
        let end = pixels.places(ofUnits: units, count: count).upperBound
        if batch.isDense {
            for unit in units {
                let places = pixels.places(ofUnit: unit, count: count)
                if unit == units.lowerBound { prefetch(places, of: batch) }
                let next = places.upperBound..<min(places.upperBound + places.count, end)
                unsafe forwardBytes(places, weights: weights, workspace, next: next)
            }
            return
        }
        for first in stride(from: units.lowerBound, to: units.upperBound, by: Self.unitsAtATime) {
            let group = first..<min(first + Self.unitsAtATime, units.upperBound)
            let places = pixels.places(ofUnits: group, count: count)
            if first == units.lowerBound { prefetch(places, of: batch) }
            if workspace.keepsPixels {
                for unit in group { pixels.fill(unit: unit, batch, count: count, kernels) }
            }
            let next = places.upperBound..<min(places.upperBound + places.count, end)
            unsafe forwardLists(places, weights: weights, workspace, next: next)
        }
    }

    /// A line from memory takes a tenth of a microsecond, so examples are asked for before they are
    /// read.
    private func prefetch(_ places: Range<Int>, of batch: ExampleBatch) {
        for place in places { unsafe kernels.prefetch(batch.memory(of: place)) }
    }

    /// Examples that are lists of pixels. The `next` ones are asked for meanwhile.
    private func forwardLists(
        _ places: Range<Int>, weights: UnsafePointer<Float>, _ workspace: Workspace,
        next: Range<Int>
    ) {
        let (layer, batch) = (layout.layers[0], workspace.batch)
        let (first, rowStride) = (places.lowerBound, workspace.strides[0])
        let step = max(Self.weightsAtATime / layer.outputs, 32)
        for lower in stride(from: 0, to: layer.inputs, by: step) {
            let ahead = unsafe batch.ahead(next, lower / step, of: (layer.inputs + step - 1) / step)
            unsafe kernels.sparseForward(
                batch.columns + first, batch.bytes + first, batch.counts + first,
                batch.done + first, places.count, lower, lower + step,
                workspace.intensities.pointer, weights + layer.kernelOffset,
                weights + layer.biasOffset, layer.outputs,
                workspace.activations[0].pointer + first * rowStride, rowStride, ahead)
        }
    }

    /// Examples that are stored with all pixels: a form for every block of inputs. The `next` ones
    /// are asked for meanwhile.
    private func forwardBytes(
        _ places: Range<Int>, weights: UnsafePointer<Float>, _ workspace: Workspace,
        next: Range<Int>
    ) {
        let batch = workspace.batch
        let (layer, rowStride) = (layout.layers[0], workspace.strides[0])
        let (kernel, bias) = unsafe (weights + layer.kernelOffset, weights + layer.biasOffset)
        let pixels = unsafe batch.bytes + places.lowerBound
        let intensities = unsafe workspace.intensities.pointer
        let z = unsafe workspace.activations[0].pointer + places.lowerBound * rowStride
        let sample = places.prefix(Self.sampledExamples)
        for lower in stride(from: 0, to: layer.inputs, by: Self.inputsAtATime) {
            let inputs = lower..<min(lower + Self.inputsAtATime, layer.inputs)
            var ahead = unsafe batch.ahead(
                next, lower / Self.inputsAtATime,
                of: (layer.inputs + Self.inputsAtATime - 1) / Self.inputsAtATime)
            let used = batch.nonzeroCount(sample, inputs, kernels)
            if used * 100 > Self.denseShare * inputs.count * sample.count,
                workspace.weightCheck.areFinite({
                    unsafe kernels.areFinite(kernel, layer.inputs * layer.outputs)
                })
            {
                unsafe kernels.denseInputForward(
                    pixels, places.count, lower, inputs.upperBound, intensities, kernel, bias,
                    layer.outputs, z, rowStride, ahead)
                continue
            }
            let step = max(Self.denseWeightsAtATime / layer.outputs, 16)
            for lower in stride(from: lower, to: inputs.upperBound, by: step) {
                unsafe kernels.sparseForwardBytes(
                    pixels, places.count, lower, min(lower + step, inputs.upperBound), intensities,
                    kernel, bias, layer.outputs, z, rowStride, ahead)
                unsafe ahead = KernelSet.nothingAhead
            }
        }
    }
}
