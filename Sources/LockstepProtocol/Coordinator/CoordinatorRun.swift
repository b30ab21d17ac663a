import TrainingPlan

/// A run as the coordinator follows it: who takes part, what each shard has committed, what is recorded
/// and evaluated, which weights are on their way, and how it ends.
struct CoordinatorRun: Sendable {
    let order: RunOrder
    let schedule: RunSchedule
    let plan: ShardPlan
    /// By shard.
    let servers: [Incarnation]
    /// In the order of their leaves.
    let workers: [Incarnation]
    let workersByHost: [String: Int]
    private let places: [Incarnation: Int]
    private let leaves: LeafAssignment
    private let lastLeaves: LeafAssignment
    /// By shard: the step whose report is wanted next.
    private var reported: [Step]
    /// By shard: what it was told of its reports last.
    private var acknowledged: [Step]
    /// The next step that goes to the records.
    private var toRecord: Step
    private var recorded: Step
    private var pull: SnapshotPull?
    /// The newest weights that came whole; nil before any.
    private var lastSnapshot: Step?
    private var lastEvaluated: Step
    private var divergence: (step: Step, finding: DivergenceFinding)?
    private var target: Step?
    private var lastProgress: Instant

    init(
        _ order: RunOrder, _ plan: ShardPlan, trainingExampleCount: Int, servers: [Incarnation],
        workers: [MemberName], now: Instant
    ) {
        self.order = order
        self.plan = plan
        schedule = RunSchedule(order.configuration, trainingExampleCount: trainingExampleCount)
        self.servers = servers
        self.workers = workers.map(\.incarnation)
        places = Dictionary(
            zip(self.workers, workers.indices), uniquingKeysWith: { first, _ in first })
        workersByHost = Dictionary(grouping: workers, by: \.host).mapValues(\.count)
        let leafCounts = schedule.leafCounts
        leaves = LeafAssignment(leafCount: leafCounts.full, workerCount: workers.count)
        lastLeaves = LeafAssignment(leafCount: leafCounts.last, workerCount: workers.count)
        let first = order.firstStep
        reported = Array(repeating: first, count: servers.count)
        acknowledged = reported
        toRecord = first
        recorded = first
        lastEvaluated = first
        lastProgress = now
    }

    func includes(_ incarnation: Incarnation) -> Bool {
        places[incarnation] != nil || servers.contains(incarnation)
    }

    func shard(of server: Incarnation) -> ShardIndex? {
        servers.firstIndex(of: server).map { ShardIndex($0) }
    }

    var place: RunPlace { RunPlace(run: order.run, generation: order.generation) }

    /// The step that every shard has reached.
    var step: Step { reported.min() ?? order.firstStep }

    var name: String { "run \(order.run) (\(order.configuration.name))" }

    // MARK: Duties

    func shardDuty(of shard: ShardIndex) -> ShardDuty {
        ShardDuty(
            order: order, shard: shard, shardCount: servers.count, workers: workers,
            receipts: Receipts(
                received: reported[shard.index], recorded: recorded, snapshots: lastSnapshot ?? 0))
    }

    /// Nil for a process that does not work in this run.
    func workDuty(
        of worker: Incarnation, servers: [ServerAddress], workersOnHost: Int
    ) -> WorkDuty? {
        guard let place = places[worker] else { return nil }
        return WorkDuty(
            order: order, view: 0, leaves: leaves.ranges[place],
            lastLeaves: lastLeaves.ranges[place], servers: servers, workerCount: workers.count,
            workersOnHost: workersOnHost)
    }

    /// Shards that have to be told what was recorded, before they run out of room.
    mutating func takeUnacknowledged() -> [ShardIndex] {
        let due = servers.indices.filter { shard in
            let room = Limits.unrecordedReports(
                reportByteCount: plan.reportByteCount(of: ShardIndex(shard)))
            return recorded.index - acknowledged[shard].index >= room / 4
        }
        // Nearly always: nothing is changed then, so nothing is copied.
        if due.isEmpty { return [] }
        for shard in due { acknowledged[shard] = recorded }
        return due.map { ShardIndex($0) }
    }

    // MARK: Reports

    enum Report {
        case taken
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
        return .taken
    }

    /// The next step to record, if every shard has reported it. Records follow one order, however frames
    /// come: an evaluation of a step's weights before the step.
    mutating func takeStepToRecord() -> Step? {
        guard toRecord < step else { return nil }
        let isEvaluatedFirst =
            toRecord > order.firstStep && schedule.evaluation(atOrAfter: toRecord) == toRecord
        if isEvaluatedFirst, (lastSnapshot ?? 0) < toRecord { return nil }
        defer { toRecord = toRecord.next }
        return toRecord
    }

    mutating func recorded(_ step: Step) {
        if step > recorded, step <= self.step { recorded = step }
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
        return pull?.advance(now: now, into: &actions)
    }

    /// The next step whose weights are wanted, if they are there to be fetched: those that are to be
    /// evaluated, then the last finite ones.
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
        /// The last part: all weights of this step are there.
        case whole(Step, isEvaluated: Bool)
    }

    mutating func receive(_ part: SnapshotPart, now: Instant) -> PartArrival {
        guard pull?.receive(part, now: now) == true else { return .unwanted }
        lastProgress = now
        guard let current = pull, current.isComplete else { return .kept }
        pull = nil
        lastSnapshot = current.step
        return .whole(
            current.step,
            isEvaluated: current.step > 0
                && schedule.evaluation(atOrAfter: current.step) == current.step)
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
