import TrainingPlan

/// Run after run: prepared, started, followed to its end.
extension CoordinatorMachine {
    /// Goes on to whatever is possible by now.
    mutating func advance(now: Instant, into actions: inout [CoordinatorAction]) {
        switch phase {
        case .gathering(let since):
            if runIndex.index >= plan.runs.count {
                let reason = StopReason(.success, "all runs are done")
                endSession(.completed, reason, now: now, into: &actions)
            } else if membership.count(.server) >= plan.servers,
                membership.readyWorkers.count >= plan.minimumWorkers
            {
                prepareRun(now: now, into: &actions)
            } else if now.milliseconds(since: since) >= plan.waitTimeoutMilliseconds,
                membership.count(.server) < plan.servers
                    || membership.count(.worker) < plan.minimumWorkers
            {
                // Whoever has joined and is fetching data is bounded by its lease and its own wait.
                let waited = now.milliseconds(since: since)
                endSession(.failed, tooFew(waited: waited), now: now, into: &actions)
            }
        case .preparing:
            if membership.members.allSatisfy({ $0.order == nil }) {
                startRun(now: now, into: &actions)
            }
        case .running:
            if let end = run?.end { finishRun(end, now: now, into: &actions) }
        case .closing(_, let reason):
            if membership.members.isEmpty {
                phase = .ended
                actions.append(.exit(reason))
            }
        case .ended: break
        }
    }

    private mutating func prepareRun(now: Instant, into actions: inout [CoordinatorAction]) {
        let configuration = plan.runs[runIndex.index]
        let servers = Array(membership.all(.server).prefix(plan.servers))
        let workers = membership.readyWorkers
        let newRun = RunProgress(
            index: runIndex, configuration: configuration,
            trainingExampleCount: plan.dataset.trainingExampleCount,
            servers: servers.map(\.name.incarnation), workers: workers.map(\.name.incarnation),
            now: now)
        run = newRun
        phase = .preparing
        let idle = workers.count - newRun.schedule.leafCounts.full
        if idle > 0 { actions.append(.notice(.idleWorkers(runIndex, count: idle))) }
        for (shard, server) in servers.enumerated() {
            order(
                server,
                .prepareRun(
                    PrepareRun(
                        run: runIndex, configuration: configuration, shard: ShardIndex(shard),
                        shardCount: servers.count, workers: workers.map(\.name))),
                now: now, into: &actions)
        }
    }

    mutating func prepared(
        _ index: RunIndex, _ incarnation: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard phase == .preparing, index == runIndex else { return }
        membership.setOrder(incarnation, nil, now: now)
        advance(now: now, into: &actions)
    }

    /// Servers know the run before any worker pushes.
    private mutating func startRun(now: Instant, into actions: inout [CoordinatorAction]) {
        guard let run else { return }
        phase = .running
        let servers = run.servers.compactMap { membership[$0] }
        let workers = run.workers.compactMap { membership[$0] }
        actions.append(
            .runStarted(runIndex, workers: workers.map(\.name), servers: servers.map(\.name)))
        let start = ControlMessage.startRun(
            StartRun(
                run: runIndex, configuration: run.configuration,
                view: View(number: 0, workers: run.workers),
                servers: servers.map {
                    ServerAddress(
                        incarnation: $0.name.incarnation, endpoint: $0.hello.dataEndpoint ?? "")
                }))
        for worker in workers { order(worker, start, now: now, into: &actions) }
    }

    private mutating func order(
        _ member: Member, _ message: ControlMessage, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        membership.setOrder(member.name.incarnation, message, now: now)
        actions.append(.send(member.peer, message))
    }

    mutating func committed(
        _ header: FrameHeader, now: Instant, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard phase == .running, header.run == runIndex else { return .staleRun }
        guard let shard = run?.shard(of: header.incarnation), shard == header.shard else {
            return .wrongShard
        }
        switch run?.committed(header.step, by: shard, now: now) {
        case .taken(let isWhole):
            actions.append(.keepReport(runIndex, shard, header.step))
            if isWhole { actions.append(.recordStep(runIndex, header.step)) }
        case .gap(let first):
            if let server = membership[header.incarnation] {
                let reason = StopReason(
                    .lostPeer,
                    "reports of \(server.name) from step \(first) of run \(runIndex) on were "
                        + "lost before that of step \(header.step): check the network and start "
                        + "again")
                endSession(.failed, reason, now: now, into: &actions)
            }
            return .futureStep
        case .repeated, nil: return .olderStep
        }
        advance(now: now, into: &actions)
        return nil
    }

    mutating func snapshot(
        _ header: FrameHeader, now: Instant, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard phase == .running, header.run == runIndex else { return .staleRun }
        guard let shard = run?.shard(of: header.incarnation), shard == header.shard else {
            return .wrongShard
        }
        if header.step == run?.divergence?.step {
            membership.setOrder(header.incarnation, nil, now: now)
        }
        switch run?.snapshot(header.step, of: shard, now: now) {
        case .kept: actions.append(.keepSnapshot(runIndex, shard, header.step))
        case .whole(let evaluate):
            actions.append(.keepSnapshot(runIndex, shard, header.step))
            if evaluate { actions.append(.evaluate(runIndex, header.step)) }
        case .unwanted, nil: return .upToDate
        }
        advance(now: now, into: &actions)
        return nil
    }

    /// A shard cannot go on: the others' weights of that step are asked for.
    mutating func diverged(
        _ report: Diverged, _ incarnation: Incarnation, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard phase == .running, report.run == runIndex,
            run?.shard(of: incarnation) == report.shard, run?.divergence == nil
        else { return }
        run?.diverged(report)
        for shard in run?.missingLastFinite ?? [] {
            guard let server = (run?.servers[shard.index]).flatMap({ membership[$0] }) else {
                continue
            }
            order(server, .snapshotRequest(runIndex, report.step), now: now, into: &actions)
        }
        advance(now: now, into: &actions)
    }

    private mutating func finishRun(
        _ end: RunEnd, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        actions.append(.runEnded(end))
        membership.dropOrders()
        for member in membership.members where run?.includes(member.name.incarnation) == true {
            actions.append(.send(member.peer, .endRun(runIndex)))
        }
        run = nil
        runIndex = runIndex.next
        phase = .gathering(since: now)
        advance(now: now, into: &actions)
    }
}
