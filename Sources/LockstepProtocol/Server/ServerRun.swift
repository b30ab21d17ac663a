import TrainingPlan

/// One shard of one run: judges what comes, and decides when a step is complete.
struct ServerRun: Sendable {
    private(set) var duty: ShardDuty
    let schedule: RunSchedule
    var coverage: NodeCoverage
    /// The step that is being gathered or applied; at the run's end, the end step.
    private(set) var step: Step
    var halt: Halt?
    private(set) var isApplying = false
    private var reports: ReportOutbox
    /// Steps whose weights are kept for the coordinator, ascending.
    private(set) var snapshots: [Step] = []
    /// The step whose whole state is kept, or will be.
    private(set) var checkpoint: Step?
    private var ties: [WorkerTie]
    /// Where in `ties` a worker is.
    private(set) var places: [Incarnation: Int]
    private var repeatPatience: Int
    /// How long steps take to gather.
    var gathering = RepeatTimer(
        first: Limits.firstLatenessMilliseconds,
        bounds: Limits.shortestLatenessMilliseconds...Limits.longestLatenessMilliseconds)
    var gatheringSince: Instant
    /// When the newest node was kept or confirmed.
    var keptAt: Instant
    /// How long nodes of this step wait for their confirmation, before all that are not confirmed
    /// come again.
    var confirmationPatience = 0
    var lateness: Lateness?

    /// Where a worker was last heard, and what was sent there.
    private struct WorkerTie {
        var peer: PeerHandle?
        /// The newest step that the worker has spoken of.
        var step: Step = 0
        /// Weights that were sent to that peer.
        var sent: Step?
        var sentAt: Instant = 0
    }

    init(_ duty: ShardDuty, _ schedule: RunSchedule, reportByteCount: Int, now: Instant) {
        self.duty = duty
        self.schedule = schedule
        step = duty.order.firstStep
        let leafCounts = schedule.leafCounts
        coverage = NodeCoverage(maximumLeafCount: max(leafCounts.full, leafCounts.last))
        coverage.begin(leafCount: schedule.leafCount(of: step))
        reports = ReportOutbox(from: step, reportByteCount: reportByteCount, now: now)
        gatheringSince = now
        keptAt = now
        ties = []
        places = [:]
        repeatPatience = 0
        admit(duty.workers)
    }

    /// Whose pushes count from now on; those who stay are reached where they were.
    private mutating func admit(_ workers: [Incarnation]) {
        let before = (ties: ties, places: places)
        ties = workers.map { worker in before.places[worker].map { before.ties[$0] } ?? WorkerTie()
        }
        places = Dictionary(zip(workers, workers.indices), uniquingKeysWith: { first, _ in first })
        let byteCount = duty.order.configuration.layout.parameterCount * 4 / duty.shardCount
        repeatPatience =
            Limits.repeatedWeightsMilliseconds
            + Limits.slowLinkMilliseconds(byteCount: byteCount * workers.count)
    }

    var place: RunPlace {
        RunPlace(run: duty.order.run, generation: duty.order.generation)
    }

    var isFinished: Bool { step == schedule.endStep }

    var progress: ServerProgress {
        let activity: ServerProgress.Activity =
            isFinished
            ? .finished
            : isApplying
                ? .updating : isSettled ? .waitingForCoordinator : .waitingForPushes
        return ServerProgress(
            step: step, activity: activity, halt: halt, lateness: lateness,
            checkpoint: checkpoint)
    }

    var isAudited: Bool { duty.audits.covers(step) }

    /// Whether all that the step needs is there.
    var isSettled: Bool { isAudited ? coverage.isConfirmed : coverage.isComplete }

    private func address(_ step: Step) -> StepAddress {
        StepAddress(
            run: duty.order.run, generation: duty.order.generation, step: step, shard: duty.shard)
    }

    /// Nil for an address within this run and shard.
    func judge(_ address: StepAddress) -> DropReason? {
        if address.run != duty.order.run { return .staleRun }
        if address.generation != duty.order.generation { return .staleGeneration }
        return address.shard == duty.shard ? nil : .wrongShard
    }

    // MARK: From workers

