package import TrainingPlan

/// The parameter server's decisions: joins, owns one shard of run after run, and leaves.
///
/// Events come as calls, in the order in which they happen, from one thread; each appends what is to
/// be done to `actions`, which the caller does in order and empties. A call about a run that is over
/// does nothing. The steady step allocates nothing.
///
/// A steady step: `receive(push)` → `keep` for each node that is needed, and `apply` after the last;
/// `applied` → `sendWeights` to each worker, `reportCommitted`, and `sendSnapshot` where an
/// evaluation follows.
package struct ServerMachine: Sendable {
    package private(set) var link: CoordinatorLink
    package private(set) var drops = DropCounts()
    package private(set) var malformedFrames = MalformedFrames()
    private var dataset: DatasetDescription?
    private var run: ServerRun?
    private var isPrepared = false
    private var lastRun: RunIndex?

    package init(link: CoordinatorLink) { self.link = link }

    /// How to fold the slots of the step that is being applied, left to right.
    package var foldSchedule: [FoldInstruction] { run?.coverage.foldSchedule ?? [] }

    /// The schedule of the current run: the examples to divide by, and the step's leaves.
    package var schedule: RunSchedule? { run?.schedule }

    package var progress: Heartbeat {
        guard let run else { return Heartbeat(.waitingForRun) }
        return isPrepared ? run.activity : Heartbeat(.preparing, run: run.order.run)
    }

    package mutating func start(now: Instant, into actions: inout [ServerAction]) {
        actions.append(.send(.hello(link.open(now: now))))
    }

    /// Time passes: call it every 100 ms or so.
    package mutating func tick(now: Instant, into actions: inout [ServerAction]) {
        switch link.tick(now: now, progress: progress) {
        case .hello(let hello): actions.append(.send(.hello(hello)))
        case .heartbeat: actions.append(.send(.heartbeat(progress)))
        case .stop(let reason): stop(reason, into: &actions)
        case nil: break
        }
    }

    // MARK: From the coordinator

    /// A message of the control plane, with the session of its header.
    package mutating func receive(
        _ message: ControlMessage, session: SessionID, now: Instant,
        into actions: inout [ServerAction]
    ) {
        switch message {
        case .welcome(let welcome):
            if link.join(welcome, now: now) { dataset = welcome.dataset }
            return
        case .refused(let reason):
            if !link.isClosed { stop(reason, into: &actions) }
            return
        case .hello, .workerReady, .prepareRun, .runPrepared, .startRun, .viewAcknowledged,
            .snapshotRequest, .diverged, .heartbeat, .endRun, .sessionEnded, .goodbye, .failed:
            break
        }
        guard link.hears(session: session, now: now) else { return }
        switch message {
        case .prepareRun(let order): prepare(order, into: &actions)
        case .snapshotRequest(let run, let step): snapshot(run, step, into: &actions)
        case .endRun(let run): endRun(run, into: &actions)
        case .sessionEnded(let end):
            actions.append(.send(.goodbye(end.reason)))
            stop(end.reason, into: &actions)
        case .heartbeat, .hello, .welcome, .refused, .workerReady, .runPrepared, .startRun,
            .viewAcknowledged, .diverged, .goodbye, .failed:
            break
        }
    }

    /// A frame of another release from the coordinator.
    package mutating func otherVersion(_ version: UInt16, into actions: inout [ServerAction]) {
        if !link.isJoined, !link.isClosed { stop(link.otherVersion(version), into: &actions) }
    }

    private mutating func prepare(_ order: PrepareRun, into actions: inout [ServerAction]) {
        if let lastRun, order.run <= lastRun {
            if order.run == run?.order.run, isPrepared {
                actions.append(.send(.runPrepared(order.run)))
            }
            return
        }
        guard let dataset else { return }
        do throws(ConfigurationError) {
            try order.configuration.validate(trainingExampleCount: dataset.trainingExampleCount)
        } catch {
            actions.append(.send(.failed(StopReason(.mismatch, "run \(order.run): \(error)"))))
            return
        }
        if let ended = run?.order.run { actions.append(.endRun(ended)) }
        run = ServerRun(order, trainingExampleCount: dataset.trainingExampleCount)
        lastRun = order.run
        isPrepared = false
        actions.append(.prepare(order))
    }

    private mutating func snapshot(
        _ index: RunIndex, _ step: Step, into actions: inout [ServerAction]
    ) {
        guard let run, isPrepared, run.order.run == index else { return }
        if run.keepsWeights(of: step) {
            actions.append(.sendSnapshot(step))
        } else {
            actions.append(
                .send(
                    .failed(
                        StopReason(
                            .internalError,
                            "shard \(run.order.shard) is at step \(run.step) and was asked for "
                                + "the weights of step \(step), which it keeps no longer"))))
        }
    }

    private mutating func endRun(_ index: RunIndex, into actions: inout [ServerAction]) {
        guard run?.order.run == index else { return }
        run = nil
        isPrepared = false
        actions.append(.endRun(index))
    }

    // MARK: From the engine

    package mutating func prepared(_ index: RunIndex, into actions: inout [ServerAction]) {
        guard run?.order.run == index, !isPrepared else { return }
        isPrepared = true
        actions.append(.send(.runPrepared(index)))
    }

    /// The weights of `step.next` are there.
    package mutating func applied(
        _ index: RunIndex, _ step: Step, into actions: inout [ServerAction]
    ) {
        guard run?.order.run == index else { return }
        run?.applied(step, into: &actions)
    }

    /// The step made something that is not finite; the weights of `step` are still there.
    package mutating func diverged(
        _ index: RunIndex, _ step: Step, _ finding: DivergenceFinding,
        into actions: inout [ServerAction]
    ) {
        guard run?.order.run == index else { return }
        run?.diverged(step, finding, into: &actions)
    }

    /// The engine cannot go on.
    package mutating func failed(_ reason: StopReason, into actions: inout [ServerAction]) {
        actions.append(.send(.failed(reason)))
    }

    // MARK: From workers

    /// A decoded frame of the data plane; its payload is in hand until the next call.
    ///
    /// The caller has checked the payload's checksum, and that a push holds what its bits say.
    package mutating func receive(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [ServerAction]
    ) {
        if let reason = judge(header, from: peer, now: now, into: &actions) {
            drops.add(reason)
            actions.append(.drop(reason))
        }
    }

    private mutating func judge(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [ServerAction]
    ) -> DropReason? {
        guard isPrepared, run != nil else { return .noRun }
        if header.session != link.session { return .staleSession }
        if header.run != run?.order.run { return .staleRun }
        if header.shard != run?.order.shard { return .wrongShard }
        switch header.type {
        case .push: return run?.push(header, from: peer, now: now, into: &actions)
        case .attach: return run?.attach(header, from: peer, now: now, into: &actions)
        case .weightsRequest:
            return run?.weightsRequest(header, from: peer, now: now, into: &actions)
        case .weights, .datasetRequest, .datasetChunk, .stepCommitted, .snapshot, .hello,
            .welcome, .refused, .workerReady, .prepareRun, .runPrepared, .startRun,
            .viewAcknowledged, .snapshotRequest, .diverged, .heartbeat, .endRun, .sessionEnded,
            .goodbye, .failed:
            return .wrongType
        }
    }

    /// A connection is gone (`EHOSTUNREACH`).
    package mutating func unreachable(_ peer: PeerHandle) { run?.forget(peer) }

    /// Bytes that are no frame of ours.
    package mutating func malformed(
        _ error: FrameError, from peer: PeerHandle, into actions: inout [ServerAction]
    ) {
        if malformedFrames.isFirst(from: peer) { actions.append(.logMalformed(peer, error)) }
    }

    /// The person or the system asks it to leave.
    package mutating func interrupt(_ reason: StopReason, into actions: inout [ServerAction]) {
        guard !link.isClosed else { return }
        if link.isJoined { actions.append(.send(.goodbye(reason))) }
        stop(reason, into: &actions)
    }

    private mutating func stop(_ reason: StopReason, into actions: inout [ServerAction]) {
        link.close()
        actions.append(.exit(reason))
    }
}
