import TrainingPlan

/// Why a session fails, in words for a person.
extension CoordinatorMachine {
    /// What is missing when the wait for members is over.
    func tooFew(waited milliseconds: Int) -> StopReason {
        let joined = membership.workerCount - membership.readyWorkerCount
        let preparing = joined == 0 ? "" : " (\(joined) more joined, but have no data set yet)"
        return StopReason(
            .unavailable,
            "after \(seconds(milliseconds)) s, \(membership.readyWorkerCount) of "
                + "\(plan.startingWorkers) workers are ready\(preparing) and "
                + "\(membership.serverCount) of \(plan.servers) servers have joined: start the "
                + "rest, check their --coordinator address, or wait longer with --wait-timeout")
    }

    func notPrepared(_ run: CoordinatorRun) -> StopReason {
        let late = run.servers.compactMap { membership[$0] }.filter {
            if case .serving(let place, _) = $0.phase { place != run.place } else { true }
        }
        let names = late.map { "\($0.name), \($0.phase)" }.joined(separator: "; ")
        return StopReason(
            .lostPeer,
            "after \(seconds(plan.waitTimeoutMilliseconds)) s not every server is ready for "
                + "\(run.name): waiting for \(names); look at its log and start again")
    }

    func stalled(_ run: CoordinatorRun) -> StopReason {
        func step(_ member: Member) -> Step {
            switch member.phase {
            case .serving(_, let progress): progress.step
            case .working(_, let progress): progress.step
            case .joining, .ready, .preparing, .failed, .leaving: 0
            }
        }
        let slowest = membership.members.filter {
            run.view.includes($0.name.incarnation) || run.shard(of: $0.name.incarnation) != nil
        }
        .min { step($0) < step($1) }
        let hint = slowest.map { "; furthest behind is \($0.name), \($0.phase)" } ?? ""
        return StopReason(
            .lostPeer,
            "\(run.name) has made no progress for \(seconds(Limits.stalledRunMilliseconds)) s at "
                + "step \(run.step)\(hint): look at its log and start again")
    }

    func tooFewToGoOn(_ run: CoordinatorRun) -> StopReason {
        StopReason(
            .lostPeer,
            "\(run.name) has waited for \(seconds(plan.waitTimeoutMilliseconds)) s at step "
                + "\(run.step) with \(membership.workerCount) of at least \(plan.minimumWorkers) "
                + "workers: start workers, or wait longer with --wait-timeout")
    }

    var silence: String {
        "has sent no weights for \(seconds(Limits.transferStallMilliseconds)) s"
    }

    func noServer(_ run: CoordinatorRun) -> StopReason {
        StopReason(
            .lostPeer,
            "\(run.name) has lost its servers, and none has come within "
                + "\(seconds(plan.waitTimeoutMilliseconds)) s: start servers, or wait longer with "
                + "--wait-timeout; the same command goes on from step \(run.checkpoints.held)")
    }

    func conflict(
        over node: LeafRange, of step: Step, in run: CoordinatorRun, between first: Incarnation,
        and second: Incarnation
    ) -> StopReason {
        func name(_ incarnation: Incarnation) -> String {
            membership[incarnation]?.name.description ?? "worker \(incarnation)"
        }
        return StopReason(
            .internalError,
            "\(name(first)) and \(name(second)) computed different sums for \(node) of step "
                + "\(step) in \(run.name): one of these machines computes wrongly; check memory "
                + "and CPU of both, and train without it")
    }
}
