import LockstepProtocol
import TrainingPlan

/// What the scenarios have in common: session 9, 1,000 training examples, a small network.
enum Fixture {
    static let session: SessionID = 9
    static let dataset = DatasetDescription(
        name: "synthetic-digits", sha256: "d5", byteCount: 2_500_000, trainingExampleCount: 1000)
    static let sessionInfo = Session(
        dataset: dataset, runCount: 2, dataEndpoint: "tcp://head:29501")

    /// Five steps an epoch: four of 240 examples in 7 leaves (the last one short) and one of 40
    /// examples in 2 leaves.
    static var configuration: RunConfiguration {
        var configuration = RunConfiguration(preset: .mseTanh)
        configuration.batchSize = 240
        configuration.microBatch = 39
        configuration.epochs = 1
        return configuration
    }

    static func configuration(epochs: Int, evaluateEvery: Int? = nil) -> RunConfiguration {
        var result = configuration
        result.epochs = epochs
        result.evaluateEvery = evaluateEvery
        return result
    }

    /// A thousand steps an epoch, of one leaf each.
    static var longConfiguration: RunConfiguration {
        var result = configuration(epochs: 4)
        result.batchSize = 1
        result.microBatch = nil
        return result
    }

    /// One that no data set of 1,000 examples can train.
    static var impossible: RunConfiguration {
        var result = configuration
        result.batchSize = 1_001
        return result
    }

    static func member(_ role: Role, nonce: UInt64 = 7) -> MemberDescription {
        MemberDescription(
            role: role, nonce: nonce, host: "h\(nonce)", processID: Int32(nonce),
            dataEndpoint: role == .server ? "tcp://h\(nonce):29501" : nil)
    }

    static func link(_ role: Role) -> MemberLink {
        MemberLink(
            member: member(role), coordinatorAddress: "tcp://head:29500",
            waitTimeoutMilliseconds: 20_000)
    }

    static func address(
        _ step: Step, shard: ShardIndex = 0, run: RunIndex = 0, generation: Generation = 0
    ) -> StepAddress {
        StepAddress(run: run, generation: generation, step: step, shard: shard)
    }

    static let lostCause = StopReason(.lostPeer, "worker 3 is gone")
}

extension LeafRange {
    init(_ first: Int, _ count: Int) { self.init(firstLeaf: first, leafCount: count) }
}

extension LeafBits {
    /// One bit for each number, 1 where it is one.
    init(_ bits: Int...) { self.init(count: bits.count) { bits[$0] == 1 } }
}
