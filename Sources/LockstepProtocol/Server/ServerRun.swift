import TrainingPlan

/// One shard of one run: judges what comes, and decides when a step is complete.
struct ServerRun: Sendable {
    let order: PrepareRun
    let schedule: RunSchedule
    private(set) var coverage: NodeCoverage
    /// The step that is being gathered or applied; at the run's end, the end step.
    private(set) var step: Step = 0
    private(set) var isApplying = false
    /// Diverged or failed: nothing more is committed.
    private(set) var isStopped = false
    /// By ordinal.
    private let workers: [Incarnation]
    private var links: [WorkerLink]

    private struct WorkerLink {
        var peer: PeerHandle?
        var answered: (step: Step, at: Instant)?
    }

    init(_ order: PrepareRun, trainingExampleCount: Int) {
        self.order = order
        schedule = RunSchedule(order.configuration, trainingExampleCount: trainingExampleCount)
        let leafCounts = schedule.leafCounts
        coverage = NodeCoverage(maximumLeafCount: max(leafCounts.full, leafCounts.last))
        coverage.begin(leafCount: schedule.leafCount(of: 0))
        workers = order.workers.map(\.incarnation)
        links = Array(repeating: WorkerLink(), count: workers.count)
    }

    var isFinished: Bool { step == schedule.endStep }

    /// A worker has come on a new connection, with the weights of `header.step`.
    mutating func attach(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [ServerAction]
    ) -> DropReason? {
        guard let ordinal = workers.firstIndex(of: header.incarnation) else {
            return .staleIncarnation
        }
        links[ordinal] = WorkerLink(peer: peer)
        if header.step < step { answer(ordinal, peer, now: now, into: &actions) }
        return nil
    }

    mutating func weightsRequest(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [ServerAction]
    ) -> DropReason? {
        guard let ordinal = workers.firstIndex(of: header.incarnation) else {
            return .staleIncarnation
        }
        guard header.step < step else { return .upToDate }
        answer(ordinal, peer, now: now, into: &actions)
        return nil
    }

    mutating func push(
        _ header: FrameHeader, from peer: PeerHandle, now: Instant,
        into actions: inout [ServerAction]
    ) -> DropReason? {
        guard let ordinal = workers.firstIndex(of: header.incarnation) else {
            return .staleIncarnation
        }
        if header.step < step {
            answer(ordinal, peer, now: now, into: &actions)
            return .olderStep
        }
        if header.step > step { return .futureStep }
        if isStopped || isFinished { return .runStopped }
        switch coverage.judge(
            header.node, checksum: header.payloadChecksum, from: header.incarnation)
        {
        case .kept(let slot):
            actions.append(.keep(slot: slot))
            if coverage.isComplete {
                isApplying = true
                actions.append(.apply(step))
            }
            return nil
        case .covered: return .covered
        case .notANode: return .notANode
        case .conflict(let other):
            isStopped = true
            actions.append(
                .send(.failed(conflict(over: header, between: other, and: header.incarnation))))
            return .conflict
        }
    }

    /// The engine holds the weights of the next step: workers first, they are waiting.
    mutating func applied(_ appliedStep: Step, into actions: inout [ServerAction]) {
        guard isApplying, appliedStep == step, !isStopped else { return }
        isApplying = false
        step = step.next
        for link in links {
            if let peer = link.peer { actions.append(.sendWeights(to: peer, step: step)) }
        }
        actions.append(.reportCommitted(appliedStep))
        if schedule.evaluationFollows(appliedStep) { actions.append(.sendSnapshot(step)) }
        if !isFinished { coverage.begin(leafCount: schedule.leafCount(of: step)) }
    }

    mutating func diverged(
        _ divergedStep: Step, _ finding: DivergenceFinding, into actions: inout [ServerAction]
    ) {
        guard isApplying, divergedStep == step, !isStopped else { return }
        isApplying = false
        isStopped = true
        actions.append(
            .send(
                .diverged(
                    Diverged(
                        run: order.run, step: step, shard: order.shard, finding: finding))))
    }

    /// The engine keeps the weights of this step and of the one before, unless it is writing.
    func keepsWeights(of wanted: Step) -> Bool {
        wanted == step || (wanted.next == step && !isApplying)
    }

    /// A connection is gone: nothing is sent there until its worker attaches again.
    mutating func forget(_ peer: PeerHandle) {
        for ordinal in links.indices where links[ordinal].peer == peer {
            links[ordinal].peer = nil
        }
    }

    var activity: Heartbeat {
        let activity: Heartbeat.Activity =
            isStopped || isFinished ? .ending : isApplying ? .updating : .waitingForPushes
        return Heartbeat(activity, run: order.run, step: step)
    }

    /// Sends the newest weights to whoever is behind, once for a handful of pushes.
    private mutating func answer(
        _ ordinal: Int, _ peer: PeerHandle, now: Instant, into actions: inout [ServerAction]
    ) {
        if let answered = links[ordinal].answered, answered.step == step,
            now.milliseconds(since: answered.at) < Limits.weightsAnswerIntervalMilliseconds
        {
            return
        }
        links[ordinal].answered = (step, now)
        actions.append(.sendWeights(to: peer, step: step))
    }

    private func conflict(
        over header: FrameHeader, between first: Incarnation, and second: Incarnation
    ) -> StopReason {
        func name(_ incarnation: Incarnation) -> String {
            order.workers.first { $0.incarnation == incarnation }?.description
                ?? "worker \(incarnation)"
        }
        return StopReason(
            .internalError,
            "\(name(first)) and \(name(second)) computed different sums for \(header.node) of "
                + "step \(header.step) in run \(header.run): one of these machines computes "
                + "wrongly; check memory and CPU of both, and train without it")
    }
}
