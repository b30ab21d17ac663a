import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Testing
import TrainingPlan

@Suite struct PushCheckTests {
    @Test func aPushHoldsTheRowsThatItsBitsSay() throws {
        let configuration = RunConfiguration(
            name: "test",
            architecture: NetworkArchitecture(
                layers: [784, 16, 10], hidden: .tanh, output: .tanh, loss: .mse),
            optimizer: OptimizerSettings(kind: .sgd, learningRate: 0.1), batchSize: 32, epochs: 1,
            seed: 1)
        let wire = Wire(kernels: Exchange.kernels)
        let shard = try ShardEngine(
            DigitsRun(configuration, exampleCount: 64).shardDuty(1, of: 2),
            trainingExampleCount: 64, session: 1, incarnation: 1, wire: wire)
        let slices = shard.plan.pushedSlices
        let rows = slices.ranges[1].lowerBound / 16..<784
        let behind = configuration.layout.parameterCount - 784 * 16
        let header = FrameHeader(
            .push(
                StepAddress(run: 0, generation: 0, step: 0, shard: 1),
                node: LeafRange(firstLeaf: 0, leafCount: 1)), session: 1, incarnation: 1)

        /// What the server says to a push with some rows, and as many floats as if it had
        /// `floatRows`.
        func check(rows: [Int], floatRows: Int) throws(FrameError) {
            var payload = [UInt8](
                repeating: 0, count: slices.presenceByteCount + (floatRows * 16 + behind) * 4)
            for row in rows { payload[row / 8] |= 1 << UInt8(row % 8) }
            let push = unsafe wire.message(header, copying: payload.span.bytes)
            try shard.check(push, try wire.header(of: push))
        }
        try check(rows: [], floatRows: 0)
        try check(rows: [rows.lowerBound, 783], floatRows: 2)
        try check(rows: Array(rows), floatRows: rows.count)
        for (present, floatRows) in [([], 1), ([783], 0), ([700, 783], 1), ([700], 2)] {
            #expect("\(present) with \(floatRows)") {
                try check(rows: present, floatRows: floatRows)
            } throws: { error in
                guard case FrameError.payloadLength(.push, _, _) = error else { return false }
                return true
            }
        }
        // A row of the other shard, and one that the layer does not have.
        for row in [rows.lowerBound - 1, 784] {
            #expect(throws: FrameError.payloadContent(.push)) {
                try check(rows: [row, 783], floatRows: 2)
            }
        }
    }
}
