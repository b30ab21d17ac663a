import TrainingPlan

/// Who joins, who is refused, who goes, and what each is told.
extension CoordinatorMachine {
    mutating func receive(
        _ status: Status, _ number: StatementNumber, from peer: PeerHandle, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        let nonce = status.member.nonce
        guard let member = membership.member(nonce: nonce) else {
            return greet(
                status, number, from: peer, session: session, incarnation: incarnation, now: now,
                into: &actions)
        }
        let name = member.name
        guard number > member.lastNumber else { return .staleStatement }
        guard incarnation == .none || (session == plan.session && incarnation == name.incarnation)
        else {
            // It takes itself for a member that it is no longer.
            answer(.rejoin(session), to: status, incarnation, peer, into: &actions)
            return .staleIncarnation
        }
        if incarnation == .none, !member.phase.isJoining {
            // It has lost this coordinator for a while, has let go of all, and greets anew.
            remove(member, "has lost the coordinator, and joins again", now: now, into: &actions)
            return greet(
                status, number, from: peer, session: session, incarnation: incarnation, now: now,
                into: &actions)
        }
        let hasMissed = status.reached < member.assigned || peer != member.peer
        membership.update(name.incarnation) { member in
            member.lastNumber = number
            member.lastHeard = now
            member.peer = peer
            member.phase = status.phase
        }
        if status.phase != member.phase {
            changed(member, to: status.phase, now: now, into: &actions)
        }
        if case .serving(let place, let progress) = status.phase {
            if let lateness = progress.lateness {
                late(lateness, place, progress.step, now: now, into: &actions)
            }
            noteCheckpoint(place, progress, of: name.incarnation, now: now, into: &actions)
        }
        // It has not got the newest assignment, and may have been waiting for it: once more, unless
        // that one is on its way.
        if hasMissed, let current = membership[name.incarnation],
            peer != member.peer
                || now.milliseconds(since: current.assignedAt)
                    >= Limits.unansweredIntervalMilliseconds
        {
            assign(name.incarnation, now: now, into: &actions)
        }
        return nil
    }

    /// A process that is not a member: joins, or is told why not.
    private mutating func greet(
        _ status: Status, _ number: StatementNumber, from peer: PeerHandle, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        switch status.phase {
        case .leaving(let reason), .failed(let reason):
            // It has left already, and did not hear that this was heard.
            let farewell = Farewell(reason: reason, isHeard: true)
            answer(.leave(farewell), to: status, incarnation, peer, into: &actions)
            return nil
        case .joining, .ready, .preparing, .serving, .working: break
        }
        if session == plan.session, let reason = expelled[incarnation] {
            answer(.refused(reason), to: status, incarnation, peer, into: &actions)
            return .staleIncarnation
        }
        if case .closing(let closing) = state, incarnation != .none {
            // It was one before this coordinator was started again, and has missed the end.
            answer(.refused(closing.farewell), to: status, incarnation, peer, into: &actions)
            return .staleIncarnation
        }
        guard incarnation == .none else {
            answer(.rejoin(session), to: status, incarnation, peer, into: &actions)
            return session == plan.session ? .staleIncarnation : .staleSession
        }
        if let reason = refusal(of: status.member) {
            answer(.refused(reason), to: status, incarnation, peer, into: &actions)
            actions.append(.notice(.refused(status.member, reason)))
            return nil
        }
        if let old = membership.server(at: status.member.dataEndpoint) {
            // A port has one holder: the process before is gone.
            remove(old, "was started again", now: now, into: &actions)
        }
        let member = membership.add(status, number, peer: peer, now: now)
        assign(member.name.incarnation, now: now, into: &actions)
        actions.append(.notice(.joined(member.name, threads: status.member.threads)))
        // Its pushes count before it makes any.
        if let run, status.member.role == .worker {
            for server in run.servers { assign(server, now: now, into: &actions) }
        }
        advance(now: now, into: &actions)
        return nil
    }

    /// Tells a process that is not a member, or not the one that it takes itself for.
    private func answer(
        _ duty: Duty, to status: Status, _ incarnation: Incarnation, _ peer: PeerHandle,
        into actions: inout [CoordinatorAction]
    ) {
        // Newer than what it says it has, which may be any number.
        let number = min(status.reached.rawValue + 1, Limits.maximumStatementNumber)
        actions.append(
            .send(peer, StatementNumber(rawValue: number), incarnation, Assignment(duty)))
    }

    private func refusal(of member: MemberDescription) -> StopReason? {
        if member.arithmeticVersion != arithmeticVersion {
            return StopReason(
                .mismatch,
                "arithmetic version \(member.arithmeticVersion), and the coordinator has "
                    + "\(arithmeticVersion): start the same release of Lockstep everywhere")
        }
        if let sha256 = member.datasetSHA256, sha256 != plan.dataset.sha256 {
            return StopReason(
                .mismatch,
                "the data set with hash \(sha256), and the session trains on "
                    + "\(plan.dataset.name) with hash \(plan.dataset.sha256): start without "
                    + "--data to get it from the coordinator")
        }
        if isClosing {
            return StopReason(.unavailable, "the session is over: start a new one")
        }
        switch member.role {
        case .server:
            if member.dataEndpoint == nil {
                return StopReason(.mismatch, "a server has to say where workers reach it")
            }
            // More than the session needs stand by, and take the place of those that are lost.
            if membership.serverCount >= SettingLimits.maximumServers {
                return StopReason(
                    .unavailable,
                    "the session has \(SettingLimits.maximumServers) servers already, which is the "
                        + "most")
            }
        case .worker:
            if membership.workerCount >= plan.maximumWorkers {
                return StopReason(
                    .unavailable,
                    "the session has \(plan.maximumWorkers) workers already, which is the most "
                        + "that it takes: start the coordinator with more --max-workers")
            }
        }
        return nil
    }

