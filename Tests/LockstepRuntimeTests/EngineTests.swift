import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// The two ways of a step, in one process and over servers, and what they do when numbers explode.
@Suite struct EngineTests {
    static let optimizers: [OptimizerSettings] = [
        OptimizerSettings(kind: .adam, learningRate: 0.01, weightDecay: 0.1),
        OptimizerSettings(kind: .nesterov, learningRate: 0.05),
    ]

    private static func configuration(
        _ optimizer: OptimizerSettings, batchSize: Int
    ) -> RunConfiguration {
        RunConfiguration(
            name: "test",
            architecture: NetworkArchitecture(
                layers: [784, 33, 10], hidden: .tanh, output: .softmax, loss: .crossEntropy),
            optimizer: optimizer, batchSize: batchSize, microBatch: 8, epochs: 2, seed: 3)
    }

    /// Eleven leaves, the last of five, and in the epoch's last batch four, the last of two. Or
    /// eight, which three workers push as nodes of two, one, one, two and two. Twelve workers are
    /// more than there are leaves.
    @Test(
        arguments: [(1, 1, 85), (2, 3, 85), (5, 2, 85), (12, 1, 85), (3, 1, 64), (3, 2, 64)],
        optimizers)
    func serversComputeTheBitsOfOneProcess(
        placement: (workers: Int, shards: Int, batchSize: Int), optimizer: OptimizerSettings
    ) throws {
        let run = DigitsRun(
            Self.configuration(optimizer, batchSize: placement.batchSize), exampleCount: 281)
        let team = ThreadTeam(count: 2)
        defer { team.finish() }
        let local = run.localEngine(threads: team)
        let exchange = try Exchange(
            run, workers: placement.workers, shards: placement.shards, team: team)
        var earlier = local.weights.array
        for step in (0..<run.schedule.totalSteps).map({ Step($0) }) {
            #expect(local.advance(step) == nil)
            #expect(try exchange.advance(step).allSatisfy { $0 == nil })
            #expect(
                firstDifference(exchange.weights.array, local.weights.array) == nil,
                "step \(step)")
            #expect(try exchange.metrics(step) == local.metrics)
            #expect(try exchange.squaredNorms(step) == local.squaredGradientNorms)
            #expect(try exchange.weightsDigest(step) == local.weightsDigest)
            let before = try #require(try exchange.snapshot(step))
            #expect(firstDifference(before.array, earlier) == nil)
            let after = try #require(try exchange.snapshot(step.next))
            #expect(firstDifference(after.array, local.weights.array) == nil)
            #expect(local.weights.array != earlier)
            earlier = local.weights.array
        }
    }

    /// A step is folded from what was pushed last: one that is computed twice is the same to the
    /// bit.
    @Test func aNodeThatIsPushedAgainHasTheSameBits() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 85), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let worker = try WorkerBench(
            run, run.workDuty(of: 0, of: 2, servers: 2), team: team)
        let first = try worker.compute(0, servers: 2)
        let wire = Wire(kernels: Exchange.kernels)
        let nodes = try first.map { try wire.header(of: Message(copying: $0.bytes)) }
        // Also after a new view has given it the others' leaves of the same step.
        try worker.compute(0, LeafRange(firstLeaf: 0, leafCount: run.schedule.leafCount(of: 0)))
        for header in nodes {
            guard case .push(let address, let node) = header.content else { continue }
            try worker.perform(.push(address, node))
        }
        let again = worker.network.takeSent()
        #expect(!first.isEmpty && again.map(\.bytes) == first.map(\.bytes))
        #expect(again.map(\.port) == first.map(\.port))
        // Nodes of a step that is over are gone.
        try worker.compute(1, LeafRange(firstLeaf: 0, leafCount: 1))
        for header in nodes {
            guard case .push(let address, let node) = header.content else { continue }
            try worker.perform(.push(address, node))
        }
        #expect(worker.network.takeSent().isEmpty)
    }

    // MARK: What servers keep

    /// Workers that come to a run may need the weights from before the newest ones.
    @Test func theNewestWeightsAndThoseBeforeAreSent() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 64), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let exchange = try Exchange(run, workers: 1, shards: 1, team: team)
        func sent() -> [Int] {
            (0...5).filter { step in
                let message = exchange.shards[0].weightsMessage(of: Step(step))
                return message != nil
            }
        }
        #expect(sent() == [0])
        for step in 0..<3 { _ = try exchange.advance(Step(step)) }
        #expect(sent() == [2, 3])
    }

    @Test func snapshotsAreKeptUntilTheyAreForgotten() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 64), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let exchange = try Exchange(run, workers: 1, shards: 2, team: team)
        var weights: [[Float]] = [exchange.weights.array]
        func advance() throws {
            _ = try exchange.advance(Step(weights.count - 1))
            weights.append(exchange.weights.array)
        }
        func kept() throws -> [Int] {
            try (0..<10).filter { step in
                guard let snapshot = try exchange.snapshot(Step(step)) else { return false }
                #expect(firstDifference(snapshot.array, weights[step]) == nil, "step \(step)")
                return true
            }
        }
        #expect(try kept() == [0])
        try advance()
        // Only the newest can be kept: others are on their way out.
        for shard in exchange.shards {
            shard.keepSnapshot(0)
            shard.keepSnapshot(1)
        }
        for _ in 0..<3 { try advance() }
        #expect(try kept() == [1, 3, 4])
        for shard in exchange.shards { shard.keepSnapshot(4) }
        for _ in 0..<3 { try advance() }
        #expect(try kept() == [1, 4, 6, 7])
        for shard in exchange.shards { shard.forgetSnapshot(1) }
        #expect(try kept() == [4, 6, 7])
        for shard in exchange.shards {
            shard.forgetSnapshot(4)
            shard.forgetSnapshot(5)
        }
        try advance()
        #expect(try kept() == [7, 8])
    }

    /// The newest weights stay where they are when nobody wants them as a snapshot any more.
    @Test func aSnapshotThatIsForgottenAtOnce() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 64), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let exchange = try Exchange(run, workers: 1, shards: 1, team: team)
        for step in (0..<run.schedule.totalSteps).map({ Step($0) }) {
            let before = exchange.weights.array
            _ = try exchange.advance(step)
            #expect(try exchange.snapshot(step)?.array == before)
            #expect(try exchange.snapshot(step.next)?.array == exchange.weights.array)
            exchange.shards[0].keepSnapshot(step.next)
            exchange.shards[0].forgetSnapshot(step.next)
        }
    }

    @Test func partsThatAreNotThereAreRefused() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 64), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let exchange = try Exchange(run, workers: 1, shards: 2, team: team)
        let shard = exchange.shards[1]
        let length = exchange.plan.weightsByteCount(of: 1)
        func isThere(_ start: Int, _ count: Int) -> Bool {
            let message = shard.part(exchange.request(0, 1, start, count))
            return message != nil
        }
        #expect(isThere(0, length) && isThere(length - 1, 1) && isThere(length, 0))
        #expect(!isThere(0, length + 1) && !isThere(length, 1))
        #expect(!isThere(1 << 32 - 1, Limits.partByteCount))
    }

    @Test func reportsAreKeptForAsManyStepsAsTheOutboxHolds() throws {
        let run = DigitsRun(
            Self.configuration(Self.optimizers[0], batchSize: 64), exampleCount: 281)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let exchange = try Exchange(run, workers: 1, shards: 1, team: team)
        var reports: [[Float]] = []
        for step in 0..<10 {
            _ = try exchange.advance(Step(step))
            reports.append(try exchange.report(Step(step), shard: 0))
        }
        for step in 0..<10 {
            #expect(try exchange.report(Step(step), shard: 0) == reports[step])
        }
        #expect(Set(reports).count == 10)
    }

    // MARK: Divergence

    /// Optimisers under which the weights grow until they are no longer finite: within the first
    /// epoch, and within a later one.
    static let explosions: [(kind: OptimizerSettings.Kind, rate: Double, warmupSteps: Int)] = [
        (.sgd, 3, 0), (.momentum, 3, 0), (.momentum, 20, 400),
    ]

    @Test(arguments: explosions)
    func divergenceLeavesTheWeightsBeforeTheStep(
        kind: OptimizerSettings.Kind, rate: Double, warmupSteps: Int
    ) throws {
        var settings = OptimizerSettings(kind: kind, learningRate: rate)
        settings.schedule.warmupSteps = warmupSteps
        let run = DigitsRun(
            RunConfiguration(
                name: "test",
                architecture: NetworkArchitecture(
                    layers: [784, 16, 10], hidden: .identity, output: .identity, loss: .mse),
                optimizer: settings, batchSize: 60, microBatch: 16, epochs: 20, seed: 5),
            exampleCount: 280)
        let team = ThreadTeam(count: 2)
        defer { team.finish() }
        let local = run.localEngine(threads: team)
        let exchange = try Exchange(run, workers: 2, shards: 3, team: team)
        var step: Step = 0
        while true {
            try #require(step < run.schedule.endStep, "it does not diverge")
            let before = local.weights.array
            let cause = local.advance(step)
            let findings = try exchange.advance(step)
            #expect(findings.contains { $0 != nil } == (cause != nil), "step \(step)")
            if let cause {
                // Not at the start of an epoch: what came since is computed again.
                try #require(step.index % run.schedule.stepsPerEpoch != 0)
                #expect((step.index >= run.schedule.stepsPerEpoch) == (warmupSteps > 0))
                #expect(before.allSatisfy { $0.isFinite })
                #expect(firstDifference(local.weights.array, before) == nil)
                let last = try #require(try exchange.snapshot(step))
                #expect(firstDifference(last.array, before) == nil)
                #expect(findings.compactMap { $0.map { "\($0)" } }.first == cause)
                return
            }
            step = step.next
        }
    }
}
