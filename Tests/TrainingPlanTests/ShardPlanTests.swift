import Testing
import TrainingPlan

@Suite struct ShardPlanTests {
    @Test(arguments: [[784, 128, 10], [784, 10], [784, 37, 5, 10]], 1...12)
    func slicesCoverTheVectorAtRowBoundaries(widths: [Int], shards: Int) throws {
        let layout = ParameterLayout(widths: widths)
        let plan = try ShardPlan(layout: layout, shardCount: shards, headerByteCount: 64)
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
        let plan = try ShardPlan(
            layout: .init(widths: [784, 128, 10]), shardCount: 2, headerByteCount: 64)
        // 101,770 / 2 = 50,885; the nearest boundary is row 398 of the first kernel.
        #expect(plan.slices == [0..<50_944, 50_944..<101_770])
        #expect(plan.weightsByteCount(of: 0) == 203_776)
    }

    @Test(arguments: [[784, 128, 10], [784, 10], [3, 5_000, 2]], [1, 2, 3, 4])
    func rowsAndByteCountsFollowFromTheCut(widths: [Int], shards: Int) throws {
        let layout = ParameterLayout(widths: widths)
        let plan = try ShardPlan(layout: layout, shardCount: shards, headerByteCount: 64)
        #expect(plan.pushedSlices.ranges == plan.slices)
        #expect(plan.pushedSlices.isPacked && plan.headerByteCount == 64)
        let indices = (0..<shards).map { ShardIndex($0) }
        #expect(
            indices.flatMap { Array(plan.rows(of: $0)) }
                == Array(0..<GradientRows(layout).count))
        let metrics = StepMetricsLayout(layerCount: widths.count - 1)
        #expect(plan.metrics == metrics)
        // A bit for each row of the first kernel, in whole lines of the cache.
        let presenceByteCount = (widths[0] + 511) / 512 * 64
        for shard in indices {
            let behind = shard == 0 ? metrics.byteCount : 0
            let floats = plan[shard].count * 4
            #expect(plan.metricsByteCount(of: shard) == behind)
            #expect(plan.weightsByteCount(of: shard) == floats)
            #expect(plan.maximumPushByteCount(of: shard) == presenceByteCount + floats + behind)
            #expect(plan.reportByteCount(of: shard) == behind + plan.rows(of: shard).count * 4 + 8)
        }
        func largest(_ byteCount: (ShardIndex) -> Int) -> Int? {
            indices.map { 64 + byteCount($0) }.max()
        }
        #expect(plan.largestWeightsFrameByteCount == largest(plan.weightsByteCount))
        #expect(plan.largestPushFrameByteCount == largest(plan.maximumPushByteCount))
        #expect(plan.largestReportFrameByteCount == largest(plan.reportByteCount))
    }

    @Test func oneShardIsTheWholeVector() throws {
        let layout = ParameterLayout(widths: [784, 128, 10])
        #expect(
            try ShardPlan(layout: layout, shardCount: 1, headerByteCount: 64)
                == ShardPlan(whole: layout, headerByteCount: 64))
    }

    @Test func asManyServersAsRowsGetARowEach() throws {
        let layout = ParameterLayout(widths: [3, 2, 10])
        let plan = try ShardPlan(layout: layout, shardCount: 7, headerByteCount: 64)
        #expect(plan.slices.map(\.count) == [2, 2, 2, 2, 10, 10, 10])
        #expect(throws: ShardPlan.PlanError.moreServersThanRows(servers: 8, rows: 7)) {
            try ShardPlan(layout: layout, shardCount: 8, headerByteCount: 64)
        }
        #expect(throws: ShardPlan.PlanError.noServer) {
            try ShardPlan(layout: layout, shardCount: 0, headerByteCount: 64)
        }
        #expect(throws: ShardPlan.PlanError.tooManyServers(65)) {
            try ShardPlan(layout: layout, shardCount: 65, headerByteCount: 64)
        }
    }
}