    /// A member's status says something new.
    private mutating func changed(
        _ member: Member, to phase: MemberPhase, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        let incarnation = member.name.incarnation
        switch phase {
        case .joining, .preparing: break
        case .ready:
            if case .joining = member.phase, member.name.role == .worker {
                actions.append(.notice(.ready(member.name)))
                // It learns of a run that continues.
                assign(incarnation, now: now, into: &actions)
            }
        case .working:
            if let run, !run.view.includes(incarnation) { rebalance(now: now, into: &actions) }
        case .serving(let place, let progress):
            if let halt = progress.halt {
                halted(halt, place, progress.step, incarnation, now: now, into: &actions)
            }
        case .leaving(let reason):
            sayGoodbye(to: incarnation, reason, now: now, into: &actions)
            remove(member, "left: \(reason.text)", now: now, into: &actions)
        case .failed(let reason):
            sayGoodbye(to: incarnation, reason, now: now, into: &actions)
            failed(member, reason, now: now, into: &actions)
        }
        advance(now: now, into: &actions)
    }

    private mutating func failed(
        _ member: Member, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        remove(member, "cannot continue: \(reason.text)", now: now, into: &actions)
        // Nobody is left, and whoever comes would fail alike.
        if member.name.role == .worker, membership.workerCount == 0, !hasEndedAllRuns {
            let text = "\(member.name) cannot continue: \(reason.text)"
            endSession(.failed, StopReason(reason.exitCode, text), now: now, into: &actions)
        }
    }

    /// Takes a member out: others compute a worker's leaves, and take a server's shard.
    mutating func remove(
        _ member: Member, _ cause: String, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        membership.remove(member.name.incarnation)
        if isClosing { return }
        guard let run, run.shard(of: member.name.incarnation) != nil else {
            actions.append(.notice(.left(member.name, reason: cause)))
            if let run, run.view.includes(member.name.incarnation) {
                rebalance(now: now, into: &actions)
            }
            return
        }
        actions.append(.notice(.left(member.name, reason: cause)))
        fallBack(run, now: now, into: &actions)
    }

    // MARK: What each is told

    /// Sends a member what it has to do.
    mutating func assign(
        _ incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        guard let member = membership[incarnation] else { return }
        send(duty(of: member), to: member, now: now, into: &actions)
    }

    mutating func assignAll(now: Instant, into actions: inout [CoordinatorAction]) {
        for member in membership.members {
            send(duty(of: member), to: member, now: now, into: &actions)
        }
    }

    private mutating func sayGoodbye(
        to incarnation: Incarnation, _ reason: StopReason, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard let member = membership[incarnation] else { return }
        let farewell = Farewell(reason: reason, isHeard: true)
        send(.leave(farewell), to: member, now: now, into: &actions)
    }

    private mutating func send(
        _ duty: Duty, to member: Member, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        let number = member.assigned.next
        membership.update(member.name.incarnation) { member in
            member.assigned = number
            member.assignedAt = now
        }
        actions.append(.send(member.peer, number, member.name.incarnation, Assignment(duty)))
    }

    private func duty(of member: Member) -> Duty {
        let incarnation = member.name.incarnation
        switch state {
        case .gathering, .changing, .bereft, .ended: break
        case .preparing(let run, _):
            // Who will compute is not known yet.
            if let shard = run.shard(of: incarnation) {
                return .serve(session, shardDuty(of: shard, in: run, audits: plan.audits))
            }
        case .running(let run):
            if let shard = run.shard(of: incarnation) {
                let audits = run.view.isOneWorker ? AuditRate.none : plan.audits
                return .serve(session, shardDuty(of: shard, in: run, audits: audits))
            }
            if member.name.role == .worker {
                return .work(
                    session,
                    run.workDuty(
                        of: incarnation, servers: addresses(of: run),
                        workersOnHost: workersByHost[member.name.host] ?? 1,
                        audits: plan.audits))
            }
        case .closing(let closing):
            return .leave(Farewell(reason: closing.farewell, isHeard: false))
        }
        return .wait(session)
    }

    private func shardDuty(
        of shard: ShardIndex, in run: CoordinatorRun, audits: AuditRate
    ) -> ShardDuty {
        run.shardDuty(of: shard, workers: membership.workers, audits: audits)
    }

    private var session: Session {
        Session(
            dataset: plan.dataset, runCount: plan.runs.count, dataEndpoint: plan.dataEndpoint,
            workersServe: plan.servers == .onWorkers)
    }

    /// By shard.
    func addresses(of run: CoordinatorRun) -> [ServerAddress] {
        run.servers.map {
            ServerAddress(
                incarnation: $0, endpoint: membership[$0]?.description.dataEndpoint ?? "")
        }
    }
}
