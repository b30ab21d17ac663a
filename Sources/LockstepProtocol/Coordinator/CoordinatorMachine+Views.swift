import TrainingPlan

/// Which workers compute: they come, leave, are lost, or are too slow.
extension CoordinatorMachine {
    /// A new view, if others can compute than those who do.
    mutating func rebalance(now: Instant, into actions: inout [CoordinatorAction]) {
        guard case .running(var run) = state else { return }
        let able = membership.members.filter { canCompute($0, in: run, now: now) }
        let workers = able.count >= plan.minimumWorkers ? able.map(\.name.incarnation) : []
        guard workers != run.view.workers else { return }
        let before = run.view
        state = .changing
        run.changeView(
            to: workers,
            spansHosts: spansHosts(servers: run.servers, workers: workers), now: now)
        state = .running(run)
        if workers.isEmpty {
            actions.append(.notice(.tooFewWorkers(run.order.run, count: able.count)))
        }
        countWorkersByHost(of: run.view)
        noteAudits(wasOneWorker: before.isOneWorker, in: run, now: now, into: &actions)
        for member in able where !before.includes(member.name.incarnation) && !workers.isEmpty {
            actions.append(.notice(.entered(member.name, run.step)))
        }
        for worker in membership.workers { assign(worker, now: now, into: &actions) }
    }

    mutating func countWorkersByHost(of view: View) {
        let members = view.workers.compactMap { membership[$0] }
        workersByHost = Dictionary(grouping: members, by: \.name.host).mapValues(\.count)
    }

    /// Whether a member can have leaves. One that comes enters when it holds data and weights; one
    /// that has leaves keeps them while it opens the run.
    private func canCompute(_ member: Member, in run: CoordinatorRun, now: Instant) -> Bool {
        guard member.name.role == .worker else { return false }
        let incarnation = member.name.incarnation
        switch member.phase {
        case .working(let place, let progress) where place.isSamePlacement(as: run.place):
            return run.isTrusted(
                incarnation, at: progress.step, heard: member.lastHeard, now: now)
        case .ready, .preparing, .working:
            return run.view.includes(incarnation) && !run.hasProbation(incarnation)
        case .joining, .serving, .failed, .leaving: return false
        }
    }

    /// The step that a server is at, as its newest status says.
    private func servedStep(of server: Incarnation) -> Step {
        guard case .serving(_, let progress) = membership[server]?.phase else { return 0 }
        return progress.step
    }

    /// Whether several statuses of a member have not come.
    func isSilent(_ member: Incarnation, now: Instant) -> Bool {
        membership[member].map {
            now.milliseconds(since: $0.lastHeard) >= 3 * Limits.heartbeatIntervalMilliseconds
        } ?? true
    }

    /// A server waits for leaves: they go to other workers, if there are any who have done theirs.
    mutating func late(
        _ lateness: Lateness, _ place: RunPlace, _ step: Step, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        // A view gets as much time as the server has given the one before.
        guard case .running(var run) = state, place == run.place,
            now.milliseconds(since: run.view.since) >= lateness.patienceMilliseconds
        else { return }
        // A server that is ahead waits for another shard's weights, and not for workers.
        let reached = run.servers.indices.map {
            max(run.reported[$0], servedStep(of: run.servers[$0]))
        }
        guard step <= reached.min() ?? step else { return }
        let isLast = run.schedule.epochEnds(after: step)
        let owners =
            run.view.owners(of: lateness.leaves, isLast: isLast)
            + lateness.unconfirmed.flatMap { run.view.confirmers(of: $0, isLast: isLast) }
        if owners.isEmpty { return }
        // Leaves do not go from one who is gone to the next.
        let suspects = run.view.workers.filter { owners.contains($0) || isSilent($0, now: now) }
        for suspect in suspects { run.distrust(suspect, at: step, now: now) }
        var others = membership.members.filter { canCompute($0, in: run, now: now) }
        if others.isEmpty {
            // Better one that was late before and has caught up than nobody.
            var eased = run
            eased.shortenProbations(now: now)
            others = membership.members.filter { canCompute($0, in: eased, now: now) }
            if !others.isEmpty { run = eased }
        }
        // Everyone is late: so it is the step that takes long, and nothing changes.
        guard others.count >= plan.minimumWorkers else { return }
        state = .running(run)
        actions.append(.notice(.late(suspects.compactMap { membership[$0]?.name }, step)))
        rebalance(now: now, into: &actions)
    }
}
