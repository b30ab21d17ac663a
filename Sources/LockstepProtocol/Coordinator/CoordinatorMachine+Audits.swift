import TrainingPlan

/// Workers that came to different sums: others are asked, and whoever computes wrongly is expelled.
extension CoordinatorMachine {
    /// Servers audit, but where there is one worker only.
    mutating func noteAudits(
        wasOneWorker: Bool, in run: CoordinatorRun, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard plan.audits != .none, wasOneWorker != run.view.isOneWorker else { return }
        for server in run.servers { assign(server, now: now, into: &actions) }
        if run.view.isOneWorker { actions.append(.notice(.unaudited(run.order.run))) }
    }

    /// What a server of the current placement has found, by its newest status.
    private func conflict(
        of server: Incarnation, in run: CoordinatorRun
    ) -> (step: Step, conflict: Conflict)? {
        guard case .serving(let place, let progress) = membership[server]?.phase,
            place == run.place, case .conflict(let conflict) = progress.halt
        else { return nil }
        return (progress.step, conflict)
    }

    mutating func settleConflicts(now: Instant, into actions: inout [CoordinatorAction]) {
        guard case .running(let run) = state else { return }
        // A server that was told of an expulsion may not have said yet that it continues.
        let found = run.servers.compactMap { conflict(of: $0, in: run) }.filter { found in
            found.conflict.votes.allSatisfy { membership[$0.worker] != nil }
        }
        guard let (step, conflict) = found.first else {
            endArbitration(now: now, into: &actions)
            return
        }
        for (step, conflict) in found {
            guard let wrong = conflict.wrongWorkers else { continue }
            for worker in wrong { expel(worker, conflict, step, now: now, into: &actions) }
            for server in run.servers { assign(server, now: now, into: &actions) }
            return
        }
        arbitrate(conflict, step, now: now, into: &actions)
    }

    /// Has another worker compute the node, too.
    private mutating func arbitrate(
        _ conflict: Conflict, _ step: Step, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard case .running(var run) = state else { return }
        // Also one that is too slow for a share of its own.
        let candidates = membership.members.filter { member in
            guard case .working(let place, _) = member.phase, place.isSamePlacement(as: run.place)
            else { return false }
            let worker = member.name.incarnation
            return !isSilent(worker, now: now) && !conflict.votes.contains { $0.worker == worker }
        }
        if let current = run.view.arbitration, current.step == step, current.node == conflict.node,
            candidates.contains(where: { $0.name.incarnation == current.worker })
        {
            return
        }
        guard let arbiter = candidates.first else {
            guard let since = run.undecidedSince else {
                run.undecidedSince = now
                state = .running(run)
                actions.append(.notice(.undecided(disagreement(conflict, step))))
                return
            }
            if now.milliseconds(since: since) >= plan.waitTimeoutMilliseconds {
                let reason = undecided(conflict, of: step, in: run)
                endSession(.failed, reason, now: now, into: &actions)
            }
            return
        }
        run.undecidedSince = nil
        let arbitration = Arbitration(
            worker: arbiter.name.incarnation, step: step, node: conflict.node)
        run.changeView(
            to: run.view.workers, spansHosts: spansHosts(run), arbitration: arbitration, now: now)
        state = .running(run)
        actions.append(
            .notice(.arbitrates(arbiter.name, disagreement: disagreement(conflict, step))))
        for worker in membership.workers { assign(worker, now: now, into: &actions) }
    }

    private mutating func endArbitration(now: Instant, into actions: inout [CoordinatorAction]) {
        guard case .running(var run) = state,
            run.view.arbitration != nil || run.undecidedSince != nil
        else { return }
        run.undecidedSince = nil
        if run.view.arbitration != nil {
            run.changeView(to: run.view.workers, spansHosts: spansHosts(run), now: now)
        }
        state = .running(run)
        for worker in membership.workers { assign(worker, now: now, into: &actions) }
    }

    private mutating func expel(
        _ worker: Incarnation, _ conflict: Conflict, _ step: Step, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard let run, let member = membership[worker] else { return }
        let reason = wrongSum(of: member, conflict, step, in: run)
        expelled[worker] = reason
        actions.append(
            .send(member.peer, member.assigned.next, worker, Assignment(.refused(reason))))
        actions.append(.notice(.expelled(member.name, reason: reason.text)))
        membership.remove(worker)
        rebalance(now: now, into: &actions)
    }
}
