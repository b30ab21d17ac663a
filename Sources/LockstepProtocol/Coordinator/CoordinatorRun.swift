import TrainingPlan

/// A run as the coordinator follows it: who takes part, what each shard has committed, what is
/// recorded and evaluated, which weights are on their way, and how it ends.
struct CoordinatorRun: Sendable {
    let order: RunOrder
    let schedule: RunSchedule
    let plan: ShardPlan
    /// By shard.
    let servers: [Incarnation]
    var view: View
    /// Workers that were late.
    var probations: [Incarnation: Probation] = [:]
    /// Since when there are too few workers to continue, if so.
    var waitingSince: Instant?
    /// Since when workers disagree and there is nobody else to ask, if so.
    var undecidedSince: Instant?
    /// By shard: the step whose report is wanted next.
    private(set) var reported: [Step]
    /// By shard: what it was told of its reports last.
    private var acknowledged: [Step]
    /// The next step that goes to the records.
    private var toRecord: Step
    private var recorded: Step
    private var pull: SnapshotPull?
    /// The newest weights that came whole; nil before any.
    private var lastSnapshot: Step?
    private var lastEvaluated: Step
    /// The newest evaluation that is in the records, or on its way there.
    private var lastPosted: Step
    private var divergence: (step: Step, finding: DivergenceFinding)?
    private var target: Step?
    var lastProgress: Instant
    private(set) var checkpoints: CheckpointPlan
    /// Where shards are to move, if they are.
    var move: Move?

    /// Shards that would lie elsewhere if the run began now.
    struct Move: Sendable {
        var since: Instant
        /// The checkpoint before the one that the move waits for, once it waits for one.
        var held: Step?
    }

    /// A worker that was late gets leaves again once it is heard with the weights of that step, and
    /// not at once.
    struct Probation {
        var step: Step
        var since: Instant
        var until: Instant
        var lengthMilliseconds: Int
    }

    init(
        _ order: RunOrder, _ plan: ShardPlan, trainingExampleCount: Int, servers: [Incarnation],
        workers: [Incarnation], spansHosts: Bool, now: Instant
    ) {
        self.order = order
        self.plan = plan
        schedule = RunSchedule(order.configuration, trainingExampleCount: trainingExampleCount)
        self.servers = servers
        view = View(
            0, workers: workers, leafCounts: schedule.leafCounts,
            nodeCost: schedule.nodeCost(spansHosts: spansHosts), now: now)
        checkpoints = CheckpointPlan(held: order.firstStep, shardCount: servers.count, now: now)
        let first = order.firstStep
        reported = Array(repeating: first, count: servers.count)
        acknowledged = reported
        toRecord = first
        recorded = first
        lastEvaluated = first
        lastPosted = first
        lastProgress = now
    }

    /// The run continues with other servers from its newest checkpoint: what is recorded and
    /// evaluated stays so, and steps that are computed again are not recorded again.
    init(
        continuing run: CoordinatorRun, _ plan: ShardPlan, servers: [Incarnation],
        workers: [Incarnation], spansHosts: Bool, now: Instant
    ) {
        var order = run.order
        order.generation = order.generation.next
        order.firstStep = run.checkpoints.held
        self.order = order
        self.plan = plan
        schedule = run.schedule
        self.servers = servers
        view = View(
            run.view.number.next, workers: workers, leafCounts: schedule.leafCounts,
            nodeCost: schedule.nodeCost(spansHosts: spansHosts), now: now)
        checkpoints = CheckpointPlan(
            after: run.checkpoints, shardCount: servers.count, now: now)
        reported = Array(repeating: order.firstStep, count: servers.count)
        acknowledged = reported
        toRecord = run.toRecord
        recorded = run.recorded
        lastSnapshot = run.lastSnapshot
        lastEvaluated = run.lastEvaluated
        lastPosted = run.lastPosted
        target = run.target
        lastProgress = now
    }

    func shard(of server: Incarnation) -> ShardIndex? {
        servers.firstIndex(of: server).map { ShardIndex($0) }
    }

    var place: RunPlace { RunPlace(run: order.run, generation: order.generation) }

