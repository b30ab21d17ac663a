package import LockstepProtocol
package import NeuralNetwork
package import RunRecords
package import TrainingPlan
package import ZeroMQ

/// All that a run's next step depends on: the weights, and the optimiser's vectors beside them.
@safe package struct WholeState: Sendable {
    package let weights: FloatBuffer
    package let optimizer: [FloatBuffer]

    package init(weights: FloatBuffer, optimizer: [FloatBuffer]) {
        self.weights = weights
        self.optimizer = optimizer
    }

    package init(_ checkpoint: Checkpoint) {
        func buffer(_ values: [Float]) -> FloatBuffer {
            let buffer = FloatBuffer(count: values.count)
            buffer.copy(from: values)
            return buffer
        }
        weights = buffer(checkpoint.weights)
        optimizer = checkpoint.state.map(buffer)
    }

    package init(_ configuration: RunConfiguration, parameterCount: Int) {
        weights = FloatBuffer(count: parameterCount)
        optimizer = (0..<configuration.optimizer.stateCount).map { _ in
            FloatBuffer(count: parameterCount)
        }
    }

    /// The pieces of the vectors that a part of a shard's state stands for: the shard's slice of
    /// the weights, then those of the optimiser's vectors, laid end to end.
    ///
    /// - Parameter body: given the place in a vector, and where in the part its bytes are.
    private func forEachPiece(
        of part: SnapshotPart, _ plan: ShardPlan,
        _ body: (UnsafeMutableRawBufferPointer, _ offset: Int) -> Void
    ) {
        let slice = plan[part.address.shard]
        let sliceByteCount = slice.count * 4
        let wanted = Int(part.part.offset)..<Int(part.part.offset) + Int(part.part.byteCount)
        for (index, vector) in ([weights] + optimizer).enumerated() {
            let start = index * sliceByteCount
            let piece = wanted.clamped(to: start..<start + sliceByteCount)
            if piece.isEmpty { continue }
            let base = unsafe UnsafeMutableRawPointer(vector.pointer) + slice.lowerBound * 4
            unsafe body(
                UnsafeMutableRawBufferPointer(
                    start: base + (piece.lowerBound - start), count: piece.count),
                piece.lowerBound - wanted.lowerBound)
        }
    }

    /// Takes over a part that has come; its length is that of its payload.
    package func store(_ message: borrowing Message, _ part: SnapshotPart, _ plan: ShardPlan) {
        unsafe message.withUnsafeBytes { frame in
            let payload = unsafe FrameCodec.payload(of: frame)
            unsafe forEachPiece(of: part, plan) { target, offset in
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(
                        rebasing: payload[offset..<offset + target.count]))
            }
        }
    }

    /// The bytes of a part; nil if there is not such a part.
    package func bytes(of part: SnapshotPart, _ plan: ShardPlan) -> [UInt8]? {
        let byteCount = plan[part.address.shard].count * 4 * (1 + optimizer.count)
        guard Int(part.part.offset) + Int(part.part.byteCount) <= byteCount else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(part.part.byteCount))
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe forEachPiece(of: part, plan) { source, offset in
                unsafe UnsafeMutableRawBufferPointer(
                    rebasing: bytes[offset..<offset + source.count]
                ).copyMemory(from: UnsafeRawBufferPointer(source))
            }
        }
        return bytes
    }
}
