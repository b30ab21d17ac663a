import TrainingPlan

/// The parameter server's decisions: joins, owns one shard of run after run, and leaves.
///
/// An event of a run that is over does nothing. The steady step allocates nothing.
///
/// A steady step: `receive(push)` → `keep` for each node that is needed, and `apply` after the
/// last; `applied` → `sendWeights` to each worker, `sendReport`, and `keepSnapshot` where an
/// evaluation follows.
package struct ServerMachine: MemberMachine {
    package internal(set) var link: MemberLink
    package private(set) var drops = DropLog()
    var state = State.joining

    enum State: Sendable {
        case joining
        /// With the run, and its generation, that is over.
        case ready(finished: RunOrder?)
        /// The engine makes room; after that the checkpoint comes that the generation begins with.
        case preparing(Session, ShardDuty, StateDownload?)
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
        case .preparing(_, let duty, _):
            .preparing(RunPlace(run: duty.order.run, generation: duty.order.generation))
        case .serving(let run): .serving(run.place, run.progress)
        }
    }

    /// Time passes: call it every ``Limits`` tick or so.
    package mutating func tick(now: Instant, into actions: inout [ServerAction]) {
        watch(now: now, into: &actions)
        load(now: now, into: &actions)
        switch link.tick(now: now, isUrgent: isStuck) {
        case .status: report(now: now, into: &actions)
        case .rejoin: loseCoordinator(now: now, into: &actions)
        case .stop(let reason): return link.close(reason)
        case nil: break
        }
        if let text = drops.due(now: now) { actions.append(.notice("dropped frames: \(text)")) }
    }

    /// A run that halts, or waits for a worker that is lost, continues only when the coordinator
    /// knows.
    private var isStuck: Bool {
        if case .serving(let run) = state { run.halt != nil || run.lateness != nil } else { false }
    }

    /// Tells the coordinator at once of leaves that are late.
    private mutating func watch(now: Instant, into actions: inout [ServerAction]) {
        guard var run = takeRun() else { return }
        run.sendDueReports(now: now, into: &actions)
        let isNews = run.watch(now: now)
        state = .serving(consume run)
        if isNews { report(now: now, into: &actions) }
    }

    static func send(_ number: StatementNumber, _ status: Status) -> ServerAction {
        .send(number, status)
    }

    static func notice(_ text: String) -> ServerAction { .notice(text) }

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
        case .weightsRequest(let address, let wanted):
            reason = withRun(session, peer, now: now, into: &actions) { run, peer, actions in
                run.weightsRequest(
                    address, wanted: wanted, from: incarnation, peer, now: now, into: &actions)
            }
        case .snapshotPart(let part): reason = receive(part, session, now: now, into: &actions)
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
        guard let peer, var run = takeRun() else { return .noRun }
        let halt = run.halt
        let reason = body(&run, peer, &actions)
        let isNews = run.halt != halt
        state = .serving(consume run)
        if isNews { report(now: now, into: &actions) }
        return reason
    }

    /// The run, to be put back. It is moved, not copied: its arrays keep one owner and are changed
    /// in place.
    private mutating func takeRun() -> ServerRun? {
        guard case .serving = state else { return nil }
        var taken = State.joining
        swap(&taken, &state)
        guard case .serving(let run) = consume taken else { return nil }
        return run
    }

    /// A connection to the data port is gone.
    private mutating func unreachable(_ peer: PeerHandle) {
        guard var run = takeRun() else { return }
        run.forget(peer)
        state = .serving(consume run)
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
        case .rejoin: rejoin(now: now, into: &actions)
        case .duty(.wait): wait(now: now, into: &actions)
        case .duty(.serve(let session, let duty)):
            serve(session, duty, now: now, into: &actions)
        // Leaves are for workers; the link deals with the others.
        case .duty(.work), .duty(.leave), .duty(.refused), .duty(.rejoin): return .wrongType
        }
        return nil
    }

    private mutating func wait(now: Instant, into actions: inout [ServerAction]) {
        switch state {
        case .joining: state = .ready(finished: nil)
        case .preparing(_, let duty, _): endRun(duty.order, into: &actions)
        case .serving(let run): endRun(run.duty.order, into: &actions)
        case .ready, .ended: return
        }
        report(now: now, into: &actions)
    }

    private mutating func endRun(_ order: RunOrder, into actions: inout [ServerAction]) {
        state = .ready(finished: order)
        actions.append(.endRun(order.run))
    }

    private mutating func serve(
        _ session: Session, _ duty: ShardDuty, now: Instant, into actions: inout [ServerAction]
    ) {
        switch state {
        case .joining: break
        case .ready(let finished):
            if let finished, !finished.isOlder(than: duty.order) { return }
        case .preparing(_, let current, let download):
            guard current.order.isOlder(than: duty.order) else {
                if duty.order == current.order { state = .preparing(session, duty, download) }
                return
            }
            actions.append(.endRun(current.order.run))
        case .serving(var current):
            if duty.order.isOlder(than: current.duty.order) { return }
            guard current.duty.order.isOlder(than: duty.order) else {
                state = .joining
                let wanted = current.duty.checkpoint
                current.take(duty, now: now, into: &actions)
                state = .serving(current)
                // The coordinator waits for a word, whether it is kept or was passed.
                if duty.checkpoint != wanted { report(now: now, into: &actions) }
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
        state = .preparing(session, duty, nil)
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
        case .compared(let run, let step, let difference):
            compared(run, step, difference, now: now, into: &actions)
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
        guard case .preparing(let session, let duty, nil) = state, duty.order.run == index else {
            return
        }
        guard duty.order.firstStep > 0 else {
            return serve(duty, session, reportByteCount: reportByteCount, now: now, into: &actions)
        }
        actions.append(.connectCheckpoint(endpoint: session.dataEndpoint))
        state = .preparing(
            session, duty, StateDownload(duty, reportByteCount: reportByteCount, now: now))
        load(now: now, into: &actions)
    }

    mutating func serve(
        _ duty: ShardDuty, _ session: Session, reportByteCount: Int, now: Instant,
        into actions: inout [ServerAction]
    ) {
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
        guard var run = takeRun() else { return }
        if run.duty.order.run == index { run.applied(step, now: now, into: &actions) }
        state = .serving(consume run)
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

    private mutating func compared(
        _ index: RunIndex, _ step: Step, _ difference: BitDifference, now: Instant,
        into actions: inout [ServerAction]
    ) {
        guard case .serving(var run) = state, run.duty.order.run == index, run.step == step else {
            return
        }
        run.compared(difference)
        state = .serving(run)
        report(now: now, into: &actions)
    }

    // MARK: The end

    mutating func end(into actions: inout [ServerAction]) {
        letGo(into: &actions)
        state = .ended
    }

    mutating func beginAnew(into actions: inout [ServerAction]) {
        letGo(into: &actions)
        state = .joining
    }

    private func letGo(into actions: inout [ServerAction]) {
        switch state {
        case .preparing(_, let duty, _): actions.append(.endRun(duty.order.run))
        case .serving(let run): actions.append(.endRun(run.duty.order.run))
        case .joining, .ready, .ended: break
        }
    }
}