    /// The step that every shard has reached.
    var step: Step { reported.min() ?? order.firstStep }

    var name: String { "run \(order.run) (\(order.configuration.name))" }

    // MARK: Duties

    /// - Parameter workers: whose pushes count, ascending.
    func shardDuty(
        of shard: ShardIndex, workers: [Incarnation], audits: AuditRate
    ) -> ShardDuty {
        ShardDuty(
            order: order, shard: shard, shardCount: servers.count, workers: workers,
            receipts: Receipts(
                received: reported[shard.index], recorded: recorded(of: shard.index),
                snapshots: lastSnapshot ?? 0), checkpoint: checkpoints.wanted,
            audits: audits)
    }

    /// One without leaves is for a worker that is not in the view: it gets the weights all the
    /// same.
    func workDuty(
        of worker: Incarnation, servers: [ServerAddress], workersOnHost: Int, audits: AuditRate
    ) -> WorkDuty {
        let leaves = view.leaves(of: worker)
        let audited = view.auditedLeaves(of: worker)
        return WorkDuty(
            order: order, view: view.number, leaves: leaves.full, lastLeaves: leaves.last,
            audit: audits == .none
                ? .none
                : AuditDuty(rate: audits, leaves: audited.full, lastLeaves: audited.last),
            arbitration: view.arbitration.flatMap { $0.worker == worker ? $0 : nil },
            servers: servers, workerCount: max(view.workers.count, 1), workersOnHost: workersOnHost)
    }

    /// What a shard may let go of: an earlier generation may have recorded more than it has
    /// reported.
    private func recorded(of shard: Int) -> Step { min(recorded, reported[shard]) }

    /// Shards that have to be told what was recorded, before they run out of room.
    mutating func takeUnacknowledged() -> [ShardIndex] {
        let due = servers.indices.filter { shard in
            let room = Limits.unrecordedReports(
                reportByteCount: plan.reportByteCount(of: ShardIndex(shard)))
            return recorded(of: shard).index - acknowledged[shard].index >= room / 4
        }
        // Nearly always: nothing is changed then, so nothing is copied.
        if due.isEmpty { return [] }
        for shard in due { acknowledged[shard] = recorded(of: shard) }
        return due.map { ShardIndex($0) }
    }

    // MARK: Reports

    enum Report {
        case taken
        /// Of a step that an earlier generation has recorded.
        case known
        case repeated
        /// An earlier one is missing.
        case gap
    }

    mutating func report(_ step: Step, of shard: ShardIndex, now: Instant) -> Report {
        let wanted = reported[shard.index]
        if step < wanted { return .repeated }
        if step > wanted || step >= schedule.endStep { return .gap }
        reported[shard.index] = step.next
        lastProgress = now
        return step < toRecord ? .known : .taken
    }

    /// What the records hold next: of one step the evaluation of its weights, then the checkpoint,
    /// then what was measured in it. They follow this one order, however frames come.
    enum Record {
        case evaluation(Step)
        case checkpoint(Step)
        case step(Step)
    }

    mutating func takeRecord() -> Record? {
        let next = toRecord
        if next > lastPosted, schedule.evaluation(atOrAfter: next) == next {
            guard (lastSnapshot ?? 0) >= next else { return nil }
            lastPosted = next
            return .evaluation(next)
        }
        if checkpoints.precedes(next) { return nil }
        if checkpoints.take(next) { return .checkpoint(next) }
        guard next < step else { return nil }
        toRecord = next.next
        return .step(next)
    }

    mutating func recorded(_ step: Step) {
        if step > recorded, step <= toRecord { recorded = step }
    }

    // MARK: Weights

    mutating func evaluated(_ step: Step, reachedTarget: Bool, now: Instant) {
        guard step > lastEvaluated else { return }
        lastEvaluated = step
        lastProgress = now
        if reachedTarget, target == nil { target = step }
    }

    mutating func diverged(_ step: Step, _ finding: DivergenceFinding) {
        if divergence == nil { divergence = (step, finding) }
    }

