package import TrainingPlan

/// What a network decides on a set of examples.
package struct Evaluation: Sendable, Equatable {
    package let examples: Int
    /// The mean loss.
    package let loss: Double
    package let correct: Int
    /// Examples by label and decision: `[label][decision]`.
    package let confusion: [[Int]]
    /// Decisions that the other decoding would have made otherwise.
    package let decisionsChangedByRescaling: Int
    /// Right decisions with the other decoding.
    package let correctByOtherDecoding: Int
    /// Nil with cross-entropy.
    package let hindrance: Hindrance?

    package var accuracy: Double { fraction(correct) }
    package var otherDecodingAccuracy: Double { fraction(correctByOtherDecoding) }

    private func fraction(_ count: Int) -> Double {
        examples == 0 ? 0 : Double(count) / Double(examples)
    }
}

/// Evaluates weights on a fixed set of examples; its buffers are allocated once.
@safe package final class Evaluator {
    private let network: Network
    private let examples: SparseExamples
    private let places: [UInt32]
    private let workspace: Workspace
    private let indices: UnsafeMutablePointer<UInt32>
    private let otherDecisions: UnsafeMutablePointer<UInt8>

    private static let examplesPerPass = 128

    /// - Parameter places: of the examples to evaluate on; default: all.
    package init(
        _ architecture: NetworkArchitecture, kernels: KernelSet, examples: SparseExamples,
        places: [UInt32]? = nil
    ) {
        network = Network(architecture, kernels: kernels)
        self.examples = examples
        self.places = places ?? (0..<UInt32(examples.count)).map(\.self)
        workspace = Workspace(
            network.layout, capacity: Self.examplesPerPass, leafSize: PixelBlocks.unitSize,
            keepsPixels: false)
        workspace.batch.prepare(examples)
        unsafe indices = .allocate(capacity: Self.examplesPerPass)
        unsafe otherDecisions = .allocate(capacity: Self.examplesPerPass)
    }

    deinit {
        unsafe indices.deallocate()
        unsafe otherDecisions.deallocate()
    }

    /// The losses are added up in the order of the examples, in Double.
    ///
    /// - Parameter observe: gets the outputs of every pass, `[examples of the pass, outputs]`, in
    ///   the order of the examples, before any rescaling.
    package func evaluate(
        _ weights: FloatBuffer, observe: ((_ outputs: [Float]) -> Void)? = nil
    ) -> Evaluation {
        precondition(weights.count == network.layout.parameterCount, "weights of this network")
        workspace.weightCheck.reset()
        let last = network.lastLayer
        let outputs = network.layout.layers[last].outputs
        var loss = 0.0
        var changed = 0
        var correctByOther = 0
        var hindrance = HindranceSums(network.architecture)
        var confusion = [[Int]](repeating: [Int](repeating: 0, count: outputs), count: outputs)
        var start = 0
        while start < places.count {
            let count = min(Self.examplesPerPass, places.count - start)
            for b in 0..<count { unsafe indices[b] = places[start + b] }
            unsafe workspace.batch.fill(0..<count, from: examples, indices)
            unsafe network.forward(
                units: 0..<workspace.pixels.unitCount(count), count: count,
                weights: weights.pointer, workspace)
            network.output(0..<count, workspace)
            unsafe network.kernels.decide(
                workspace.activations[last].pointer, workspace.strides[last], outputs, count,
                network.architecture.decoding == .plain, otherDecisions)
            if let observe {
                let y = unsafe workspace.activations[last].pointer
                let stride = workspace.strides[last]
                let rows = (0..<count).map { b in
                    unsafe Array(UnsafeBufferPointer(start: y + b * stride, count: outputs))
                }
                observe(rows.flatMap(\.self))
            }
            for b in 0..<count {
                unsafe hindrance?.add(
                    workspace.activations[last].pointer + b * workspace.strides[last],
                    workspace.deltas[last].pointer + b * workspace.strides[last],
                    outputs: outputs, label: Int(workspace.batch.labels[b]))
                loss += unsafe Double(workspace.losses.pointer[b])
                let decision = unsafe workspace.decisions[b]
                unsafe confusion[Int(workspace.batch.labels[b])][Int(decision)] += 1
                if unsafe decision != otherDecisions[b] { changed += 1 }
                if unsafe workspace.batch.labels[b] == otherDecisions[b] { correctByOther += 1 }
            }
            start += count
        }
        return Evaluation(
            examples: places.count, loss: places.isEmpty ? 0 : loss / Double(places.count),
            correct: confusion.indices.reduce(0) { $0 + confusion[$1][$1] }, confusion: confusion,
            decisionsChangedByRescaling: changed, correctByOtherDecoding: correctByOther,
            hindrance: hindrance?.hindrance)
    }
}
