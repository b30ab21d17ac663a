import TrainingPlan

/// A fully connected network's arithmetic: forward, output, backward, on the buffers of a
/// `Workspace`.
///
/// The functions take a range of the batch, so that threads may share it: no element depends on the
/// range.
struct Network: Sendable {
    let architecture: NetworkArchitecture
    let layout: ParameterLayout
    let kernels: KernelSet

    init(_ architecture: NetworkArchitecture, kernels: KernelSet) {
        self.architecture = architecture
        self.kernels = kernels
        layout = ParameterLayout(widths: architecture.layers)
    }

    /// Weights of the input layer that a group of examples visits together: 48 KB. Little more than
    /// a first cache holds, because many pixels are black in all.
    private static let weightsAtATime = 12288
    /// Examples of a group: their pixels and activations stay in the second cache.
    private static let examplesAtATime = 64
    /// A line from memory takes a tenth of a microsecond.
    private static let examplesReadAhead = 2

    var lastLayer: Int { layout.layers.count - 1 }

    /// Fills the activations of `range` up to the last layer's logits.
    ///
    /// - Parameter visited: called with each example's row of pixels while it is in the first
    ///   cache.
    func forward(
        _ range: Range<Int>, weights: UnsafePointer<Float>, _ workspace: Workspace,
        visited: (_ place: Int, _ row: SparseExamples.Row) -> Void = { _, _ in }
    ) {
        guard !range.isEmpty else { return }
        for (index, layer) in layout.layers.enumerated() {
            let stride = workspace.strides[index]
            let z = unsafe workspace.activations[index].pointer
            if index == 0 {
                unsafe forwardInput(layer, range, weights: weights, workspace, visited)
            } else {
                let inputStride = workspace.strides[index - 1]
                let inputs = unsafe workspace.activations[index - 1].pointer
                unsafe kernels.denseForward(
                    inputs + range.lowerBound * inputStride, inputStride, range.count,
                    layer.inputs, weights + layer.kernelOffset, layer.outputs,
                    weights + layer.biasOffset, layer.outputs, z + range.lowerBound * stride, stride
                )
            }
            if index < lastLayer {
                unsafe activate(
                    architecture.hidden, z + range.lowerBound * stride, range.count * stride)
            }
        }
    }