    /// Fetches the weights that are wanted next, while there is room for them.
    ///
    /// - Returns: a shard from which nothing comes, if there is one.
    mutating func advancePull(
        now: Instant, into actions: inout [CoordinatorAction]
    ) -> ShardIndex? {
        if pull == nil, let step = nextSnapshot {
            pull = SnapshotPull(
                step, of: order,
                byteCounts: servers.indices.map {
                    plan.weightsByteCount(of: ShardIndex($0))
                }, now: now)
        }
        let first = actions.endIndex
        let silent = pull?.advance(now: now, into: &actions)
        // Both transfers of a shard share its connection.
        for case .reconnect(let shard) in actions[first...] {
            checkpoints.reconnected(shard, now: now)
        }
        return silent
    }

    /// The next step whose weights are wanted, if they are there to be fetched: those that are to
    /// be evaluated, then the last finite ones.
    private var nextSnapshot: Step? {
        guard isRoomForAnother else { return nil }
        let next = schedule.evaluation(atOrAfter: lastSnapshot?.next ?? lastEvaluated.next)
        if let next, next <= step { return next }
        guard let divergence, divergence.step <= step, divergence.step != lastSnapshot else {
            return nil
        }
        return divergence.step
    }

    /// Whether fewer weights wait for their evaluation than may.
    private var isRoomForAnother: Bool {
        var waiting = 0
        var step = lastEvaluated
        while let next = schedule.evaluation(atOrAfter: step.next), next <= lastSnapshot ?? 0 {
            waiting += 1
            step = next
        }
        return waiting < Limits.maximumSnapshots
    }

    enum PartArrival {
        case unwanted
        case kept
        /// The last part: all weights of its step are there.
        case whole
    }

    mutating func receive(_ part: SnapshotPart, now: Instant) -> PartArrival {
        guard pull?.receive(part, now: now) == true else { return .unwanted }
        lastProgress = now
        guard let current = pull, current.isComplete else { return .kept }
        pull = nil
        lastSnapshot = current.step
        return .whole
    }

    // MARK: Checkpoints

    mutating func advanceCheckpoint(
        interval: Int, now: Instant, into actions: inout [CoordinatorAction]
    ) -> CheckpointPlan.Advance {
        let first = actions.endIndex
        let advance = checkpoints.advance(
            interval: interval, step: step, notBefore: toRecord, endStep: schedule.endStep, now: now
        ) {
            SnapshotPull(
                $0, of: order,
                byteCounts: servers.indices.map {
                    plan.stateByteCount(of: ShardIndex($0), order.configuration)
                }, now: now)
        } into: {
            actions.append($0)
        }
        for case .reconnect(let shard) in actions[first...] { pull?.reconnected(shard, now: now) }
        return advance
    }

    mutating func wantCheckpointNow() { checkpoints.hurry() }

    mutating func noteCheckpoint(of shard: ShardIndex, _ progress: ServerProgress) {
        checkpoints.note(progress, of: shard)
    }

    /// A part of a checkpoint; nil if it is none. True after the last one.
    mutating func receiveState(_ part: SnapshotPart, now: Instant) -> Bool? {
        guard let isWhole = checkpoints.receive(part, now: now) else { return nil }
        lastProgress = now
        return isWhole
    }

    // MARK: The end

    /// How the run has ended, if it has: the first evaluation at the target, else the divergence,
    /// else the last step. Evaluations before the end are waited for, so that the result is a
    /// function of the configuration and not of which message came first.
    var end: RunEnd? {
        if let target { return RunEnd(run: order.run, status: .target, step: target) }
        if let divergence {
            let next = schedule.evaluation(atOrAfter: lastEvaluated.next)
            let isEvaluated = next.map { $0 > divergence.step } ?? true
            guard isEvaluated, lastSnapshot == divergence.step, recorded >= divergence.step
            else { return nil }
            return RunEnd(
                run: order.run, status: .diverged, step: divergence.step,
                divergence: divergence.finding)
        }
        guard recorded == schedule.endStep, lastEvaluated == schedule.endStep else { return nil }
        return RunEnd(run: order.run, status: .completed, step: schedule.endStep)
    }

    func isStalled(now: Instant) -> Bool {
        now.milliseconds(since: lastProgress) >= Limits.stalledRunMilliseconds
    }
}
