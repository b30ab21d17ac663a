import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// A run's whole state on its way: cut into shards and parts, and put together again.
@Suite struct WholeStateTests {
    private static let wire = Wire(kernels: KernelSet(.baseline))

    private static func configuration(_ kind: OptimizerSettings.Kind) -> RunConfiguration {
        var configuration = RunConfiguration(preset: .ceSoftmax)
        configuration.architecture.layers = [784, 5, 10]
        configuration.optimizer.kind = kind
        return configuration
    }

    private static func vectors(_ state: WholeState) -> [[Float]] {
        ([state.weights] + state.optimizer).map(\.array)
    }

    /// Takes a state apart and makes another of its parts, in any order.
    private static func transfer(
        _ state: WholeState, _ configuration: RunConfiguration, shards: Int,
        _ random: inout SeededRandom
    ) throws -> WholeState {
        let plan = try ShardPlan(configuration, shardCount: shards)
        let result = WholeState(configuration, parameterCount: plan.layout.parameterCount)
        var parts: [SnapshotPart] = []
        for shard in (0..<shards).map({ ShardIndex($0) }) {
            let byteCount = plan[shard].count * 4 * (1 + state.optimizer.count)
            var offset = 0
            while offset < byteCount {
                let count = min(Int.random(in: 1...9_000, using: &random), byteCount - offset)
                parts.append(
                    SnapshotPart(
                        address: StepAddress(run: 0, generation: 1, step: 3, shard: shard),
                        part: BytePart(offset: UInt64(offset), byteCount: UInt32(count))))
                offset += count
            }
            // Beyond its end there is nothing.
            let beyond = SnapshotPart(
                address: StepAddress(run: 0, generation: 1, step: 3, shard: shard),
                part: BytePart(offset: UInt64(byteCount - 1), byteCount: 2))
            #expect(state.bytes(of: beyond, plan) == nil)
        }
        for part in parts.shuffled(using: &random) {
            let bytes = try #require(state.bytes(of: part, plan))
            let header = FrameHeader(.snapshotPart(part), session: 1, incarnation: 1)
            let message = unsafe wire.message(header, copying: bytes.span.bytes)
            result.store(message, part, plan)
        }
        return result
    }

    @Test(arguments: OptimizerSettings.Kind.allCases)
    func everyCutGivesTheSameState(kind: OptimizerSettings.Kind) throws {
        var random = SeededRandom(seed: 8)
        let configuration = Self.configuration(kind)
        let state = WholeState(
            configuration, parameterCount: configuration.layout.parameterCount)
        for vector in [state.weights] + state.optimizer {
            vector.copy(
                from: (0..<vector.count).map { _ in .random(in: -1...1, using: &random) })
        }
        let before = Self.vectors(state)
        #expect(before.count == 1 + configuration.optimizer.stateCount)
        var current = state
        // Each is made of the one before, which had been cut in another way.
        for shards in [1, 2, 3, 7, 64, 1] {
            current = try Self.transfer(current, configuration, shards: shards, &random)
            #expect(Self.vectors(current) == before, "\(shards) shards")
        }
    }
}
