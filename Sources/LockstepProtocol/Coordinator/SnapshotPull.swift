import TrainingPlan

/// The transfer of every shard's weights of one step to the coordinator.
struct SnapshotPull: Sendable {
    let step: Step
    private let run: RunIndex
    private let generation: Generation
    private var downloads: [PartDownload]

    /// - Parameter byteCounts: of the weights, by shard.
    init(_ step: Step, of order: RunOrder, byteCounts: [Int], now: Instant) {
        self.step = step
        run = order.run
        generation = order.generation
        downloads = byteCounts.map { PartDownload(byteCount: UInt64($0), now: now) }
    }

    var isComplete: Bool { downloads.allSatisfy(\.isComplete) }

    /// Asks for what is due.
    ///
    /// - Returns: a shard from which nothing comes, if there is one.
    mutating func advance(
        now: Instant, into actions: inout [CoordinatorAction]
    ) -> ShardIndex? {
        var steps: [PartDownload.Step] = []
        for shard in downloads.indices {
            steps.removeAll(keepingCapacity: true)
            downloads[shard].advance(now: now, into: &steps)
            for step in steps {
                switch step {
                case .request(let part):
                    actions.append(.requestPart(request(part, of: ShardIndex(shard))))
                case .reconnect: actions.append(.reconnect(ShardIndex(shard)))
                case .fail: return ShardIndex(shard)
                }
            }
        }
        return nil
    }

    /// Another transfer has made a new connection to a shard's server.
    mutating func reconnected(_ shard: ShardIndex, now: Instant) {
        downloads[shard.index].reconnected(now: now)
    }

    /// True if the part was waited for.
    mutating func receive(_ part: SnapshotPart, now: Instant) -> Bool {
        let shard = part.address.shard.index
        guard downloads.indices.contains(shard), request(part.part, of: part.address.shard) == part
        else { return false }
        return downloads[shard].receive(part.part, now: now)
    }

    private func request(_ part: BytePart, of shard: ShardIndex) -> SnapshotPart {
        SnapshotPart(
            address: StepAddress(run: run, generation: generation, step: step, shard: shard),
            part: part)
    }
}
