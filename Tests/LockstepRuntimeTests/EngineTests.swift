import Datasets
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// The two ways of a step, in one process and over servers, and what they do when numbers explode.
@Suite struct EngineTests {
    private static let kernels = KernelSet(
        KernelVariant.allCases.last(where: \.isSupported) ?? .baseline)

    /// A run on the small digits.
    private struct Run {
        let configuration: RunConfiguration
        let schedule: RunSchedule
        let examples: SparseExamples

        init(_ configuration: RunConfiguration, exampleCount: Int) {
            self.configuration = configuration
            schedule = RunSchedule(configuration, trainingExampleCount: exampleCount)
            let train = SmallDigits.dataset.train.prefix(exampleCount)
            examples = SparseExamples(
                pixels: train.pixels, labels: train.labels, width: LabelledImages.pixelCount)
        }

        func localEngine(threads: ThreadTeam) -> LocalEngine {
            LocalEngine(
                configuration, schedule, examples: examples, kernels: kernels, team: threads)
        }
    }

    /// A server's engines, one a shard, and workers that push whole subtrees to them.
    private final class Exchange {
        private let run: Run
        private let workerCount: Int
        let slices: GradientSlices
        private let engine: GradientEngine
        private let shards: [ShardEngine]
        private let wire = Wire(kernels: kernels)
        let weights: FloatBuffer

        init(_ run: Run, workers: Int, shards shardCount: Int, team: ThreadTeam) throws {
            self.run = run
            workerCount = workers
            slices = try ShardPlan(run.configuration, shardCount: shardCount).pushedSlices
            engine = GradientEngine(
                run.configuration.architecture, kernels: kernels, examples: run.examples,
                leafSize: run.schedule.microBatch, slices: slices, team: team)
            weights = run.configuration.layout.initialWeights(seed: run.configuration.seed)
            shards = try (0..<shardCount).map { [wire] shard in
                try ShardEngine(
                    PrepareRun(
                        run: 0, configuration: run.configuration, shard: ShardIndex(shard),
                        shardCount: shardCount, workers: []),
                    trainingExampleCount: run.schedule.exampleCount,
                    session: SessionID(rawValue: 1), incarnation: 1, wire: wire)
            }
        }

        /// A step; what each shard found that is not finite.
        func advance(_ step: Step) throws -> [DivergenceFinding?] {
            engine.load(weights)
            var order = [UInt32](repeating: 0, count: run.schedule.exampleCount)
            SampleOrder(seed: run.configuration.seed, count: order.count)
                .fill(&order, epoch: run.schedule.epoch(of: step))
            let batch = run.schedule.examples(of: step)
            let leafCount = run.schedule.leafCount(of: step)
            let assignment = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
            var coverage = NodeCoverage(maximumLeafCount: leafCount)
            coverage.begin(leafCount: leafCount)
            // The last worker is the fastest.
            for worker in (0..<workerCount).reversed() {
                for node in assignment.nodes(of: WorkerOrdinal(worker)) {
                    let first = batch.lowerBound + node.firstLeaf * run.schedule.microBatch
                    let end = min(
                        batch.lowerBound + node.endLeaf * run.schedule.microBatch,
                        batch.upperBound)
                    push(node, Array(order[first..<end]), to: &coverage)
                }
            }
            try #require(coverage.isComplete)
            let findings = shards.map { $0.apply(step, coverage.foldSchedule) }
            if findings.allSatisfy({ $0 == nil }) { try adopt() }
            return findings
        }

        private func push(
            _ node: LeafRange, _ indices: [UInt32], to coverage: inout NodeCoverage
        ) {
            let gradient = GradientBuffer(slices)
            unsafe indices.withUnsafeBufferPointer { unsafe engine.compute($0, into: gradient) }
            guard case .kept(let slot) = coverage.judge(node, checksum: 0, from: 1) else {
                Issue.record("\(node) is covered already")
                return
            }
            for (index, shard) in shards.enumerated() {
                var message = unsafe Message(
                    copying: UnsafeRawBufferPointer(gradient.frame(index)))
                shard.keep(&message, slot: slot)
            }
        }

        private func adopt() throws {
            for (index, shard) in shards.enumerated() {
                try copy(shard.weightsMessage(), of: slices.ranges[index], to: weights)
            }
        }

        /// What the servers still have of a step.
        func snapshot(_ step: Step) throws -> FloatBuffer {
            let result = FloatBuffer(count: weights.count)
            for (index, shard) in shards.enumerated() {
                guard let message = shard.snapshot(step) else {
                    Issue.record("shard \(index) has no weights of step \(step)")
                    continue
                }
                try copy(message, of: slices.ranges[index], to: result)
            }
            return result
        }

        private func copy(
            _ message: borrowing Message, of range: Range<Int>, to target: FloatBuffer
        ) throws {
            _ = try wire.decode(message)
            unsafe message.withUnsafeBytes { frame in
                let payload = unsafe FrameCodec.payload(of: frame)
                #expect(payload.count == range.count * 4)
                unsafe UnsafeMutableRawBufferPointer(
                    start: target.pointer + range.lowerBound, count: range.count * 4
                ).copyMemory(from: payload)
            }
        }

