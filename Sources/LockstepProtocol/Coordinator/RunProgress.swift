import TrainingPlan

/// How far a run is: what each shard has committed, which snapshots are whole, what was evaluated.
struct RunProgress: Sendable {
    let index: RunIndex
    let configuration: RunConfiguration
    let schedule: RunSchedule
    /// By shard.
    let servers: [Incarnation]
    /// By ordinal.
    let workers: [Incarnation]
    /// By shard: the step that it commits next.
    private(set) var steps: [Step]
    private(set) var divergence: Diverged?
    private(set) var lastProgress: Instant
    /// Snapshots that have come for steps that not every shard has sent yet.
    private var partialSnapshots: [Step: Set<ShardIndex>] = [:]
    private var lastWholeSnapshot: Step?
    private var lastEvaluated: Step = 0
    private var target: Step?

    init(
        index: RunIndex, configuration: RunConfiguration, trainingExampleCount: Int,
        servers: [Incarnation], workers: [Incarnation], now: Instant
    ) {
        self.index = index
        self.configuration = configuration
        schedule = RunSchedule(configuration, trainingExampleCount: trainingExampleCount)
        self.servers = servers
        self.workers = workers
        steps = Array(repeating: 0, count: servers.count)
        lastProgress = now
    }

    func includes(_ incarnation: Incarnation) -> Bool {
        servers.contains(incarnation) || workers.contains(incarnation)
    }

    func shard(of server: Incarnation) -> ShardIndex? {
        servers.firstIndex(of: server).map { ShardIndex($0) }
    }

    /// The step that every shard has reached.
    var step: Step { steps.min() ?? 0 }

    enum Commit {
        /// The last shard's report makes it whole.
        case taken(isWhole: Bool)
        case repeated
        /// Reports from this step on are missing.
        case gap(from: Step)
    }

    mutating func committed(_ step: Step, by shard: ShardIndex, now: Instant) -> Commit {
        let expected = steps[shard.index]
        if step < expected { return .repeated }
        if step > expected { return .gap(from: expected) }
        steps[shard.index] = step.next
        lastProgress = now
        return .taken(isWhole: self.step > step)
    }

    enum SnapshotArrival {
        case unwanted
        case kept
        /// The last shard's: all are there.
        case whole(evaluate: Bool)
    }

    mutating func snapshot(_ step: Step, of shard: ShardIndex, now: Instant) -> SnapshotArrival {
        let isEvaluated = step > 0 && schedule.evaluation(atOrAfter: step) == step
        let isLastFinite = divergence?.step == step
        guard isEvaluated || isLastFinite, step > (lastWholeSnapshot ?? 0) || isLastFinite,
            step != lastWholeSnapshot,
            partialSnapshots[step, default: []].insert(shard).inserted
        else { return .unwanted }
        lastProgress = now
        guard partialSnapshots[step]?.count == servers.count else { return .kept }
        partialSnapshots[step] = nil
        lastWholeSnapshot = step
        return .whole(evaluate: isEvaluated)
    }

    mutating func diverged(_ report: Diverged) {
        if divergence == nil { divergence = report }
    }

    /// The shards whose weights of the diverged step have not come yet.
    var missingLastFinite: [ShardIndex] {
        guard let step = divergence?.step, lastWholeSnapshot != step else { return [] }
        let present = partialSnapshots[step] ?? []
        return servers.indices.map { ShardIndex($0) }.filter { !present.contains($0) }
    }

    mutating func evaluated(_ step: Step, reachedTarget: Bool, now: Instant) {
        guard step > lastEvaluated else { return }
        lastEvaluated = step
        lastProgress = now
        if reachedTarget, target == nil { target = step }
    }

    /// How the run has ended, if it has: the first evaluation at the target, else the divergence,
    /// else the last step. Evaluations before the end are waited for, so that the result is a
    /// function of the configuration and not of which message came first.
    var end: RunEnd? {
        if let target { return RunEnd(run: index, status: .target, step: target) }
        if let divergence {
            let next = schedule.evaluation(atOrAfter: lastEvaluated.next)
            let isEvaluated = next.map { $0 > divergence.step } ?? true
            guard isEvaluated, missingLastFinite.isEmpty else { return nil }
            return RunEnd(
                run: index, status: .diverged, step: divergence.step, divergence: divergence)
        }
        guard step == schedule.endStep, lastEvaluated == schedule.endStep else { return nil }
        return RunEnd(run: index, status: .completed, step: schedule.endStep)
    }

    func isStalled(now: Instant) -> Bool {
        now.milliseconds(since: lastProgress) >= Limits.stalledRunMilliseconds
    }
}
