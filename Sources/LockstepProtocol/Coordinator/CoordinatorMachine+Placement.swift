import TrainingPlan

/// Which servers a run has. Where workers' processes host them, their number follows from who is
/// there: one a host, because a host's link carries its shard's traffic; or, where there is one
/// host only, some of its processes, because what a process pushes to itself is not moved at all.
extension CoordinatorMachine {
    /// The servers that a run would have if it were placed now, by shard.
    func chosenServers(for configuration: RunConfiguration, now: Instant) -> [Incarnation] {
        let all = membership.members.filter { $0.name.role == .server }
        switch plan.servers {
        case .count(let count): return all.prefix(count).map(\.name.incarnation)
        case .onWorkers:
            let servers = heard(all, now: now)
            var hosts: Set<String> = []
            let firsts = servers.filter { hosts.insert($0.serverHost).inserted }
            let chosen =
                firsts.count > 1 ? firsts[...] : servers.prefix(mostServersOfOneHost(servers))
            // A shard has at least a row.
            let most = min(
                SettingLimits.maximumServers, configuration.layout.rowBoundaries.count - 1)
            return chosen.prefix(most).map(\.name.incarnation)
        }
    }

    /// Whether what is pushed crosses links.
    func spansHosts(servers: [Incarnation], workers: [Incarnation]) -> Bool {
        let servers = servers.compactMap { membership[$0] }
        let workers = workers.compactMap { membership[$0] }
        return Set(servers.map(\.serverHost)).count > 1
            || Set((servers + workers).map(\.name.host)).count > 1
    }

    func spansHosts(_ run: CoordinatorRun) -> Bool {
        spansHosts(servers: run.servers, workers: run.view.workers)
    }

    /// Where there is no link to share, a shard a core is fastest. Where so many workers share the
    /// cores that they sleep while they wait, one is: fewer have to be woken.
    private func mostServersOfOneHost(_ servers: [Member]) -> Int {
        let cores = servers.first?.description.cores ?? 1
        return membership.workerCount <= 2 * cores ? cores : 1
    }

    /// Whether those who are to serve have joined; or as many as will, once nobody has come for a
    /// while.
    func hasServersToStart(lastNewsAt: Instant, now: Instant) -> Bool {
        switch plan.servers {
        case .count(let count): return membership.serverCount >= count
        case .onWorkers:
            let servers = membership.members.filter { $0.name.role == .server }
            let processes = Set(heard(servers, now: now).map(\.name.process))
            let isComplete = membership.members.allSatisfy {
                $0.name.role != .worker || processes.contains($0.name.process)
            }
            return !processes.isEmpty
                && (isComplete
                    || now.milliseconds(since: lastNewsAt) >= Limits.hostedServerMilliseconds)
        }
    }

    /// Those that a run may be placed on.
    private func heard(_ servers: [Member], now: Instant) -> [Member] {
        servers.filter { !isSilent($0.name.incarnation, now: now) }
    }

    /// A server is lost, and with it its shard's newest weights: the run continues from its newest
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
    /// that are left. Workers that host servers are not waited for: each is as good as another.
    mutating func replaceServers(
        _ old: CoordinatorRun, since: Instant, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        let servers = chosenServers(for: old.order.configuration, now: now)
        let waited = now.milliseconds(since: since)
        let isEnough =
            plan.servers == .onWorkers || servers.count >= old.servers.count
            || waited >= Limits.replacementMilliseconds
        guard isEnough, !servers.isEmpty else {
            if waited >= plan.waitTimeoutMilliseconds {
                endSession(.failed, noServer(old), now: now, into: &actions)
            }
            return
        }
        // There are always rows enough for so few.
        guard let shards = try? ShardPlan(old.order.configuration, shardCount: servers.count)
        else { return }
        let workers = old.view.workers.filter { membership[$0] != nil }
        let run = CoordinatorRun(
            continuing: old, shards, servers: servers,
            workers: workers,
            spansHosts: spansHosts(servers: servers, workers: workers), now: now)
        state = .preparing(run, since: now)
        assignAll(now: now, into: &actions)
    }

    /// Moves shards to where they would lie if the run began now: to hosts that have come, or come
    /// back. The new generation begins at a checkpoint that is made for it, so that next to nothing
    /// is computed again.
    ///
    /// - Returns: whether the run waits for its new servers.
    mutating func moveServers(
        _ run: inout CoordinatorRun, now: Instant, into actions: inout [CoordinatorAction]
    ) -> Bool {
        guard plan.servers == .onWorkers, plan.checkpointMilliseconds > 0, stop == nil,
            chosenServers(for: run.order.configuration, now: now) != run.servers
        else {
            run.move = nil
            return false
        }
        guard let move = run.move else {
            run.move = CoordinatorRun.Move(since: now, held: nil)
            return false
        }
        if let held = move.held {
            guard run.checkpoints.held > held else { return false }
            run.move = nil
            actions.append(.notice(.movesShards(run.order.run, at: run.checkpoints.held)))
            return true
        }
        // Whoever has just come may be followed by others.
        if now.milliseconds(since: move.since) >= Limits.replacementMilliseconds {
            run.move?.held = run.checkpoints.held
            run.wantCheckpointNow()
        }
        return false
    }

    /// A worker that is stopped or cut off keeps the steps from continuing by the shard that it
    /// hosts: others take it up long before its lease is over. If it comes back, so does a shard.
    mutating func replaceSilentServer(now: Instant, into actions: inout [CoordinatorAction]) {
        guard plan.servers == .onWorkers, let run, !isBereft,
            let silent = run.servers.first(where: { isSilent($0, now: now) }),
            let member = membership[silent],
            !chosenServers(for: run.order.configuration, now: now).isEmpty
        else { return }
        actions.append(.notice(.late([member.name], run.step)))
        fallBack(run, now: now, into: &actions)
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

extension Member {
    /// The host of a server, as its traffic sees it: several may share a name, as namespaces of one
    /// machine do.
    fileprivate var serverHost: String {
        guard let endpoint = description.dataEndpoint, endpoint.hasPrefix("tcp://"),
            let colon = endpoint.lastIndex(of: ":")
        else { return name.host }
        return String(endpoint[..<colon])
    }
}

extension MemberName {
    /// Shared by the roles of one process.
    fileprivate var process: String { "\(processID) \(host)" }
}
