package import TrainingPlan

extension ShardPlan {
    /// How the servers of a run share out its parameters, with room for a frame's header before
    /// each payload.
    package init(_ configuration: RunConfiguration, shardCount: Int) throws(PlanError) {
        try self.init(
            layout: configuration.layout, shardCount: shardCount,
            headerByteCount: FrameHeader.byteCount)
    }

    /// Of all that a shard's next step depends on: its weights, then the optimiser's vectors.
    func stateByteCount(of shard: ShardIndex, _ configuration: RunConfiguration) -> Int {
        weightsByteCount(of: shard) * (1 + configuration.optimizer.stateCount)
    }

    /// As above, with one server: it has the largest frames.
    package init(whole configuration: RunConfiguration) {
        self.init(whole: configuration.layout, headerByteCount: FrameHeader.byteCount)
    }
}
