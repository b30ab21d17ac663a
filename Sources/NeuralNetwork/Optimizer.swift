package import TrainingPlan

/// The optimiser of a contiguous range of the flat vector (a server's shard): its state and its
/// step.
///
/// Elementwise, so the cut into shards does not show in the bits.
package final class Optimizer {
    private let settings: OptimizerSettings
    private let kernels: KernelSet
    private let totalSteps: Int
    /// Pieces of the range, from its start, in floats: where weight decay applies and where it does
    /// not.
    private let pieces: [(range: Range<Int>, decays: Bool)]
    /// The vectors beside the weights, each as long as the range: none for plain gradient descent,
    /// the velocity with momentum, the first and second moments with Adam.
    package let state: [FloatBuffer]

    /// - Parameters:
    ///   - range: the shard, in floats of the flat vector.
    ///   - totalSteps: the run's length, for schedules.
    package init(
        _ settings: OptimizerSettings, layout: ParameterLayout, range: Range<Int>, totalSteps: Int,
        kernels: KernelSet
    ) {
        self.settings = settings
        self.kernels = kernels
        self.totalSteps = totalSteps
        state = (0..<settings.stateCount).map { _ in FloatBuffer(count: range.count) }
        if settings.weightDecay == 0 {
            pieces = [(0..<range.count, false)]
        } else {
            let tensors = layout.layers.flatMap { layer in
                [
                    (layer.kernelOffset..<layer.biasOffset, true),
                    (layer.biasOffset..<layer.endOffset, false),
                ]
            }
            pieces = tensors.map { tensor, decays in (tensor.clamped(to: range), decays) }
                .filter { !$0.0.isEmpty }
                .map { piece, decays in
                    let start = piece.lowerBound - range.lowerBound
                    return (start..<start + piece.count, decays)
                }
        }
    }

    /// Takes over the state of another optimiser of the same range.
    package func copyState(from other: Optimizer) {
        for (own, others) in zip(state, other.state) { own.copy(from: others) }
    }

    /// Goes on from the state that an optimiser of the same range had.
    ///
    /// - Precondition: as many vectors as ``state`` has, of its lengths.
    package func restoreState(_ vectors: [[Float]]) {
        precondition(vectors.count == state.count, "as many vectors as the optimiser has")
        for (own, saved) in zip(state, vectors) { own.copy(from: saved) }
    }

    /// The learning rate of a step, before Adam's bias corrections.
    package func learningRate(step: Int) -> Double {
        settings.schedule.rate(
            base: settings.learningRate, step: step, totalSteps: totalSteps)
    }

    /// One update of a part of the range: weights of step + 1 from weights of `step` and the
    /// gradient sum.
    ///
    /// - Parameters:
    ///   - part: floats of the range, counted from its start; each once a step, in any order.
    ///   - sums: the part's gradient sum, at any alignment; divided by `examples` for the mean.
    ///   - weights: the part's weights.
    ///   - newWeights: where the part's new ones go; may be `weights`.
    /// - Returns: false if something came out non-finite; see ``divergence(sums:weights:)``. The
    ///   state is then spent.
    package func update(
        _ part: Range<Int>, step: Int, sums: UnsafeRawPointer, examples: Int,
        weights: UnsafePointer<Float>, newWeights: UnsafeMutableRawPointer
    ) -> Bool {
        let scheduled = learningRate(step: step)
        let count = Float(examples)
        var isFinite = true
        eachPiece(of: part, scheduled) { range, shrink in
            let start = range.lowerBound
            let offset = start - part.lowerBound
            let (pieceSums, old) = unsafe (sums + offset * 4, weights + offset)
            let new = unsafe newWeights + offset * 4
            let pieceIsFinite: Bool
            switch settings.kind {
            case .sgd:
                pieceIsFinite = unsafe kernels.gradientDescent(
                    range.count, pieceSums, count, Float(scheduled), shrink, old, new)
            case .momentum, .nesterov:
                pieceIsFinite = unsafe kernels.momentum(
                    range.count, pieceSums, count, Float(scheduled), shrink,
                    settings.kind == .nesterov, old, new, state[0].pointer + start)
            case .adam:
                pieceIsFinite = unsafe kernels.adam(
                    range.count, pieceSums, count, Self.adamRate(scheduled, step: step), shrink,
                    old, new, state[0].pointer + start, state[1].pointer + start)
            }
            isFinite = isFinite && pieceIsFinite
        }
        return isFinite
    }

    /// Whether ``measuredUpdate`` can be had for rows of `width` floats.
    package func measures(width: Int) -> Bool {
        settings.kind == .adam && width % 16 == 0
    }

    /// ``update`` of whole rows that also measures them, where that costs nothing.
    ///
    /// - Parameters:
    ///   - width: of a row, in floats; see ``measures(width:)``.
    ///   - squares: where the squared norm of each row's sums goes, at any alignment.
    ///   - first: where the part begins in the flat vector.
    /// - Returns: what ``update`` returns, and the new weights' digest.
    package func measuredUpdate(
        _ part: Range<Int>, width: Int, step: Int, sums: UnsafeRawPointer, examples: Int,
        weights: UnsafePointer<Float>, newWeights: UnsafeMutableRawPointer,
        squares: UnsafeMutableRawPointer, from first: Int
    ) -> (isFinite: Bool, digest: UInt64) {
        let scheduled = learningRate(step: step)
        let rate = Self.adamRate(scheduled, step: step)
        var result = (isFinite: true, digest: 0 as UInt64)
        eachPiece(of: part, scheduled) { range, shrink in
            let start = range.lowerBound
            let offset = start - part.lowerBound
            let piece = unsafe kernels.measuredAdam(
                range.count / width, width, sums + offset * 4, Float(examples), rate, shrink,
                weights + offset, newWeights + offset * 4, state[0].pointer + start,
                state[1].pointer + start, squares + offset / width * 4, first + offset)
            result.isFinite = result.isFinite && piece.isFinite
            result.digest &+= piece.digest
        }
        return result
    }

    /// Where weight decay applies and where not, each with the share of a weight that it takes.
    private func eachPiece(
        of part: Range<Int>, _ rate: Double, _ body: (_ range: Range<Int>, _ decay: Float) -> Void
    ) {
        let decay = Float(rate * settings.weightDecay)
        for (piece, decays) in pieces where piece.overlaps(part) {
            body(piece.clamped(to: part), decays ? decay : 0)
        }
    }

    /// What is not finite after an update of the part that begins at `start` said so, and where in
    /// the range.
    package func divergence(
        _ part: Range<Int>, sums: UnsafeRawPointer, newWeights: UnsafeRawPointer
    ) -> (what: Divergence, offset: Int)? {
        func firstNonFinite(_ values: UnsafeRawPointer) -> Int? {
            (0..<part.count).first {
                unsafe !values.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self).isFinite
            }
        }
        if let index = unsafe firstNonFinite(sums) { return (.gradient, part.lowerBound + index) }
        for buffer in state {
            if let index = unsafe firstNonFinite(buffer.pointer + part.lowerBound) {
                return (.state, part.lowerBound + index)
            }
        }
        return unsafe firstNonFinite(newWeights).map { (.weight, part.lowerBound + $0) }
    }

    /// rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ) with t = step + 1, in Double, rounded once.
    private static func adamRate(_ rate: Double, step: Int) -> Float {
        let (first, second) = (power(0.9, step + 1), power(0.999, step + 1))
        return Float(rate * (1 - second).squareRoot() / (1 - first))
    }

    /// baseⁿ by repeated squaring.
    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}

/// What was no longer finite when a run diverged.
package enum Divergence: String, Codable, Sendable {
    case gradient, state, weight
}
