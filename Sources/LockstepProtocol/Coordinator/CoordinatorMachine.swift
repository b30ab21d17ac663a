import TrainingPlan

/// The coordinator's decisions: who is in, when a run starts, how it ends, and when all may go.
///
/// The steady step allocates nothing: `receive(report)` → `keepReport` from each shard, and
/// `recordStep` after the last.
///
/// Workers come and go during a run: see ``View``. Where a server is lost, a new generation
/// continues from the newest checkpoint with those that are left.
package struct CoordinatorMachine: RoleMachine {
    package let plan: SessionPlan
    package private(set) var drops = DropLog()
    var membership = Membership()
    var state = State.gathering(Gathering(since: 0))
    var runIndex: RunIndex = 0
    /// The run that has ended, while its end is not recorded: until then nobody is told that the
    /// session is over, so that a coordinator that is lost and started again finds its members.
    var unrecordedRun: RunIndex?
    /// The end that was asked for, once there is a checkpoint.
    var stop: Stop?
    /// Workers that computed wrongly, and what they are told.
    var expelled: [Incarnation: StopReason] = [:]
    /// The workers of the current view.
    var workersByHost: [String: Int] = [:]

    enum State: Sendable {
        case gathering(Gathering)
        /// Servers make room for the run.
        case preparing(CoordinatorRun, since: Instant)
        case running(CoordinatorRun)
        /// A server was lost, and there is none to take its place.
        case bereft(CoordinatorRun, since: Instant)
        /// Waits for members to leave; then this is the coordinator's own end.
        case closing(Closing)
        /// For a moment, while the run in progress has no other owner.
        case changing
        case ended(StopReason)
    }

    /// The wait for members: it continues while something comes of it.
    struct Gathering: Sendable {
        var since: Instant
        /// Members, and the bytes of the data set that they hold, at their most.
        var progress: UInt64 = 0
        var progressAt: Instant

        init(since: Instant) {
            self.since = since
            progressAt = since
        }
    }

    struct Stop: Sendable {
        let reason: StopReason
        let since: Instant
        /// The checkpoint of before.
        let held: Step
    }

    struct Closing: Sendable {
        var since: Instant
        var reason: StopReason
        /// What members exit with.
        var farewell: StopReason
        var patienceMilliseconds: Int
    }

    package init(_ plan: SessionPlan) { self.plan = plan }

    package var end: StopReason? {
        if case .ended(let reason) = state { reason } else { nil }
    }

    var isClosing: Bool {
        switch state {
        case .gathering, .preparing, .running, .bereft: false
        case .closing, .changing, .ended: true
        }
    }

    /// The run that is being prepared or is in progress.
    var run: CoordinatorRun? {
        switch state {
        case .preparing(let run, _), .running(let run), .bereft(let run, _): run
        case .gathering, .closing, .changing, .ended: nil
        }
    }

    /// Whether a run waits for servers.
    var isBereft: Bool {
        if case .bereft = state { true } else { false }
    }

    /// Whether the first run was started.
    private var hasBegun: Bool {
        switch state {
        case .running, .bereft: true
        case .preparing(let run, _): runIndex > 0 || run.order.generation > 0
        case .gathering, .closing, .changing, .ended: runIndex > 0
        }
    }

    var hasEndedAllRuns: Bool { runIndex.index >= plan.runs.count }

    /// The members that have joined and not left.
    package var memberCount: Int { membership.workerCount + membership.serverCount }

    /// The ports are bound: the wait for members begins.
    package mutating func start(now: Instant, into actions: inout [CoordinatorAction]) {
        state = .gathering(Gathering(since: now))
    }

    /// Time passes: call it every ``Limits`` tick or so.
    package mutating func tick(now: Instant, into actions: inout [CoordinatorAction]) {
        if case .ended = state { return }
        if let text = drops.due(now: now) { actions.append(.notice(.dropped(text))) }
        let interval =
            isClosing
            ? Limits.unansweredIntervalMilliseconds : Limits.heartbeatIntervalMilliseconds
        for incarnation in membership.due(now: now, interval: interval) {
            assign(incarnation, now: now, into: &actions)
        }
        while let member = membership.expired(now: now) {
            let silence = seconds(now.milliseconds(since: member.lastHeard))
            remove(member, "has been silent for \(silence) s", now: now, into: &actions)
            if isClosing { actions.append(.notice(.withoutGoodbye(member.name))) }
        }
        watchGathering(now: now, into: &actions)
        replaceSilentServer(now: now, into: &actions)
        if run?.hasProbations == true { rebalance(now: now, into: &actions) }
        settleConflicts(now: now, into: &actions)
        advance(now: now, into: &actions)
    }

    // MARK: From others

    /// A decoded frame; its payload is in hand until the next call. The caller has checked the
    /// payload's length and checksum.
    ///
    /// - Parameter peer: where it came from; nil for a server's data port.
    package mutating func receive(
        _ message: CoordinatorInbound, from peer: PeerHandle?, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        if case .ended = state { return }
        let reason: DropReason?
        switch message {
        case .status(let number, let status):
            guard let peer else { return }
            reason = receive(
                status, number, from: peer, session: session, incarnation: incarnation, now: now,
                into: &actions)
        case .report(let address):
            reason =
                fence(session, incarnation)
                ?? receive(report: address, from: incarnation, now: now, into: &actions)
        case .traceEvents:
            reason = fence(session, incarnation)
            if reason == nil, let member = membership[incarnation] {
                actions.append(.keepTrace(member.name))
            }
        case .datasetRequest(let part):
            // Also of a command that measures the way here and is not a member.
            reason =
                session == plan.session ? send(part, to: peer, into: &actions) : .staleSession
        case .overviewRequest:
            reason = nil
            if let peer { actions.append(.sendOverview(peer, overview(now: now))) }
        case .scaleRequest(let workers):
            reason = nil
            if let peer { actions.append(.scale(peer, toWorkers: workers)) }
        case .snapshotRequest(let request):
            reason = fence(session, incarnation) ?? sendState(request, to: peer, into: &actions)
        case .snapshotPart(let part):
            reason =
                fence(session, incarnation)
                ?? receive(part, from: incarnation, now: now, into: &actions)
        }
        if let reason { drops.add(reason) }
    }

    /// Nil if the frame is of this session and of a member that has not been expelled.
    private func fence(_ session: SessionID, _ incarnation: Incarnation) -> DropReason? {
        if session != plan.session { return .staleSession }
        return membership[incarnation] == nil ? .staleIncarnation : nil
    }

    private func send(
        _ part: BytePart, to peer: PeerHandle?, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard let peer, part.offset <= plan.dataset.byteCount,
            UInt64(part.byteCount) <= plan.dataset.byteCount - part.offset
        else { return .outOfRange }
        actions.append(.sendDatasetPart(peer, part))
        return nil
    }

    private func sendState(
        _ request: SnapshotPart, to peer: PeerHandle?, into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        guard let peer, let run, request.address.run == run.order.run else { return .staleRun }
        guard request.address.generation == run.order.generation else { return .staleGeneration }
        guard request.address.step == run.order.firstStep,
            run.servers.indices.contains(request.address.shard.index)
        else { return .outOfRange }
        actions.append(.sendStatePart(peer, request, shardCount: run.servers.count))
        return nil
    }

    /// A frame that is not ours, or does not belong here. A process of another version is told so.
    package mutating func malformed(
        _ error: FrameError, from peer: PeerHandle?, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard drops.add(error, from: peer), let peer else { return }
        actions.append(.notice(.malformed(peer, error)))
        if case .unsupportedVersion = error { actions.append(.sendVersion(peer)) }
    }

    // MARK: From the engine

    package mutating func handle(
        _ event: CoordinatorEvent, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        switch event {
        case .recorded(let run, let step):
            withRun(run, now: now, into: &actions) { run, _ in run.recorded(step) }
        case .evaluated(let run, let step, let reachedTarget):
            withRun(run, now: now, into: &actions) { run, _ in
                run.evaluated(step, reachedTarget: reachedTarget, now: now)
            }
        case .ended(let run):
            if run == unrecordedRun { unrecordedRun = nil }
            advance(now: now, into: &actions)
        case .lost(let processID, let host, let cause, let failure):
            // A server that it hosted comes first: no new view is made for a generation that ends.
            let members = membership.members.filter {
                $0.name.processID == processID && $0.name.host == host
            }.sorted { $0.name.role == .server && $1.name.role == .worker }
            for member in members { remove(member, cause, now: now, into: &actions) }
            if let failure, !hasEndedAllRuns, !hasBegun || membership.workerCount == 0 {
                endSession(.failed, failure, now: now, into: &actions)
            }
            if !members.isEmpty { advance(now: now, into: &actions) }
        case .failed(let reason): endSession(.failed, reason, now: now, into: &actions)
        case .checkpointAsked:
            guard case .running(var run) = state else { return }
            run.wantCheckpointNow()
            state = .running(run)
            advance(now: now, into: &actions)
        }
    }

    /// Changes the run in progress or waits for servers, and then does what has become
    /// possible.
    mutating func withRun(
        _ index: RunIndex, now: Instant, into actions: inout [CoordinatorAction],
        _ change: (inout CoordinatorRun, inout [CoordinatorAction]) -> Void
    ) {
        guard run?.order.run == index else { return }
        // The run has one owner while it changes: no copies of its arrays.
        switch state {
        case .running:
            guard var run = takeRun() else { return }
            change(&run, &actions)
            state = .running(consume run)
        case .preparing(var run, let since):
            state = .changing
            change(&run, &actions)
            state = .preparing(run, since: since)
        case .bereft(var run, let since):
            state = .changing
            change(&run, &actions)
            state = .bereft(run, since: since)
        case .gathering, .closing, .changing, .ended: return
        }
        advance(now: now, into: &actions)
    }

    /// The run in progress, to be put back. It is moved, not copied: its arrays keep one
    /// owner and are changed in place.
    mutating func takeRun() -> CoordinatorRun? {
        guard case .running = state else { return nil }
        var taken = State.changing
        swap(&taken, &state)
        guard case .running(let run) = consume taken else { return nil }
        return run
    }

    /// The person or the system ends the session; members leave with success. A session that is
    /// ending already does not wait for silent members any longer.
    package mutating func interrupt(
        _ reason: StopReason, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        if case .closing(var closing) = state {
            closing.patienceMilliseconds = Limits.interruptedFarewellMilliseconds
            state = .closing(closing)
        }
        if case .running(var run) = state, plan.checkpointMilliseconds > 0, stop == nil {
            // A checkpoint first, so that nothing is lost; a second time it is not waited for.
            stop = Stop(reason: reason, since: now, held: run.checkpoints.held)
            run.wantCheckpointNow()
            state = .running(run)
            return advance(now: now, into: &actions)
        }
        endSession(.interrupted, reason, now: now, into: &actions)
    }
}
