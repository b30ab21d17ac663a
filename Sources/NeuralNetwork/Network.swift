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

    var lastLayer: Int { layout.layers.count - 1 }

    /// Fills the activations of some units of a batch of `count` examples up to the last layer's
    /// logits, and the pixel blocks where the examples are lists.
    func forward(
        units: Range<Int>, count: Int, weights: UnsafePointer<Float>, _ workspace: Workspace
    ) {
        guard !units.isEmpty else { return }
        let range = workspace.pixels.places(ofUnits: units, count: count)
        for (index, layer) in layout.layers.enumerated() {
            let stride = workspace.strides[index]
            let z = unsafe workspace.activations[index].pointer + range.lowerBound * stride
            if index == 0 {
                unsafe forwardInput(units: units, count: count, weights: weights, workspace)
            } else {
                let inputStride = workspace.strides[index - 1]
                let inputs = unsafe workspace.activations[index - 1].pointer
                unsafe kernels.denseForward(
                    inputs + range.lowerBound * inputStride, inputStride, range.count,
                    layer.inputs, weights + layer.kernelOffset, layer.outputs,
                    weights + layer.biasOffset, layer.outputs, z, stride)
            }
            if index < lastLayer {
                unsafe activate(architecture.hidden, z, range.count * stride)
            }
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