    /// The input layer, some rows of weights at a time for a group of examples.
    private func forwardInput(
        _ layer: ParameterLayout.Layer, _ range: Range<Int>, weights: UnsafePointer<Float>,
        _ workspace: Workspace, _ visited: (_ place: Int, _ row: SparseExamples.Row) -> Void
    ) {
        let (batch, stride) = (workspace.batch, workspace.strides[0])
        let inputsAtATime = max(Self.weightsAtATime / layer.outputs, 32)
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + Self.examplesAtATime, range.upperBound)
            for b in start..<end {
                if b + Self.examplesReadAhead < range.upperBound {
                    kernels.prefetch(batch.row(b + Self.examplesReadAhead))
                }
                visited(b, batch.row(b))
            }
            for lower in Swift.stride(from: 0, to: layer.inputs, by: inputsAtATime) {
                unsafe kernels.sparseForward(
                    batch.columns + start, batch.bytes + start, batch.counts + start,
                    batch.done + start, end - start, lower, lower + inputsAtATime,
                    workspace.intensities.pointer, weights + layer.kernelOffset,
                    weights + layer.biasOffset, layer.outputs,
                    workspace.activations[0].pointer + start * stride, stride)
            }
            start = end
        }
    }

    /// Logits to outputs, losses, decisions, and the last layer's deltas.
    func output(_ range: Range<Int>, _ workspace: Workspace) {
        guard !range.isEmpty else { return }
        let stride = workspace.strides[lastLayer]
        let first = range.lowerBound * stride
        let outputs = layout.layers[lastLayer].outputs
        let y = unsafe workspace.activations[lastLayer].pointer + first
        let deltas = unsafe workspace.deltas[lastLayer].pointer + first
        let kernel: KernelSet.OutputLayer
        switch (architecture.output, architecture.loss) {
        case (.softmax, .crossEntropy): unsafe kernel = kernels.softmaxCrossEntropy
        case (.softmax, .mse): unsafe kernel = kernels.softmaxMeanSquaredError
        case (.sigmoid, .crossEntropy): unsafe kernel = kernels.sigmoidCrossEntropy
        case (.tanh, .mse), (.relu, .mse), (.sigmoid, .mse), (.identity, .mse):
            unsafe kernel = kernels.meanSquaredError
            unsafe activate(architecture.output, y, range.count * stride)
        case (.tanh, .crossEntropy), (.relu, .crossEntropy), (.identity, .crossEntropy):
            preconditionFailure("cross-entropy needs softmax or sigmoid outputs")
        }
        let offTarget: Float = architecture.targets == .zeroOne ? 0 : -1
        unsafe kernel(
            y, stride, outputs, range.count, workspace.batch.labels + range.lowerBound, offTarget,
            deltas, workspace.losses.pointer + range.lowerBound)
        if architecture.loss == .mse {
            unsafe multiplyByDerivative(architecture.output, deltas, y, range.count * stride)
        }
        unsafe kernels.decide(
            y, stride, outputs, range.count, architecture.decoding == .rescaled,
            workspace.decisions + range.lowerBound)
    }

    /// Deltas of the hidden layers, from the last to the first.
    ///
    /// - Parameter transposed: the kernels of all layers but the first, from `transposeKernels`.
    func backward(_ range: Range<Int>, transposed: [FloatBuffer], _ workspace: Workspace) {
        guard !range.isEmpty else { return }
        for index in layout.layers.indices.dropFirst().reversed() {
            let layer = layout.layers[index]
            let (stride, hiddenStride) = (workspace.strides[index], workspace.strides[index - 1])
            let first = range.lowerBound * hiddenStride
            let hidden = unsafe workspace.deltas[index - 1].pointer + first
            unsafe kernels.denseForward(
                workspace.deltas[index].pointer + range.lowerBound * stride, stride, range.count,
                layer.outputs, transposed[index - 1].pointer, hiddenStride, nil, layer.inputs,
                hidden, hiddenStride)
            unsafe multiplyByDerivative(
                architecture.hidden, hidden, workspace.activations[index - 1].pointer + first,
                range.count * hiddenStride)
        }
    }

    /// Buffers for the transposed kernels of all layers but the first: `[outputs, inputs padded]`.
    func makeTransposedKernels(_ workspace: Workspace) -> [FloatBuffer] {
        layout.layers.indices.dropFirst().map { index in
            FloatBuffer(count: layout.layers[index].outputs * workspace.strides[index - 1])
        }
    }

    func transposeKernels(
        _ weights: UnsafePointer<Float>, into transposed: [FloatBuffer], _ workspace: Workspace
    ) {
        for index in layout.layers.indices.dropFirst() {
            let layer = layout.layers[index]
            unsafe kernels.transpose(
                weights + layer.kernelOffset, layer.inputs, layer.outputs,
                transposed[index - 1].pointer, workspace.strides[index - 1])
        }
    }

    private func activate(
        _ activation: Activation, _ values: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        switch activation {
        case .tanh: unsafe kernels.tanhForward(values, count)
        case .relu: unsafe kernels.reluForward(values, count)
        case .sigmoid: unsafe kernels.sigmoidForward(values, count)
        case .identity: break
        case .softmax: preconditionFailure("softmax is for the output layer only")
        }
    }

    private func multiplyByDerivative(
        _ activation: Activation, _ deltas: UnsafeMutablePointer<Float>,
        _ activations: UnsafePointer<Float>, _ count: Int
    ) {
        switch activation {
        case .tanh: unsafe kernels.tanhBackward(deltas, activations, count)
        case .relu: unsafe kernels.reluBackward(deltas, activations, count)
        case .sigmoid: unsafe kernels.sigmoidBackward(deltas, activations, count)
        case .identity, .softmax: break
        }
    }
}

/// The buffers of a batch, allocated once: activations and deltas of every layer, `[capacity,
/// stride]`.
///
/// Threads of one team write disjoint ranges between barriers: hence `Sendable`.
@safe final class Workspace: @unchecked Sendable {
    let capacity: Int
    let batch: ExampleBatch
    /// Floats between two examples, by layer: the width, padded to whole blocks.
    let strides: [Int]
    let activations: [FloatBuffer]
    /// Empty buffers where no gradient is wanted.
    let deltas: [FloatBuffer]
    let losses: FloatBuffer
    let decisions: UnsafeMutablePointer<UInt8>
    /// x of every byte: Float(byte) / 255.
    let intensities: FloatBuffer

    init(_ layout: ParameterLayout, capacity: Int) {
        self.capacity = capacity
        batch = ExampleBatch(capacity: capacity)
        strides = layout.layers.indices.map { index in
            let block = index == 0 ? 64 : 16
            return (layout.layers[index].outputs + block - 1) / block * block
        }
        activations = strides.map { FloatBuffer(count: capacity * $0) }
        deltas = strides.map { FloatBuffer(count: capacity * $0) }
        losses = FloatBuffer(count: capacity)
        unsafe decisions = .allocate(capacity: capacity)
        intensities = FloatBuffer((0..<256).map { Float($0) / 255 })
    }

    deinit { unsafe decisions.deallocate() }
}