    mutating func push(
        _ address: StepAddress, _ node: LeafRange, checksum: UInt64, from sender: Incarnation,
        _ peer: PeerHandle, now: Instant, into actions: inout [ServerAction]
    ) -> DropReason? {
        if let reason = judge(address) { return reason }
        let worker: Int
        switch hear(sender, at: address.step, from: peer) {
        case .worker(let place): worker = place
        case .drop(let reason): return reason
        }
        if address.step < step {
            answer(worker, now: now, into: &actions)
            return .olderStep
        }
        if case .conflict(let conflict) = halt {
            return vote(Conflict.Vote(worker: sender, checksum: checksum), on: node, in: conflict)
        }
        if halt != nil || isFinished { return .halted }
        // The sum is made: as for a step that is committed, nothing is compared any more.
        if isApplying { return .covered }
        switch coverage.judge(node, checksum: checksum, from: sender, isAudited: isAudited) {
        case .kept(let slot):
            actions.append(.keep(slot: slot))
            noteArrival(now: now, into: &actions)
            return nil
        case .confirmed:
            guard isAudited else { return .covered }
            noteArrival(now: now, into: &actions)
            return nil
        case .covered: return .covered
        case .notANode: return .notANode
        case .conflict(let slot):
            let votes = coverage.votes(slot: slot)
            halt = .conflict(
                Conflict(
                    node: node, votes: votes + [Conflict.Vote(worker: sender, checksum: checksum)]))
            actions.append(.compare(slot: slot))
            endConflictIfVoterIsGone(now: now, into: &actions)
            return .conflict
        }
    }

    private mutating func noteArrival(now: Instant, into actions: inout [ServerAction]) {
        keptAt = now
        if isSettled {
            noteGathered(now: now)
            applyIfComplete(into: &actions)
        } else if lateness != nil {
            // Whoever has brought this is not late any more.
            lateness?.leaves = coverage.missingLeaves(atMost: Limits.maximumLateRanges)
            let unconfirmed = unconfirmedNodes
            lateness?.unconfirmed = unconfirmed
        }
    }

    var unconfirmedNodes: [UnconfirmedNode] {
        isAudited ? coverage.unconfirmedNodes(atMost: Limits.maximumLateRanges) : []
    }

    mutating func inquiry(
        _ address: StepAddress, leaves: LeafRange, from sender: Incarnation, _ peer: PeerHandle,
        now: Instant, into actions: inout [ServerAction]
    ) -> DropReason? {
        if let reason = judge(address) { return reason }
        let worker: Int
        switch hear(sender, at: address.step, from: peer) {
        case .worker(let place): worker = place
        case .drop(let reason): return reason
        }
        if address.step < step, answer(worker, now: now, into: &actions) { return nil }
        guard leaves.leafCount <= coverage.maximumLeafCount else { return .notANode }
        let isCurrent = address.step == step && !isFinished
        // For another step everything is held, or nothing would be gained by a push.
        let isHeld =
            isCurrent
            ? coverage.coveredLeaves(of: leaves, from: isAudited ? sender : nil)
            : LeafBits(count: leaves.leafCount) { _ in true }
        actions.append(.sendHeld(to: peer, address, leaves, isHeld))
        return nil
    }

    mutating func weightsRequest(
        _ address: StepAddress, wanted: Step, from sender: Incarnation, _ peer: PeerHandle,
        now: Instant, into actions: inout [ServerAction]
    ) -> DropReason? {
        if let reason = judge(address) { return reason }
        switch hear(sender, at: address.step, from: peer) {
        case .worker(let worker):
            if wanted.next == step, wanted >= duty.order.firstStep {
                actions.append(.sendWeights(to: peer, self.address(wanted)))
            } else {
                answer(worker, now: now, into: &actions)
            }
            return nil
        case .drop(let reason): return reason
        }
    }

    private enum Hearing {
        /// The worker's place.
        case worker(Int)
        case drop(DropReason)
    }

    /// Answers go to where a worker was heard last. It is never ahead of a server and never goes
    /// back: what comes by another connection and is older than what it has said before was
    /// recorded and is played back.
    private mutating func hear(
        _ sender: Incarnation, at itsStep: Step, from peer: PeerHandle
    ) -> Hearing {
        guard let worker = places[sender] else { return .drop(.staleIncarnation) }
        if itsStep > step { return .drop(.futureStep) }
        if ties[worker].peer != peer {
            if itsStep < ties[worker].step { return .drop(.olderStep) }
            ties[worker] = WorkerTie(peer: peer)
        }
        ties[worker].step = max(ties[worker].step, itsStep)
        return .worker(worker)
    }

