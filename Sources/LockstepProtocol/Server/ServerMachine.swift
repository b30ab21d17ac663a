import TrainingPlan

/// The parameter server's decisions: joins, owns one shard of run after run, and leaves.
///
/// An event of a run that is over does nothing. The steady step allocates nothing.
///
/// A steady step: `receive(push)` → `keep` for each node that is needed, and `apply` after the last;
/// `applied` → `sendWeights` to each worker, `sendReport`, and `keepSnapshot` where an evaluation
/// follows.
package struct ServerMachine: RoleMachine {
    package private(set) var link: MemberLink
    package private(set) var drops = DropLog()
    private var state = State.joining

    private enum State: Sendable {
        case joining
        case ready(finished: RunIndex?)
        case preparing(Session, ShardDuty)
        case serving(ServerRun)
        case ended
    }

    package init(link: MemberLink) { self.link = link }

    package var end: StopReason? { link.end }

    /// How to fold the slots of the step that is being applied, left to right.
    package var foldSchedule: [FoldInstruction] {
        if case .serving(let run) = state { run.coverage.foldSchedule } else { [] }
    }

    package var phase: MemberPhase {
        switch state {
        case .joining: .joining(datasetBytes: 0)
        case .ready, .ended: .ready
        case .preparing(_, let duty):
            .preparing(RunPlace(run: duty.order.run, generation: duty.order.generation))
        case .serving(let run): .serving(run.place, run.progress)
        }
    }

    package mutating func start(now: Instant, into actions: inout [ServerAction]) {
        link.open(now: now)
        report(now: now, into: &actions)
    }

    /// Time passes: call it every ``Limits`` tick or so.
    package mutating func tick(now: Instant, into actions: inout [ServerAction]) {
        switch link.tick(now: now, phase: phase, isUrgent: isHalted) {
        case .status: report(now: now, into: &actions)
        case .stop(let reason): return link.close(reason)
        case nil: break
        }
        if let text = drops.due(now: now) { actions.append(.notice("dropped frames: \(text)")) }
    }

    /// A run that halts goes on, or ends, only when the coordinator knows.
    private var isHalted: Bool {
        if case .serving(let run) = state { run.halt != nil } else { false }
    }

    private mutating func report(now: Instant, into actions: inout [ServerAction]) {
        let (number, status) = link.status(phase, now: now)
        actions.append(.send(number, status))
    }

    // MARK: From others

    /// A decoded frame; its payload is in hand until the next call. The caller has checked the
    /// payload's checksum, and that a push holds what its bits say.
    package mutating func receive(
        _ message: ServerInbound, from peer: PeerHandle?, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [ServerAction]
    ) {
        let reason: DropReason?
        switch message {
        case .assignment(let number, let assignment):
            reason = receive(
                assignment, number, session: session, incarnation: incarnation, now: now,
                into: &actions)
        case .push(let address, let node, let checksum):
            reason = withRun(session, peer, now: now, into: &actions) { run, peer, actions in
                run.push(
                    address, node, checksum: checksum, from: incarnation, peer, now: now,
                    into: &actions)
            }
        case .inquiry(let address, let leaves):
            reason = withRun(session, peer, now: now, into: &actions) { run, peer, actions in
                run.inquiry(
                    address, leaves: leaves, from: incarnation, peer, now: now, into: &actions)
            }
        case .snapshotRequest(let request):
            reason = withRun(session, peer, now: now, into: &actions) { run, peer, actions in
                run.snapshotRequest(request, from: peer, into: &actions)
            }
        }
        if let reason { drops.add(reason) }
    }

    /// Lets the run judge a frame of the data port, and reports at once if that halts it.
    private mutating func withRun(
        _ session: SessionID, _ peer: PeerHandle?, now: Instant,
        into actions: inout [ServerAction],
        _ body: (inout ServerRun, PeerHandle, inout [ServerAction]) -> DropReason?
    ) -> DropReason? {
        guard session == link.session else { return .staleSession }
        guard let peer, case .serving(var run) = state else { return .noRun }
        let wasHalted = run.halt != nil
        // The run has one owner while it changes: no copies of its arrays.
        state = .joining
        let reason = body(&run, peer, &actions)
        state = .serving(run)
        if !wasHalted, run.halt != nil { report(now: now, into: &actions) }
        return reason
    }

    /// A connection to the data port is gone.
    private mutating func unreachable(_ peer: PeerHandle) {
        guard case .serving(var run) = state else { return }
        state = .joining
        run.forget(peer)
        state = .serving(run)
    }

    /// A frame that is not ours, or does not belong here.
    package mutating func malformed(
        _ error: FrameError, from peer: PeerHandle?, now: Instant,
        into actions: inout [ServerAction]
    ) {
        if drops.add(error, from: peer) {
            actions.append(.notice("a frame on the data port was ignored: \(error)"))
        }
        if peer == nil, case .unsupportedVersion(let version) = error, !link.isJoined {
            link.close(link.otherVersion(version))
        }
    }

    // MARK: Assignments

    private mutating func receive(
        _ assignment: Assignment, _ number: StatementNumber, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [ServerAction]
    ) -> DropReason? {
        switch link.receive(
            assignment, number, session: session, incarnation: incarnation, now: now)
        {
        case .drop(let reason): return reason
        case .stop(let reason): link.close(reason)
        case .depart: depart(now: now, into: &actions)
        case .duty(.wait): wait(now: now, into: &actions)
        case .duty(.serve(let session, let duty)):
            serve(session, duty, now: now, into: &actions)
        // Leaves are for workers; the link deals with the others.
        case .duty(.work), .duty(.leave), .duty(.refused): return .wrongType
        }
        return nil
    }

    private mutating func wait(now: Instant, into actions: inout [ServerAction]) {
        switch state {
        case .joining: state = .ready(finished: nil)
        case .preparing(_, let duty): endRun(duty.order.run, into: &actions)
        case .serving(let run): endRun(run.duty.order.run, into: &actions)
        case .ready, .ended: return
        }
        report(now: now, into: &actions)
    }

    private mutating func endRun(_ run: RunIndex, into actions: inout [ServerAction]) {
        state = .ready(finished: run)
        actions.append(.endRun(run))
    }

    private mutating func serve(
        _ session: Session, _ duty: ShardDuty, now: Instant, into actions: inout [ServerAction]
    ) {
        let run = duty.order.run
        switch state {
        case .joining: break
        case .ready(let finished):
            if let finished, run <= finished { return }
        case .preparing(_, let current):
            if run <= current.order.run { return }
            actions.append(.endRun(current.order.run))
        case .serving(var current):
            if run < current.duty.order.run { return }
            if run == current.duty.order.run {
                state = .joining
                current.acknowledge(duty.receipts, now: now, into: &actions)
                state = .serving(current)
                return
            }
            actions.append(.endRun(current.duty.order.run))
        case .ended: return
        }
        prepare(session, duty, now: now, into: &actions)
    }

    private mutating func prepare(
        _ session: Session, _ duty: ShardDuty, now: Instant, into actions: inout [ServerAction]
    ) {
        do throws(ConfigurationError) {
            try duty.order.configuration.validate(
                trainingExampleCount: session.dataset.trainingExampleCount,
                examples: session.dataset.shape)
        } catch {
            let reason = StopReason(.mismatch, "run \(duty.order.run): \(error)")
            return failed(reason, now: now, into: &actions)
        }
        state = .preparing(session, duty)
        actions.append(.prepare(duty))
    }

    // MARK: From the engine

    package mutating func handle(
        _ event: ServerEvent, now: Instant, into actions: inout [ServerAction]
    ) {
        switch event {
        case .prepared(let run, let reportByteCount):
            prepared(run, reportByteCount: reportByteCount, now: now, into: &actions)
        case .applied(let run, let step): applied(run, step, now: now, into: &actions)
        case .diverged(let run, let step, let finding):
            diverged(run, step, finding, now: now, into: &actions)
        case .unreachable(let peer): unreachable(peer)
        case .unresolved(let problem):
            if let text = link.unresolved(problem) { actions.append(.notice(text)) }
        case .failed(let reason): failed(reason, now: now, into: &actions)
        }
    }

    /// - Parameter reportByteCount: of one step's report.
    private mutating func prepared(
        _ index: RunIndex, reportByteCount: Int, now: Instant, into actions: inout [ServerAction]
    ) {
        guard case .preparing(let session, let duty) = state, duty.order.run == index else {
            return
        }
        let schedule = RunSchedule(
            duty.order.configuration,
            trainingExampleCount: session.dataset.trainingExampleCount)
        state = .serving(
            ServerRun(duty, schedule, reportByteCount: reportByteCount, now: now))
        report(now: now, into: &actions)
    }

    /// The weights of `step.next` are there.
    private mutating func applied(
        _ index: RunIndex, _ step: Step, now: Instant, into actions: inout [ServerAction]
    ) {
        guard case .serving(var run) = state, run.duty.order.run == index else { return }
        state = .joining
        run.applied(step, now: now, into: &actions)
        state = .serving(run)
    }

    /// The step made something that is not finite; the weights of `step` are still there.
    private mutating func diverged(
        _ index: RunIndex, _ step: Step, _ finding: DivergenceFinding, now: Instant,
        into actions: inout [ServerAction]
    ) {
        guard case .serving(var run) = state, run.duty.order.run == index else { return }
        run.diverged(step, finding)
        state = .serving(run)
        report(now: now, into: &actions)
    }

    /// The engine cannot go on.
    private mutating func failed(
        _ reason: StopReason, now: Instant, into actions: inout [ServerAction]
    ) {
        if link.fail(reason, now: now) { depart(now: now, into: &actions) }
    }

    // MARK: The end

    /// The person or the system asks it to leave.
    package mutating func interrupt(
        _ reason: StopReason, now: Instant, into actions: inout [ServerAction]
    ) {
        if link.departure != nil { return }
        if link.leave(reason, now: now) {
            depart(now: now, into: &actions)
        } else {
            link.close(reason)
        }
    }

    /// Lets go of the run and says goodbye; the link waits until that has been heard.
    private mutating func depart(now: Instant, into actions: inout [ServerAction]) {
        switch state {
        case .preparing(_, let duty): actions.append(.endRun(duty.order.run))
        case .serving(let run): actions.append(.endRun(run.duty.order.run))
        case .joining, .ready, .ended: break
        }
        state = .ended
        report(now: now, into: &actions)
    }
}
