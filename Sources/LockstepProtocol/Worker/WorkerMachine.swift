package import TrainingPlan

/// The worker's decisions: joins, gets the data set, trains run after run, and leaves.
///
/// An event of a run that is over does nothing. The steady step allocates nothing.
///
/// A steady step: `nodeComputed` → `push` to each server; `receive(weights)` → `keepWeights`, and
/// after the last shard's `adopt` and `compute`.
package struct WorkerMachine: MemberMachine {
    package internal(set) var link: MemberLink
    package private(set) var drops = DropLog()
    private var state = State.joining

    private enum State: Sendable {
        case joining
        case fetching(DatasetFetch)
        /// With the run, and its generation, that is over.
        case ready(Session, finished: RunOrder?)
        case opening(Session, WorkDuty)
        case training(Session, WorkerRun)
        case ended
    }

    package init(link: MemberLink) { self.link = link }

    package var end: StopReason? { link.end }

    /// The schedule of the current run: the examples of its steps and leaves.
    package var schedule: RunSchedule? {
        if case .training(_, let run) = state { run.schedule } else { nil }
    }

    package var phase: MemberPhase {
        switch state {
        case .joining: .joining(datasetBytes: 0)
        case .fetching(let fetch): .joining(datasetBytes: fetch.receivedByteCount)
        case .ready, .ended: .ready
        case .opening(_, let duty): .preparing(duty.place)
        case .training(_, let run):
            run.hasWeights ? .working(run.place, run.progress) : .preparing(run.place)
        }
    }

    /// Time passes: call it every ``Limits`` tick or so.
    package mutating func tick(now: Instant, into actions: inout [WorkerAction]) {
        switch link.tick(now: now) {
        case .status: report(now: now, into: &actions)
        case .rejoin: loseCoordinator(now: now, into: &actions)
        case .stop(let reason): return link.close(reason)
        case nil: break
        }
        if let text = drops.due(now: now) { actions.append(.notice("dropped frames: \(text)")) }
        switch state {
        case .fetching(var fetch):
            if let failure = fetch.advance(now: now, into: &actions) {
                failed(failure, now: now, into: &actions)
            } else {
                state = .fetching(fetch)
            }
        case .training:
            guard case (let session, var run)? = takeRun() else { return }
            let failure = run.tick(
                now: now, waitTimeoutMilliseconds: link.waitTimeoutMilliseconds, into: &actions)
            state = .training(session, consume run)
            if let failure { failed(failure, now: now, into: &actions) }
        case .joining, .ready, .opening, .ended: break
        }
    }

    static func send(_ number: StatementNumber, _ status: Status) -> WorkerAction {
        .send(number, status)
    }

    static func notice(_ text: String) -> WorkerAction { .notice(text) }

    // MARK: From others

    /// A decoded frame; its payload is in hand until the next call. The caller has checked the
    /// payload's length and checksum.
    package mutating func receive(
        _ message: WorkerInbound, from peer: PeerHandle?, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [WorkerAction]
    ) {
        let reason: DropReason?
        switch message {
        case .assignment(let number, let assignment):
            reason = receive(
                assignment, number, session: session, incarnation: incarnation, now: now,
                into: &actions)
        case .weights(let address):
            reason = withRun(session, now: now, into: &actions) { run, actions in
                run.weights(address, from: incarnation, now: now, into: &actions)
            }
        case .held(let address, let leaves, let isHeld):
            reason = withRun(session, now: now, into: &actions) { run, actions in
                run.held(
                    address, leaves: leaves, isHeld, from: incarnation, now: now, into: &actions)
            }
        case .datasetPart(let part):
            reason = receive(part, session: session, now: now, into: &actions)
        }
        if let reason { drops.add(reason) }
    }

    /// Lets the run judge a frame of a server, and reports at once if that gives it its first
    /// weights.
    private mutating func withRun(
        _ session: SessionID, now: Instant, into actions: inout [WorkerAction],
        _ body: (inout WorkerRun, inout [WorkerAction]) -> DropReason?
    ) -> DropReason? {
        guard session == link.session else { return .staleSession }
        guard case (let own, var run)? = takeRun() else { return .noRun }
        let hadWeights = run.hasWeights
        let reason = body(&run, &actions)
        let hasFirstWeights = !hadWeights && run.hasWeights
        state = .training(own, consume run)
        if hasFirstWeights { report(now: now, into: &actions) }
        return reason
    }

    /// The run, to be put back. It is moved, not copied: its arrays keep one owner and are changed
    /// in place.
    private mutating func takeRun() -> (Session, WorkerRun)? {
        guard case .training = state else { return nil }
        var taken = State.joining
        swap(&taken, &state)
        guard case .training(let session, let run) = consume taken else { return nil }
        return (session, run)
    }

    /// A frame that is not ours, or does not belong here.
    package mutating func malformed(
        _ error: FrameError, from peer: PeerHandle?, now: Instant,
        into actions: inout [WorkerAction]
    ) {
        _ = drops.add(error, from: peer)
        if case .unsupportedVersion(let version) = error, !link.isJoined {
            link.close(link.otherVersion(version))
        }
    }

    // MARK: Assignments

    private mutating func receive(
        _ assignment: Assignment, _ number: StatementNumber, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        switch link.receive(
            assignment, number, session: session, incarnation: incarnation, now: now)
        {
        case .drop(let reason): return reason
        case .stop(let reason): link.close(reason)
        case .depart: depart(now: now, into: &actions)
        case .rejoin: rejoin(now: now, into: &actions)
        case .duty(.wait(let session)): wait(session, now: now, into: &actions)
        case .duty(.work(let session, let duty)):
            work(session, duty, now: now, into: &actions)
        // A shard is for servers; the link deals with the others.
        case .duty(.serve), .duty(.leave), .duty(.refused), .duty(.rejoin): return .wrongType
        }
        return nil
    }

    private mutating func wait(
        _ session: Session, now: Instant, into actions: inout [WorkerAction]
    ) {
        switch state {
        case .joining:
            state = .fetching(DatasetFetch(session))
            actions.append(.findDataset(session.dataset))
        case .opening(_, let duty): endRun(session, duty.order, now: now, into: &actions)
        case .training(_, let run): endRun(session, run.duty.order, now: now, into: &actions)
        case .fetching, .ready, .ended: break
        }
    }

    private mutating func endRun(
        _ session: Session, _ order: RunOrder, now: Instant, into actions: inout [WorkerAction]
    ) {
        state = .ready(session, finished: order)
        actions.append(.endRun(order.run))
        report(now: now, into: &actions)
    }

    private mutating func work(
        _ session: Session, _ duty: WorkDuty, now: Instant, into actions: inout [WorkerAction]
    ) {
        switch state {
        case .joining: return wait(session, now: now, into: &actions)
        case .ready(_, let finished):
            if let finished, !finished.isOlder(than: duty.order) { return }
        case .opening(_, let current):
            if duty.order.isOlder(than: current.order) { return }
            if !current.order.isOlder(than: duty.order) {
                if duty.view > current.view { state = .opening(session, duty) }
                return
            }
            actions.append(.endRun(current.order.run))
        case .training(_, var run):
            if duty.order.isOlder(than: run.duty.order) { return }
            if !run.duty.order.isOlder(than: duty.order) {
                guard duty.view > run.duty.view else { return }
                state = .joining
                actions.append(.changeView(duty))
                run.change(to: duty, now: now, into: &actions)
                state = .training(session, run)
                return
            }
            actions.append(.endRun(run.duty.order.run))
        case .fetching, .ended: return
        }
        open(session, duty, now: now, into: &actions)
    }

    private mutating func open(
        _ session: Session, _ duty: WorkDuty, now: Instant, into actions: inout [WorkerAction]
    ) {
        do throws(ConfigurationError) {
            try duty.order.configuration.validate(
                trainingExampleCount: session.dataset.trainingExampleCount,
                examples: session.dataset.shape)
        } catch {
            let reason = StopReason(.mismatch, "run \(duty.order.run): \(error)")
            return failed(reason, now: now, into: &actions)
        }
        state = .opening(session, duty)
        actions.append(.beginRun(duty))
    }

    // MARK: The data set

    private mutating func datasetFound(now: Instant, into actions: inout [WorkerAction]) {
        guard case .fetching(let fetch) = state, fetch.isLooking else { return }
        become(readyFor: fetch.session, now: now, into: &actions)
    }

    private mutating func datasetMissing(now: Instant, into actions: inout [WorkerAction]) {
        guard case .fetching(var fetch) = state, fetch.isLooking else { return }
        actions.append(.connectDataset(endpoint: fetch.session.dataEndpoint))
        fetch.begin(now: now)
        if let failure = fetch.advance(now: now, into: &actions) {
            failed(failure, now: now, into: &actions)
        } else {
            state = .fetching(fetch)
        }
    }

    private mutating func receive(
        _ part: BytePart, session: SessionID, now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        guard session == link.session else { return .staleSession }
        guard case .fetching(var fetch) = state, fetch.receive(part, now: now, into: &actions)
        else { return .upToDate }
        if let failure = fetch.advance(now: now, into: &actions) {
            failed(failure, now: now, into: &actions)
        } else {
            state = .fetching(fetch)
        }
        return nil
    }

    /// The data set that came from the coordinator has been hashed, and stored if it matches.
    private mutating func datasetVerified(
        matches: Bool, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard case .fetching(let fetch) = state, fetch.isVerifying else { return }
        if matches { return become(readyFor: fetch.session, now: now, into: &actions) }
        let dataset = fetch.session.dataset
        let reason = StopReason(
            .mismatch,
            "the data set \(dataset.name) from \(link.coordinatorAddress) does not have the hash "
                + "\(dataset.sha256) that was announced: start the worker again, and check the "
                + "coordinator's data")
        failed(reason, now: now, into: &actions)
    }

    private mutating func become(
        readyFor session: Session, now: Instant, into actions: inout [WorkerAction]
    ) {
        state = .ready(session, finished: nil)
        report(now: now, into: &actions)
    }

    // MARK: From the engine

    package mutating func handle(
        _ event: WorkerEvent, now: Instant, into actions: inout [WorkerAction]
    ) {
        switch event {
        case .datasetFound: datasetFound(now: now, into: &actions)
        case .datasetMissing: datasetMissing(now: now, into: &actions)
        case .datasetVerified(let matches):
            datasetVerified(matches: matches, now: now, into: &actions)
        case .runBegun(let run): runBegun(run, now: now, into: &actions)
        case .nodeComputed(let run, let step, let node):
            nodeComputed(run, step, node, now: now, into: &actions)
        case .unresolved(let problem):
            if let text = link.unresolved(problem) { actions.append(.notice(text)) }
        case .failed(let reason): failed(reason, now: now, into: &actions)
        }
    }

    private mutating func runBegun(
        _ index: RunIndex, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard case .opening(let session, let duty) = state, duty.order.run == index else { return }
        let schedule = RunSchedule(
            duty.order.configuration,
            trainingExampleCount: session.dataset.trainingExampleCount)
        var run = WorkerRun(duty, schedule, now: now)
        run.begin(now: now, into: &actions)
        state = .training(session, run)
        actions.append(.changeView(duty))
        report(now: now, into: &actions)
    }

    private mutating func nodeComputed(
        _ index: RunIndex, _ step: Step, _ node: LeafRange, now: Instant,
        into actions: inout [WorkerAction]
    ) {
        guard case (let session, var run)? = takeRun() else { return }
        if run.duty.order.run == index {
            run.nodeComputed(node, step, now: now, into: &actions)
        }
        state = .training(session, consume run)
    }

    // MARK: The end

    mutating func end(into actions: inout [WorkerAction]) {
        letGo(into: &actions)
        state = .ended
    }

    mutating func beginAnew(into actions: inout [WorkerAction]) {
        letGo(into: &actions)
        state = .joining
    }

    private func letGo(into actions: inout [WorkerAction]) {
        switch state {
        case .opening(_, let duty): actions.append(.endRun(duty.order.run))
        case .training(_, let run): actions.append(.endRun(run.duty.order.run))
        case .joining, .fetching, .ready, .ended: break
        }
    }
}