    /// Sends the newest weights to a worker that is behind, unless they are on their way.
    @discardableResult
    private mutating func answer(
        _ worker: Int, now: Instant, into actions: inout [ServerAction]
    ) -> Bool {
        let tie = ties[worker]
        if tie.sent == step, now.milliseconds(since: tie.sentAt) < repeatPatience { return false }
        send(to: worker, now: now, into: &actions)
        return true
    }

    private mutating func send(
        to worker: Int, now: Instant, into actions: inout [ServerAction]
    ) {
        guard let peer = ties[worker].peer else { return }
        ties[worker].sent = step
        ties[worker].sentAt = now
        actions.append(.sendWeights(to: peer, address(step)))
    }

    /// A connection is gone: nothing is sent there until its worker is heard again.
    mutating func forget(_ peer: PeerHandle) {
        for worker in ties.indices where ties[worker].peer == peer {
            ties[worker] = WorkerTie(step: ties[worker].step)
        }
    }

    // MARK: Steps

    /// The coordinator may have the weights from an earlier generation.
    private func isSnapshotWanted(after step: Step) -> Bool {
        schedule.evaluationFollows(step) && step.next > duty.receipts.snapshots
    }

    /// Applies a complete step, if its report and its snapshot will have room.
    mutating func applyIfComplete(into actions: inout [ServerAction]) {
        guard isSettled, !isApplying, halt == nil, reports.hasRoom,
            snapshots.count < Limits.maximumSnapshots || !isSnapshotWanted(after: step)
        else { return }
        isApplying = true
        actions.append(.apply(step))
    }

    /// The engine holds the weights of the next step: workers first, they are waiting.
    mutating func applied(
        _ appliedStep: Step, now: Instant, into actions: inout [ServerAction]
    ) {
        guard isApplying, appliedStep == step else { return }
        isApplying = false
        step = step.next
        for worker in ties.indices { send(to: worker, now: now, into: &actions) }
        let isUrgent = isFinished || step == checkpoint || isSnapshotWanted(after: appliedStep)
        send(reports.append(isUrgent: isUrgent, now: now), into: &actions)
        if step == checkpoint { actions.append(.keepState(step)) }
        if isSnapshotWanted(after: appliedStep) {
            snapshots.append(step)
            actions.append(.keepSnapshot(step))
        }
        coverage.begin(leafCount: isFinished ? 1 : schedule.leafCount(of: step))
        gatheringSince = now
        keptAt = now
        confirmationPatience = 0
    }

    private func send(_ reports: Range<Int>, into actions: inout [ServerAction]) {
        for step in reports { actions.append(.sendReport(address(Step(step)))) }
    }

    /// Time passes: what has waited for more to go with it goes alone.
    mutating func sendDueReports(now: Instant, into actions: inout [ServerAction]) {
        send(reports.takeDue(now: now), into: &actions)
    }

    mutating func diverged(_ divergedStep: Step, _ finding: DivergenceFinding) {
        guard isApplying, divergedStep == step else { return }
        isApplying = false
        halt = .diverged(finding)
    }

    // MARK: From the coordinator

    /// The newest duty of this run and generation.
    mutating func take(
        _ duty: ShardDuty, now: Instant, into actions: inout [ServerAction]
    ) {
        let hasNewWorkers = duty.workers != self.duty.workers
        if hasNewWorkers { admit(duty.workers) }
        self.duty = duty
        endConflictIfVoterIsGone(now: now, into: &actions)
        if hasNewWorkers, isAudited, !isApplying, halt == nil {
            // One that comes again confirms nothing that it has sent before.
            coverage.giveUpUnconfirmed { places[$0.sender] == nil }
        }
        promise(duty.checkpoint, into: &actions)
        let receipts = duty.receipts
        send(reports.acknowledge(receipts, now: now), into: &actions)
        while let first = snapshots.first, first <= receipts.snapshots {
            snapshots.removeFirst()
            actions.append(.forgetSnapshot(first))
        }
        applyIfComplete(into: &actions)
    }

    /// A checkpoint is wanted: its state can be kept if the step has not been passed yet.
    private mutating func promise(_ wanted: Step?, into actions: inout [ServerAction]) {
        guard wanted != checkpoint else { return }
        if checkpoint != nil { actions.append(.forgetState) }
        checkpoint = wanted.flatMap { $0 > step || ($0 == step && !isApplying) ? $0 : nil }
        if checkpoint == step { actions.append(.keepState(step)) }
    }
}
