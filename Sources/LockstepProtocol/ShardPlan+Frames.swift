package import TrainingPlan

extension ShardPlan {
    /// How the servers of a run share out its parameters, with room for a frame's header before each payload.
    package init(_ configuration: RunConfiguration, shardCount: Int) throws(PlanError) {
        try self.init(
            layout: configuration.layout, shardCount: shardCount,
            headerByteCount: FrameHeader.byteCount)
    }

    /// As above, with one server: it has the largest frames.
    package init(whole configuration: RunConfiguration) {
        self.init(whole: configuration.layout, headerByteCount: FrameHeader.byteCount)
    }
}