        /// What each shard has measured, in words.
        func reports(_ step: Step) -> [[Float]] {
            shards.map { shard in
                unsafe shard.stepCommitted(step).withUnsafeBytes { frame in
                    let payload = unsafe FrameCodec.payload(of: frame)
                    return stride(from: 0, to: payload.count, by: 4).map {
                        unsafe payload.loadUnaligned(fromByteOffset: $0, as: Float.self)
                    }
                }
            }
        }

        /// The metrics that go to the coordinator: those of shard 0.
        func metrics(_ step: Step) -> StepMetrics {
            unsafe shards[0].stepCommitted(step).withUnsafeBytes { frame in
                guard let words = unsafe FrameCodec.payload(of: frame).baseAddress else {
                    preconditionFailure("a committed step has metrics")
                }
                return unsafe slices.metrics.metrics(words)
            }
        }
    }

    /// The norms of the summed gradient, row by row from the reports of all shards.
    private static func squaredNorms(
        of exchange: Exchange, _ step: Step, _ layout: ParameterLayout
    ) -> [Double] {
        let rows = GradientRows(layout)
        let squares = exchange.reports(step).enumerated().flatMap { shard, words in
            words.suffix(rows.rows(of: exchange.slices.ranges[shard]).count)
        }
        return rows.layerSums(FloatBuffer(squares))
    }

    static let optimizers: [OptimizerSettings] = [
        OptimizerSettings(kind: .adam, learningRate: 0.01, weightDecay: 0.1),
        OptimizerSettings(kind: .nesterov, learningRate: 0.05),
    ]

    /// Eleven leaves, the last of five, and in the epoch's last batch four, the last of two. Or eight, which three
    /// workers push as nodes of two, one, one, two and two.
    @Test(
        arguments: [(1, 1, 85), (2, 3, 85), (5, 2, 85), (3, 1, 64), (3, 2, 64)], optimizers)
    func serversComputeTheBitsOfOneProcess(
        placement: (workers: Int, shards: Int, batchSize: Int), optimizer: OptimizerSettings
    ) throws {
        let run = Run(
            RunConfiguration(
                name: "test",
                architecture: NetworkArchitecture(
                    layers: [784, 33, 10], hidden: .tanh, output: .softmax, loss: .crossEntropy),
                optimizer: optimizer, batchSize: placement.batchSize, microBatch: 8, epochs: 2,
                seed: 3),
            exampleCount: 281)
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
            #expect(exchange.metrics(step) == local.metrics)
            #expect(
                Self.squaredNorms(of: exchange, step, run.configuration.layout)
                    == local.squaredGradientNorms)
            #expect(firstDifference(try exchange.snapshot(step).array, earlier) == nil)
            #expect(
                firstDifference(try exchange.snapshot(step.next).array, local.weights.array) == nil)
            #expect(local.weights.array != earlier)
            earlier = local.weights.array
        }
    }

    @Test func aPushHoldsTheRowsThatItsBitsSay() throws {
        let configuration = RunConfiguration(
            name: "test",
            architecture: NetworkArchitecture(
                layers: [784, 16, 10], hidden: .tanh, output: .tanh, loss: .mse),
            optimizer: OptimizerSettings(kind: .sgd, learningRate: 0.1), batchSize: 32, epochs: 1,
            seed: 1)
        let wire = Wire(kernels: Self.kernels)
        let shard = try ShardEngine(
            PrepareRun(
                run: 0, configuration: configuration, shard: 1, shardCount: 2, workers: []),
            trainingExampleCount: 64, session: SessionID(rawValue: 1), incarnation: 1, wire: wire)
        let slices = shard.plan.pushedSlices
        let rows = slices.ranges[1].lowerBound / 16..<784
        let behind = configuration.layout.parameterCount - 784 * 16

        /// What the server says to a push with some rows, and as many floats as if it had `floatRows`.
        func check(rows: [Int], floatRows: Int) throws {
            var payload = [UInt8](
                repeating: 0, count: slices.presenceByteCount + (floatRows * 16 + behind) * 4)
            for row in rows { payload[row / 8] |= 1 << UInt8(row % 8) }
            let push = unsafe wire.message(
                FrameHeader(type: .push, shard: 1), copying: payload.span.bytes)
            guard case .raw(let header) = try wire.decode(push) else { return }
            try shard.check(push, header)
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

    /// Optimisers under which the weights grow until they are no longer finite: within the first epoch,
    /// and within a later one.
    static let explosions: [(kind: OptimizerSettings.Kind, rate: Double, warmupSteps: Int)] = [
        (.sgd, 3, 0), (.momentum, 3, 0), (.momentum, 20, 400),
    ]

    @Test(arguments: explosions)
    func divergenceLeavesTheWeightsBeforeTheStep(
        kind: OptimizerSettings.Kind, rate: Double, warmupSteps: Int
    ) throws {
        var settings = OptimizerSettings(kind: kind, learningRate: rate)
        settings.schedule.warmupSteps = warmupSteps
        let run = Run(
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
                #expect(firstDifference(try exchange.snapshot(step).array, before) == nil)
                #expect(findings.compactMap { $0.map { "\($0)" } }.first == cause)
                return
            }
            step = step.next
        }
    }
}
