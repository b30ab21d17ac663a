import TrainingPlan

/// The transfer of a shard's state from the coordinator's checkpoint to the server that takes the
/// shard.
struct StateDownload: Sendable {
    /// Of one step's report, for when the server serves.
    let reportByteCount: Int
    private let address: StepAddress
    private var download: PartDownload

    init(_ duty: ShardDuty, reportByteCount: Int, now: Instant) {
        self.reportByteCount = reportByteCount
        address = StepAddress(
            run: duty.order.run, generation: duty.order.generation, step: duty.order.firstStep,
            shard: duty.shard)
        // A duty whose shards cannot be cut is refused when the server makes room for it.
        let plan = try? ShardPlan(duty.order.configuration, shardCount: duty.shardCount)
        let byteCount = plan?.stateByteCount(of: duty.shard, duty.order.configuration) ?? 0
        download = PartDownload(byteCount: UInt64(byteCount), now: now)
    }

    var isComplete: Bool { download.isComplete }

    /// Asks for what is due.
    ///
    /// - Returns: false if nothing comes over any connection.
    mutating func advance(
        _ session: Session, now: Instant, into actions: inout [ServerAction]
    ) -> Bool {
        var steps: [PartDownload.Step] = []
        download.advance(now: now, into: &steps)
        for step in steps {
            switch step {
            case .request(let part):
                actions.append(.requestState(SnapshotPart(address: address, part: part)))
            case .reconnect:
                actions.append(.connectCheckpoint(endpoint: session.dataEndpoint))
            case .fail: return false
            }
        }
        return true
    }

    /// True if the part was waited for.
    mutating func receive(_ part: SnapshotPart, now: Instant) -> Bool {
        part.address == address && download.receive(part.part, now: now)
    }
}
