import LockstepProtocol
import NeuralNetwork
import Testing

@Suite struct ShardPlanTests {
    @Test(arguments: [[784, 128, 10], [784, 10], [784, 37, 5, 10]], 1...12)
    func slicesCoverTheVectorAtRowBoundaries(widths: [Int], shards: Int) throws {
        let layout = ParameterLayout(widths: widths)
        let plan = try ShardPlan(layout: layout, shardCount: shards)
        #expect(plan.shardCount == shards)
        var end = 0
        for slice in plan.slices {
            #expect(slice.lowerBound == end && !slice.isEmpty)
            #expect(layout.rowBoundaries.contains(slice.upperBound))
            end = slice.upperBound
        }
        #expect(end == layout.parameterCount)
        // A cut is off its even place by half of the widest row at most.
        let widest =
            zip(layout.rowBoundaries, layout.rowBoundaries.dropFirst()).map { $1 - $0 }
            .max() ?? 0
        for slice in plan.slices {
            #expect(abs(slice.count - layout.parameterCount / shards) <= widest + 1)
        }
    }

    @Test func twoShardsOfTheSeedsNetwork() throws {
        let plan = try ShardPlan(layout: .init(widths: [784, 128, 10]), shardCount: 2)
        // 101,770 / 2 = 50,885; the nearest boundary is row 398 of the first kernel.
        #expect(plan.slices == [0..<50_944, 50_944..<101_770])
        #expect(plan.weightsByteCount(of: 0) == 203_776)
    }

    @Test func asManyServersAsRowsGetARowEach() throws {
        let layout = ParameterLayout(widths: [3, 2, 10])
        let plan = try ShardPlan(layout: layout, shardCount: 7)
        #expect(plan.slices.map(\.count) == [2, 2, 2, 2, 10, 10, 10])
        #expect(throws: ShardPlan.PlanError.moreServersThanRows(servers: 8, rows: 7)) {
            try ShardPlan(layout: layout, shardCount: 8)
        }
        #expect(throws: ShardPlan.PlanError.noServer) {
            try ShardPlan(layout: layout, shardCount: 0)
        }
        #expect(throws: ShardPlan.PlanError.tooManyServers(65)) {
            try ShardPlan(layout: layout, shardCount: 65)
        }
    }
}

@Suite struct LeafAssignmentTests {
    @Test func everyLeafOnceBalancedAndContiguous() {
        for leafCount in 1...40 {
            for workerCount in 1...12 {
                let assignment = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
                #expect(assignment.ranges.count == workerCount)
                var end = 0
                for range in assignment.ranges {
                    #expect(range.lowerBound == end)
                    end = range.upperBound
                    let even = leafCount / workerCount
                    #expect((even...(even + 1)).contains(range.count))
                }
                #expect(end == leafCount)
                #expect(
                    (0..<workerCount).flatMap { assignment.nodes(of: WorkerOrdinal($0)) }
                        .reduce(0) { $0 + $1.leafCount } == leafCount)
            }
        }
    }

    @Test func noBalancedAssignmentPushesFewerNodes() {
        for leafCount in 1...16 {
            for workerCount in 1...min(6, leafCount) {
                let tree = ReductionTree(leafCount: leafCount)
                func pushed(_ ranges: [Range<Int>]) -> Int {
                    ranges.reduce(0) { $0 + tree.maximalNodes(covering: $1).count }
                }
                let fewest = Self.balanced(leafCount, workerCount).map(pushed).min()
                let assignment = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
                #expect(pushed(assignment.ranges) == fewest, "\(leafCount) on \(workerCount)")
            }
        }
    }

    @Test(arguments: [
        // Two workers of a power of two: a subtree each.
        (8, 2, [0..<4, 4..<8]),
        // Seven leaves split 4 + 3 in the tree, so the first worker has more.
        (7, 2, [0..<4, 4..<7]),
        (3, 3, [0..<1, 1..<2, 2..<3]),
        // Fewer leaves than workers: the rest idle.
        (2, 4, [0..<1, 1..<2, 2..<2, 2..<2]),
        (4, 3, [0..<2, 2..<3, 3..<4]),
    ])
    func known(leafCount: Int, workerCount: Int, ranges: [Range<Int>]) {
        #expect(
            LeafAssignment(leafCount: leafCount, workerCount: workerCount).ranges == ranges)
    }

    /// Every way to give each worker ⌊n / w⌋ or ⌈n / w⌉ leaves, all of them in all.
    private static func balanced(_ leafCount: Int, _ workerCount: Int) -> [[Range<Int>]] {
        let (smaller, larger) = leafCount.quotientAndRemainder(dividingBy: workerCount)
        return (0..<(1 << workerCount)).filter { $0.nonzeroBitCount == larger }.map { mask in
            var start = 0
            return (0..<workerCount).map { worker in
                let count = smaller + (mask >> worker & 1)
                defer { start += count }
                return start..<(start + count)
            }
        }
    }
}

@Suite struct RunScheduleTests {
    /// 1,000 examples in batches of 300 with leaves of 70: 3 full steps and one of 100 examples.
    private var schedule: RunSchedule {
        RunSchedule(
            RunConfiguration(
                batchSize: 300, microBatch: 70, epochs: 2, validationExamples: 24,
                evaluateEvery: 3), trainingExampleCount: 1024)
    }

    @Test func theLastShorterBatchIsUsed() {
        #expect(schedule.stepsPerEpoch == 4)
        #expect(schedule.totalSteps == 8)
        #expect(schedule.endStep == 8)
        #expect(
            (0..<8).map { schedule.examples(of: Step($0)) }.map(\.count)
                == [300, 300, 300, 100, 300, 300, 300, 100])
        #expect(schedule.examples(of: 7) == 900..<1000)
        #expect(schedule.epoch(of: 3) == 0 && schedule.epoch(of: 4) == 1)
    }

    @Test func leavesCoverTheBatch() {
        #expect(schedule.leafCounts == (5, 2))
        for step in (0..<8).map({ Step($0) }) {
            var end = 0
            for leaf in 0..<schedule.leafCount(of: step) {
                let examples = schedule.examples(ofLeaf: leaf, of: step)
                #expect(examples.lowerBound == end && !examples.isEmpty)
                end = examples.upperBound
            }
            #expect(end == schedule.examples(of: step).count)
        }
        #expect(schedule.examples(ofLeaf: 4, of: 0) == 280..<300)
        #expect(schedule.examples(ofLeaf: 1, of: 3) == 70..<100)
    }

    @Test func evaluationsFollowEpochsAndTheInterval() {
        let evaluated = (0..<8).filter { schedule.evaluationFollows(Step($0)) }
        #expect(evaluated == [2, 3, 5, 7])
        #expect((0..<8).filter { schedule.epochEnds(after: Step($0)) } == [3, 7])
        for weights in 0...9 {
            let next = evaluated.map { $0 + 1 }.first { $0 >= weights }
            #expect(schedule.evaluation(atOrAfter: Step(weights)) == next.map { Step($0) })
        }
    }

    @Test func anEvenEpochHasOneLeafCount() {
        let schedule = RunSchedule(RunConfiguration(), trainingExampleCount: 60_000)
        #expect(schedule.stepsPerEpoch == 1875)
        #expect(schedule.leafCounts == (2, 2))
    }
}
