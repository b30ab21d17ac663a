import TrainingPlan

/// Who joins, who is refused, who goes, and what that means for the session.
extension CoordinatorMachine {
    mutating func join(
        _ hello: Hello, from peer: PeerHandle, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        if let known = membership.member(nonce: hello.nonce) {
            _ = membership.hears(known.name.incarnation, from: peer, now: now)
            actions.append(.send(peer, .welcome(welcome(known))))
            return
        }
        if let reason = refusal(of: hello) {
            actions.append(.send(peer, .refused(reason)))
            actions.append(
                .notice(.refused(host: hello.host, processID: hello.processID, reason)))
            return
        }
        let member = membership.add(hello, peer: peer, now: now)
        actions.append(.send(peer, .welcome(welcome(member))))
        actions.append(.notice(.joined(member.name, threads: hello.threads)))
        advance(now: now, into: &actions)
    }

    private func welcome(_ member: Member) -> Welcome {
        Welcome(
            session: plan.session, incarnation: member.name.incarnation, dataset: plan.dataset,
            currentRun: run?.index, runCount: plan.runs.count)
    }

    private func refusal(of hello: Hello) -> StopReason? {
        if hello.protocolVersion != protocolVersion {
            return StopReason(
                .mismatch,
                "protocol version \(hello.protocolVersion), and the coordinator has "
                    + "\(protocolVersion): start the same release of Lockstep everywhere")
        }
        if hello.arithmeticVersion != arithmeticVersion {
            return StopReason(
                .mismatch,
                "arithmetic version \(hello.arithmeticVersion), and the coordinator has "
                    + "\(arithmeticVersion): start the same release of Lockstep everywhere")
        }
        if let sha256 = hello.datasetSHA256, sha256 != plan.dataset.sha256 {
            return StopReason(
                .mismatch,
                "the data set with hash \(sha256), and the session trains on "
                    + "\(plan.dataset.name) with hash \(plan.dataset.sha256): start without "
                    + "--data to get it from the coordinator")
        }
        if isClosing {
            return StopReason(.unavailable, "the session is over: start a new one")
        }
        switch hello.role {
        case .server:
            if hello.dataEndpoint == nil {
                return StopReason(.mismatch, "a server has to say where workers reach it")
            }
            if membership.count(.server) >= plan.servers {
                return StopReason(
                    .mismatch,
                    "the session has its \(plan.servers) servers already: start the "
                        + "coordinator with more --servers")
            }
        case .worker:
            if membership.count(.worker) >= Limits.maximumWorkers {
                return StopReason(
                    .unavailable,
                    "the session has \(Limits.maximumWorkers) workers already, which is the most")
            }
        }
        return nil
    }

    mutating func ready(
        _ incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        guard let member = membership[incarnation], member.name.role == .worker, !member.isReady
        else { return }
        membership.setReady(incarnation)
        actions.append(.notice(.ready(member.name)))
        advance(now: now, into: &actions)
    }

    /// A goodbye: expected at the end, a loss before.
    mutating func leave(
        _ incarnation: Incarnation, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard let member = membership[incarnation] else { return }
        remove(member, "left: \(reason.text)", now: now, into: &actions)
        advance(now: now, into: &actions)
    }

    /// A member that cannot go on takes the session with it if the run needs it.
    mutating func fail(
        _ incarnation: Incarnation, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard let member = membership[incarnation], !isClosing else { return }
        if run?.includes(incarnation) == true {
            let text = "\(member.name) cannot go on: \(reason.text)"
            endSession(.failed, StopReason(reason.exitCode, text), now: now, into: &actions)
        } else {
            remove(member, "cannot go on: \(reason.text)", now: now, into: &actions)
        }
    }

    /// Takes a member out; if the run needs it, that is the session's end.
    mutating func remove(
        _ member: Member, _ cause: String, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        membership.remove(member.name.incarnation)
        if isClosing { return }
        guard let run, run.includes(member.name.incarnation) else {
            actions.append(.notice(.left(member.name, reason: cause)))
            return
        }
        let last =
            run.step == 0
            ? "before the first step was committed"
            : "after step \(run.step.rawValue - 1) was committed"
        let reason = StopReason(
            .lostPeer,
            "\(member.name) \(cause), in run \(run.index) (\(run.configuration.name)) \(last), "
                + "last known \(member.progress): look at its log and start again")
        endSession(.failed, reason, now: now, into: &actions)
    }

    /// Ends the session: no run goes on, members are told, and goodbyes are waited for.
    ///
    /// - Parameter reason: the coordinator's own end. Members of a failed session end the same way,
    ///   others with success.
    mutating func endSession(
        _ status: EndStatus, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard !isClosing else { return }
        if let run {
            actions.append(
                .runEnded(RunEnd(run: run.index, status: status, step: run.step)))
        }
        run = nil
        phase = .closing(since: now, reason)
        let memberReason =
            status == .failed ? reason : StopReason(.success, "the session is over: \(status)")
        let message = ControlMessage.sessionEnded(
            SessionEnded(status: status, reason: memberReason))
        for member in membership.members {
            membership.setOrder(member.name.incarnation, message, now: now)
            actions.append(.send(member.peer, message))
        }
        advance(now: now, into: &actions)
    }

    mutating func tickClosing(
        since: Instant, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        if now.milliseconds(since: since) >= Limits.goodbyeWaitMilliseconds {
            for member in membership.members {
                actions.append(.notice(.withoutGoodbye(member.name)))
            }
            phase = .ended
            actions.append(.exit(reason))
        } else {
            membership.dueOrders(
                now: now, interval: Limits.sessionEndedRetryMilliseconds, into: &actions)
        }
    }

    /// What is missing when the wait for members is over.
    func tooFew(waited milliseconds: Int) -> StopReason {
        let servers = membership.count(.server)
        let workers = membership.count(.worker)
        return StopReason(
            .unavailable,
            "after \(seconds(milliseconds)) s, \(workers) of \(plan.minimumWorkers) workers and "
                + "\(servers) of \(plan.servers) servers have joined: start the rest, check their "
                + "--coordinator address, or wait longer with --wait-timeout")
    }

    func stalled(_ run: RunProgress) -> StopReason {
        let slowest = membership.members.filter { run.includes($0.name.incarnation) }
            .min { ($0.progress.step ?? 0) < ($1.progress.step ?? 0) }
        let hint = slowest.map { "; furthest behind is \($0.name), \($0.progress)" } ?? ""
        return StopReason(
            .lostPeer,
            "run \(run.index) (\(run.configuration.name)) has made no progress for "
                + "\(seconds(Limits.stalledRunMilliseconds)) s at step \(run.step)\(hint): look "
                + "at its log and start again")
    }
}
