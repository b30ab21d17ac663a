import TrainingPlan

/// Why a session fails, in words for a person.
extension CoordinatorMachine {
    /// What is missing when the wait for members is over.
    func tooFew(waited milliseconds: Int) -> StopReason {
        let joined = membership.workerCount - membership.readyWorkerCount
        let preparing = joined == 0 ? "" : " (\(joined) more joined, but have no data set yet)"
        let remedy =
            withoutData.map {
                "\($0.name) has got nothing of the data set from \(placeText(plan.dataEndpoint)): let it "
                    + "through to there, or name an address that it reaches with --advertise (and "
                    + "ports with --data-ports)"
            }
            ?? "start the rest, check their --coordinator address, or wait longer with --wait-timeout"
        return StopReason(
            .unavailable,
            "after \(seconds(milliseconds)) s, \(membership.readyWorkerCount) of "
                + "\(plan.startingWorkers) workers are ready\(preparing) and \(servers): \(remedy)")
    }

    /// A worker that waits for the data set and has got none of it.
    private var withoutData: Member? {
        membership.members.first {
            $0.name.role == .worker && $0.phase == .joining(datasetBytes: 0)
        }
    }

    private var servers: String {
        switch plan.servers {
        case .count(let count): "\(membership.serverCount) of \(count) servers have joined"
        case .onWorkers: "\(membership.serverCount) of them serve a shard"
        }
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
                + "--wait-timeout; the same command resumes from step \(run.checkpoints.held)")
    }

    func disagreement(_ conflict: Conflict, _ step: Step) -> String {
        "\(names(conflict.votes.map(\.worker))) have different sums of \(conflict.node) of step \(step)"
    }

    private func name(_ worker: Incarnation) -> String {
        membership[worker]?.name.description ?? "worker \(worker)"
    }

    private func names(_ workers: [Incarnation]) -> String {
        workers.map(name).joined(separator: " and ")
    }

    /// What a worker is told whose sum is not that of the others.
    func wrongSum(
        of member: Member, _ conflict: Conflict, _ step: Step, in run: CoordinatorRun
    ) -> StopReason {
        let (first, others) = conflict.sides
        let worker = member.name.incarnation
        let isFirst = first.contains(worker)
        let right = isFirst ? others : first
        let comparison =
            right.isEmpty || right.contains(worker)
            ? "it has sent two sums" : "its sum differs from that of \(names(right))"
        let element = conflict.difference.map { difference in
            let (own, other) =
                isFirst
                ? (difference.first, difference.other) : (difference.other, difference.first)
            return ", first in \(difference.element): \(hexadecimal(own)) instead of "
                + hexadecimal(other)
        }
        return StopReason(
            .internalError,
            "\(member.name) computes wrongly: of \(conflict.node) of step \(step) in \(run.name) "
                + "\(comparison)\(element ?? ""); check memory and CPU of this machine")
    }

    func undecided(
        _ conflict: Conflict, of step: Step, in run: CoordinatorRun
    ) -> StopReason {
        StopReason(
            .internalError,
            "\(run.name): \(disagreement(conflict, step)), and no other worker has come to tell who is "
                + "right: one of these machines computes wrongly; check memory and CPU, or start a third "
                + "worker")
    }
}

/// The bits of a float.
func hexadecimal(_ bits: UInt32) -> String {
    let digits = String(bits, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
