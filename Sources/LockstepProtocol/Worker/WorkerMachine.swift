package import TrainingPlan

/// The worker's decisions: joins, gets the data set, trains run after run, and leaves.
///
/// Events come as calls, in the order in which they happen, from one thread; each appends what is to
/// be done to `actions`, which the caller does in order and empties. A call about a run that is over
/// does nothing. The steady step allocates nothing.
///
/// A steady step: `nodeComputed` → `push` to each server; `receive(weights)` → `keepWeights`, and
/// after the last shard's `adopt` and `compute`.
package struct WorkerMachine: Sendable {
    package private(set) var link: CoordinatorLink
    package private(set) var drops = DropCounts()
    private var dataset: DatasetDescription?
    private var data = DataState.unknown
    private var run: WorkerRun?
    private var lastRun: RunIndex?

    private enum DataState {
        case unknown, looking
        case fetching(DatasetDownload)
        case verifying, ready
    }

    package init(link: CoordinatorLink) { self.link = link }

    /// The schedule of the current run: the examples of its steps and leaves.
    package var schedule: RunSchedule? { run?.schedule }

    /// The nodes that this worker computes and pushes in a step of the current run, ascending.
    package func nodes(of step: Step) -> [LeafRange] { run?.nodes(of: step) ?? [] }

    package var progress: Heartbeat {
        if let run { return run.activity }
        return switch data {
        case .unknown, .looking, .fetching, .verifying: Heartbeat(.fetchingDataset)
        case .ready: Heartbeat(.waitingForRun)
        }
    }

    package mutating func start(now: Instant, into actions: inout [WorkerAction]) {
        actions.append(.send(.hello(link.open(now: now))))
    }

    /// Time passes: call it every 100 ms or so.
    package mutating func tick(now: Instant, into actions: inout [WorkerAction]) {
        switch link.tick(now: now, progress: progress) {
        case .hello(let hello): actions.append(.send(.hello(hello)))
        case .heartbeat: actions.append(.send(.heartbeat(progress)))
        case .stop(let reason): stop(reason, into: &actions)
        case nil: break
        }
        guard link.isJoined else { return }
        if case .fetching(let download) = data {
            continueDownload(download, now: now, into: &actions)
        }
        run?.tick(now: now, into: &actions)
    }

    // MARK: From the coordinator

    /// A message of the control plane, with the session of its header.
    package mutating func receive(
        _ message: ControlMessage, session: SessionID, now: Instant,
        into actions: inout [WorkerAction]
    ) {
        switch message {
        case .welcome(let welcome):
            join(welcome, now: now, into: &actions)
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
        case .startRun(let order): startRun(order, into: &actions)
        case .endRun(let index): endRun(index, into: &actions)
        case .sessionEnded(let end):
            actions.append(.send(.goodbye(end.reason)))
            stop(end.reason, into: &actions)
        case .heartbeat, .hello, .welcome, .refused, .workerReady, .prepareRun, .runPrepared,
            .viewAcknowledged, .snapshotRequest, .diverged, .goodbye, .failed:
            break
        }
    }

    /// A frame of another release from the coordinator.
    package mutating func otherVersion(_ version: UInt16, into actions: inout [WorkerAction]) {
        if !link.isJoined, !link.isClosed { stop(link.otherVersion(version), into: &actions) }
    }

    private mutating func join(
        _ welcome: Welcome, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard link.join(welcome, now: now) else { return }
        dataset = welcome.dataset
        data = .looking
        actions.append(.findDataset(welcome.dataset))
    }

    private mutating func startRun(_ order: StartRun, into actions: inout [WorkerAction]) {
        guard case .ready = data, let dataset else { return }
        if let lastRun, order.run <= lastRun {
            if order.run == run?.order.run {
                actions.append(.send(.viewAcknowledged(order.run, order.view.number)))
            }
            return
        }
        do throws(ConfigurationError) {
            try order.configuration.validate(trainingExampleCount: dataset.trainingExampleCount)
        } catch {
            actions.append(.send(.failed(StopReason(.mismatch, "run \(order.run): \(error)"))))
            return
        }
        guard
            let newRun = WorkerRun(
                order, incarnation: link.incarnation,
                trainingExampleCount: dataset.trainingExampleCount)
        else { return }
        if let ended = run?.order.run { actions.append(.endRun(ended)) }
        run = newRun
        lastRun = order.run
        actions.append(.send(.viewAcknowledged(order.run, order.view.number)))
        actions.append(.beginRun(order))
    }

    private mutating func endRun(_ index: RunIndex, into actions: inout [WorkerAction]) {
        guard run?.order.run == index else { return }
        run = nil
        actions.append(.endRun(index))
    }

    // MARK: The data set

    package mutating func datasetFound(into actions: inout [WorkerAction]) {
        guard case .looking = data else { return }
        data = .ready
        actions.append(.send(.workerReady))
    }

    package mutating func datasetMissing(now: Instant, into actions: inout [WorkerAction]) {
        guard case .looking = data, let dataset else { return }
        continueDownload(
            DatasetDownload(byteCount: dataset.byteCount, now: now), now: now, into: &actions)
    }

    /// The data set that came from the coordinator has been hashed, and stored if it matches.
    package mutating func datasetVerified(matches: Bool, into actions: inout [WorkerAction]) {
        guard case .verifying = data, let dataset else { return }
        guard matches else {
            leave(
                StopReason(
                    .mismatch,
                    "the data set \(dataset.name) from \(link.coordinatorAddress) does not have "
                        + "the hash \(dataset.sha256) that was announced: start the worker again, "
                        + "and check the coordinator's data"), into: &actions)
            return
        }
        data = .ready
        actions.append(.send(.workerReady))
    }

    private mutating func receiveChunk(
        _ header: FrameHeader, now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        guard link.hears(session: header.session, now: now) else { return .staleSession }
        guard case .fetching(var download) = data else { return .upToDate }
        let chunk = header.datasetChunk
        guard header.payloadByteCount == UInt64(chunk.byteCount),
            download.receive(chunk, now: now)
        else { return .upToDate }
        actions.append(.storeChunk(chunk))
        continueDownload(download, now: now, into: &actions)
        return nil
    }

    private mutating func continueDownload(
        _ current: DatasetDownload, now: Instant, into actions: inout [WorkerAction]
    ) {
        var download = current
        while let chunk = download.overdueRequest(now: now) {
            actions.append(.requestChunk(chunk))
        }
        while let chunk = download.nextRequest(now: now) {
            actions.append(.requestChunk(chunk))
        }
        if download.isStalled(now: now) {
            leave(
                StopReason(
                    .lostPeer,
                    "no part of the data set has come from \(link.coordinatorAddress) for "
                        + "\(seconds(Limits.datasetStallMilliseconds)) s: check the network, and "
                        + "start the worker again"), into: &actions)
        } else if download.isComplete {
            data = .verifying
            actions.append(.verifyDataset)
        } else {
            data = .fetching(download)
        }
    }

    // MARK: From the engine

    package mutating func runBegun(
        _ index: RunIndex, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard run?.order.run == index else { return }
        run?.begin(now: now, into: &actions)
    }

    package mutating func nodeComputed(
        _ index: RunIndex, _ step: Step, _ node: LeafRange, now: Instant,
        into actions: inout [WorkerAction]
    ) {
        guard run?.order.run == index else { return }
        run?.nodeComputed(node, step, now: now, into: &actions)
    }

    /// The engine cannot go on, or the data cannot be stored.
    package mutating func failed(_ reason: StopReason, into actions: inout [WorkerAction]) {
        guard !link.isClosed else { return }
        if link.isJoined { actions.append(.send(.failed(reason))) }
        stop(reason, into: &actions)
    }

    // MARK: From servers

    /// A decoded frame with a raw payload, which is in hand until the next call: `weights` from a
    /// server, or `datasetChunk` from the coordinator.
    ///
    /// The caller has checked the payload's length and checksum.
    package mutating func receive(
        _ header: FrameHeader, now: Instant, into actions: inout [WorkerAction]
    ) {
        if let reason = judge(header, now: now, into: &actions) {
            drops.add(reason)
            actions.append(.drop(reason))
        }
    }

    private mutating func judge(
        _ header: FrameHeader, now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        switch header.type {
        case .weights:
            guard let index = run?.order.run, run?.hasBegun == true else { return .noRun }
            if header.session != link.session { return .staleSession }
            if header.run != index { return .staleRun }
            return run?.weights(header, now: now, into: &actions)
        case .datasetChunk: return receiveChunk(header, now: now, into: &actions)
        case .attach, .push, .weightsRequest, .datasetRequest, .stepCommitted, .snapshot, .hello,
            .welcome, .refused, .workerReady, .prepareRun, .runPrepared, .startRun,
            .viewAcknowledged, .snapshotRequest, .diverged, .heartbeat, .endRun, .sessionEnded,
            .goodbye, .failed:
            return .wrongType
        }
    }

    /// The person or the system asks it to leave.
    package mutating func interrupt(_ reason: StopReason, into actions: inout [WorkerAction]) {
        guard !link.isClosed else { return }
        leave(reason, into: &actions)
    }

    private mutating func leave(_ reason: StopReason, into actions: inout [WorkerAction]) {
        if link.isJoined { actions.append(.send(.goodbye(reason))) }
        stop(reason, into: &actions)
    }

    private mutating func stop(_ reason: StopReason, into actions: inout [WorkerAction]) {
        link.close()
        actions.append(.exit(reason))
    }
}
