import TrainingPlan

/// What holds a run's weights: servers are lost and replaced, and checkpoints are made for that.
extension CoordinatorMachine {
    /// A server is lost, and with it its shard's newest weights: the run goes on from its newest
    /// checkpoint.
    mutating func fallBack(
        _ run: CoordinatorRun, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        if let stop {
            // No other checkpoint comes soon.
            return endSession(.interrupted, stop.reason, now: now, into: &actions)
        }
        actions.append(.notice(.fallsBack(run.order.run, to: run.checkpoints.held)))
        state = .bereft(run, since: now)
        advance(now: now, into: &actions)
    }

    /// A new generation, as soon as there are as many servers as before; after a while, with those
    /// that are left.
    mutating func replaceServers(
        _ old: CoordinatorRun, since: Instant, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        let servers = membership.members.filter { $0.name.role == .server }
        let waited = now.milliseconds(since: since)
        let isEnough =
            servers.count >= old.servers.count
            || !servers.isEmpty && waited >= Limits.replacementMilliseconds
        guard isEnough else {
            if waited >= plan.waitTimeoutMilliseconds {
                endSession(.failed, noServer(old), now: now, into: &actions)
            }
            return
        }
        let incarnations = servers.prefix(plan.servers).map(\.name.incarnation)
        // Fewer shards than before always have rows enough.
        guard let shards = try? ShardPlan(old.order.configuration, shardCount: incarnations.count)
        else { return }
        let run = CoordinatorRun(
            continuing: old, shards, servers: Array(incarnations),
            workers: old.view.workers.filter { membership[$0] != nil }, now: now)
        state = .preparing(run, since: now)
        assignAll(now: now, into: &actions)
    }

    mutating func noteCheckpoint(
        _ place: RunPlace, _ progress: ServerProgress, of server: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard case .running(var run) = state, place == run.place, run.checkpoints.wanted != nil,
            let shard = run.shard(of: server)
        else { return }
        state = .changing
        run.noteCheckpoint(of: shard, progress)
        state = .running(run)
        recordSteps(into: &actions)
        advance(now: now, into: &actions)
    }
}
