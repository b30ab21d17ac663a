package import TrainingPlan

/// The coordinator's decisions: who is in, when a run starts, how it ends, and when all may go.
///
/// Events come as calls, in the order in which they happen, from one thread; each appends what is to
/// be done to `actions`, which the caller does in order and empties. The steady step allocates
/// nothing: `receive(stepCommitted)` → `keepReport` from each shard, and `recordStep` after the last.
///
/// Membership is fixed during a run: a member of the run that is lost or leaves ends the session.
/// Whoever joins meanwhile is told so and takes part from the next run on.
package struct CoordinatorMachine: Sendable {
    package let plan: SessionPlan
    package private(set) var drops = DropCounts()
    package private(set) var malformedFrames = MalformedFrames()
    var membership = Membership()
    var phase = Phase.gathering(since: 0)
    var run: RunProgress?
    var runIndex: RunIndex = 0
    private var lastHeartbeat: Instant = 0

    enum Phase: Hashable, Sendable {
        case gathering(since: Instant)
        /// Servers make room for the run.
        case preparing
        case running
        /// Waiting for goodbyes; then this is the coordinator's own end.
        case closing(since: Instant, StopReason)
        case ended
    }

    package init(_ plan: SessionPlan) { self.plan = plan }

    package var progress: Heartbeat {
        switch phase {
        case .gathering: Heartbeat(.gathering)
        case .preparing: Heartbeat(.preparing, run: runIndex)
        case .running: Heartbeat(.running, run: runIndex, step: run?.step)
        case .closing, .ended: Heartbeat(.ending)
        }
    }

    var isClosing: Bool {
        switch phase {
        case .gathering, .preparing, .running: false
        case .closing, .ended: true
        }
    }

    /// The sockets are bound: the wait for members begins.
    package mutating func start(now: Instant) { phase = .gathering(since: now) }

    /// Time passes: call it every 100 ms or so.
    package mutating func tick(now: Instant, into actions: inout [CoordinatorAction]) {
        if phase == .ended { return }
        if case .closing(let since, let reason) = phase {
            tickClosing(since: since, reason, now: now, into: &actions)
            return
        }
        if now.milliseconds(since: lastHeartbeat) >= Limits.heartbeatIntervalMilliseconds {
            lastHeartbeat = now
            for member in membership.members {
                actions.append(.send(member.peer, .heartbeat(progress)))
            }
        }
        membership.dueOrders(
            now: now, interval: Limits.orderRetryMilliseconds, into: &actions)
        while !isClosing, let member = membership.expired(now: now) {
            let silence = seconds(now.milliseconds(since: member.lastHeard))
            remove(member, "has been silent for \(silence) s", now: now, into: &actions)
        }
        if let run, phase == .running, run.isStalled(now: now) {
            endSession(.failed, stalled(run), now: now, into: &actions)
        }
        advance(now: now, into: &actions)
    }

    // MARK: From members

    /// A message of the control plane, with session and sender of its header.
    package mutating func receive(
        _ message: ControlMessage, from peer: PeerHandle, session: SessionID,
        incarnation: Incarnation, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        if phase == .ended { return }
        if case .hello(let hello) = message {
            join(hello, from: peer, now: now, into: &actions)
            return
        }
        if let reason = fence(session, incarnation, from: peer, now: now) {
            drops.add(reason)
            if case .goodbye = message { return }
            actions.append(.send(peer, .refused(expelled)))
            return
        }
        switch message {
        case .workerReady: ready(incarnation, now: now, into: &actions)
        case .runPrepared(let index): prepared(index, incarnation, now: now, into: &actions)
        case .viewAcknowledged(let index, _):
            if phase == .running, index == runIndex {
                membership.setOrder(incarnation, nil, now: now)
            }
        case .heartbeat(let progress): membership.setProgress(incarnation, progress)
        case .diverged(let report): diverged(report, incarnation, now: now, into: &actions)
        case .goodbye(let reason): leave(incarnation, reason, now: now, into: &actions)
        case .failed(let reason): fail(incarnation, reason, now: now, into: &actions)
        case .hello, .welcome, .refused, .prepareRun, .startRun, .snapshotRequest, .endRun,
            .sessionEnded:
            drops.add(.wrongType)
        }
    }

    /// A decoded frame with a raw payload, which is in hand until the next call: `stepCommitted` or
    /// `snapshot` from a server, `datasetRequest` from a worker.
    ///
    /// The caller has checked the payload's length and checksum.
    package mutating func receive(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        if let reason = judge(header, from: peer, now: now, into: &actions) {
            drops.add(reason)
            actions.append(.drop(reason))
        }
    }

    private mutating func judge(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [CoordinatorAction]
    ) -> DropReason? {
        if let reason = fence(header.session, header.incarnation, from: peer, now: now) {
            return reason
        }
        switch header.type {
        case .datasetRequest:
            let chunk = header.datasetChunk
            guard chunk.byteCount <= Limits.datasetChunkByteCount,
                chunk.offset <= plan.dataset.byteCount,
                UInt64(chunk.byteCount) <= plan.dataset.byteCount - chunk.offset
            else { return .outOfRange }
            actions.append(.sendChunk(peer, chunk))
            return nil
        case .stepCommitted: return committed(header, now: now, into: &actions)
        case .snapshot: return snapshot(header, now: now, into: &actions)
        case .attach, .push, .weights, .weightsRequest, .datasetChunk, .hello, .welcome, .refused,
            .workerReady, .prepareRun, .runPrepared, .startRun, .viewAcknowledged,
            .snapshotRequest, .diverged, .heartbeat, .endRun, .sessionEnded, .goodbye, .failed:
            return .wrongType
        }
    }

    /// Bytes that are no frame of ours. A process of another release is told so.
    package mutating func malformed(
        _ error: FrameError, from peer: PeerHandle, into actions: inout [CoordinatorAction]
    ) {
        let isFirst = malformedFrames.isFirst(from: peer)
        if isFirst { actions.append(.notice(.malformed(peer, error))) }
        if isFirst, case .unsupportedVersion = error {
            actions.append(.send(peer, .refused(StopReason(.mismatch, "\(error)"))))
        }
    }

    /// The runtime knows that a process is gone, e.g. a child of its own that has exited.
    package mutating func lost(
        processID: Int32, host: String, cause: String, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        let member = membership.members.first {
            $0.name.processID == processID && $0.name.host == host
        }
        guard let member else { return }
        remove(member, cause, now: now, into: &actions)
        advance(now: now, into: &actions)
    }

    // MARK: From the runtime

    /// The weights of `step` have been evaluated.
    package mutating func evaluated(
        _ index: RunIndex, _ step: Step, reachedTarget: Bool, now: Instant,
        into actions: inout [CoordinatorAction]
    ) {
        guard phase == .running, index == runIndex else { return }
        run?.evaluated(step, reachedTarget: reachedTarget, now: now)
        advance(now: now, into: &actions)
    }

    /// The person or the system ends the session; members leave with success.
    package mutating func interrupt(
        _ reason: StopReason, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        endSession(.interrupted, reason, now: now, into: &actions)
    }

    /// The coordinator cannot go on, e.g. cannot write its log.
    package mutating func failed(
        _ reason: StopReason, now: Instant, into actions: inout [CoordinatorAction]
    ) {
        endSession(.failed, reason, now: now, into: &actions)
    }

    /// Nil if the frame is of this session and of a member that has not been expelled.
    private mutating func fence(
        _ session: SessionID, _ incarnation: Incarnation, from peer: PeerHandle, now: Instant
    ) -> DropReason? {
        if session != plan.session { return .staleSession }
        return membership.hears(incarnation, from: peer, now: now) ? nil : .staleIncarnation
    }

    private var expelled: StopReason {
        StopReason(
            .lostPeer,
            "the coordinator knows this process no longer: it was silent for too long, or the "
                + "coordinator was started again; start this one again too")
    }
}
