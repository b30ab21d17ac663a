import Datasets
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

/// What a steady step sends, frame by frame and byte by byte.
@Suite struct StepTrafficTests {
    /// Seven leaves a step, so that workers have several nodes; 57 whole steps an epoch.
    private static let run = DigitsRun(
        RunConfiguration(
            name: "test",
            architecture: NetworkArchitecture(
                layers: [784, 32, 10], hidden: .relu, output: .softmax, loss: .crossEntropy),
            optimizer: OptimizerSettings(), batchSize: 28, microBatch: 4, epochs: 2, seed: 1),
        exampleCount: 1_600)

    /// The first steps are not steady: who connects last is behind.
    private static let steps = (8..<48).map { Step($0) }
    private static let headerByteCount = 64

    private static let order = SampleOrder(
        seed: run.configuration.seed, count: run.schedule.exampleCount
    ).order(epoch: 0)
    private static let pixels = Array(SmallDigits.dataset.train.pixels)

    /// By row of the first layer, one a pixel: whether a node's examples use it.
    private static func usedRows(_ step: Step, _ node: LeafRange) -> [Bool] {
        let schedule = run.schedule
        let first = step.index * schedule.batchSize + node.firstLeaf * schedule.microBatch
        var used = [Bool](repeating: false, count: 784)
        for place in first..<first + node.leafCount * schedule.microBatch {
            let image = Int(order[place]) * 784
            for pixel in used.indices where pixels[image + pixel] != 0 { used[pixel] = true }
        }
        return used
    }

    /// A bit a row, rounded up to whole lines; the floats of the used rows, and of all behind the
    /// first layer's; the metrics where they go.
    private static func pushByteCount(
        _ plan: ShardPlan, _ shard: ShardIndex, used: [Bool]
    ) -> Int {
        let (slice, kernelEnd) = (plan[shard], 784 * 32)
        let rows = slice.clamped(to: 0..<kernelEnd)
        let usedHere = used.indices.count { used[$0] && rows.contains($0 * 32) }
        let behind = slice.count - rows.count
        return headerByteCount + (784 + 511) / 512 * 64 + (usedHere * 32 + behind) * 4
            + plan.metricsByteCount(of: shard)
    }

    private struct Push: Hashable {
        let worker: Incarnation
        let node: LeafRange
        let shard: ShardIndex
        let byteCount: Int
    }

    private struct Answer: Hashable {
        let shard: ShardIndex
        let byteCount: Int
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2)])
    func aStepSendsWhatThePlanSays(workers: Int, shards: Int) throws {
        let cluster = try StepCluster(Self.run, workers: workers, shards: shards)
        let plan = cluster.plan
        try cluster.advance(to: try #require(Self.steps.last).next)
        let schedule = Self.run.schedule
        var packedFrameCount = 0
        for step in Self.steps {
            var pushes: [Push] = []
            var weights: [Answer] = []
            for frame in cluster.frames {
                switch frame.header.content {
                case .push(let address, let node) where address.step == step:
                    pushes.append(
                        Push(
                            worker: frame.header.incarnation, node: node, shard: address.shard,
                            byteCount: frame.byteCount))
                case .weights(let address) where address.step == step.next:
                    weights.append(Answer(shard: address.shard, byteCount: frame.byteCount))
                default: break
                }
            }
            var expected: [Push] = []
            for worker in 0..<workers {
                let duty = Self.run.workDuty(of: worker, of: workers, servers: shards)
                for node in schedule.tree(of: step).maximalNodes(covering: duty.leaves) {
                    let used = Self.usedRows(step, node)
                    for shard in (0..<shards).map({ ShardIndex($0) }) {
                        let byteCount = Self.pushByteCount(plan, shard, used: used)
                        let whole = Self.headerByteCount + plan.maximumPushByteCount(of: shard)
                        if byteCount < whole { packedFrameCount += 1 }
                        expected.append(
                            Push(
                                worker: StepCluster.incarnation(worker), node: node, shard: shard,
                                byteCount: byteCount))
                    }
                }
            }
            #expect(pushes.count == expected.count, "step \(step)")
            #expect(Set(pushes).symmetricDifference(expected) == [], "step \(step)")
            let answers = (0..<workers).flatMap { _ in
                (0..<shards).map { shard in
                    Answer(
                        shard: ShardIndex(shard),
                        byteCount: Self.headerByteCount + plan.slices[shard].count * 4)
                }
            }
            #expect(
                weights.sorted { $0.shard < $1.shard } == answers.sorted { $0.shard < $1.shard },
                "step \(step)")
        }
        #expect(packedFrameCount >= Self.steps.count, "rows are left out")
    }

    /// A step's reports wait for others, and nothing else is said.
    @Test func reportsGoTogetherAndNothingElseIsSaid() throws {
        let shards = 2
        let cluster = try StepCluster(Self.run, workers: 2, shards: shards)
        try cluster.advance(to: 48)
        let firstPush = try #require(
            cluster.frames.firstIndex {
                if case .push = $0.header.content { true } else { false }
            })
        var reports: [ShardIndex: [StepCluster.Frame]] = [:]
        for frame in cluster.frames[firstPush...] {
            switch frame.header.content {
            case .push, .weights: break
            case .stepReport(let address, _): reports[address.shard, default: []].append(frame)
            default: Issue.record("\(frame.header.type) within steps")
            }
        }
        #expect(reports.count == shards)
        for (shard, frames) in reports {
            #expect(frames.count == Limits.reportsAtOnce)
            #expect(Set(frames.map(\.turn)).count == 1, "all at once")
            let byteCount = Self.headerByteCount + cluster.plan.reportByteCount(of: shard)
            #expect(frames.allSatisfy { $0.byteCount == byteCount })
        }
    }
}
