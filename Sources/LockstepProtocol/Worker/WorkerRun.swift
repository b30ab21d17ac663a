import TrainingPlan

/// A worker's part in one run: what it pushes, which weights it holds, and when it asks again.
struct WorkerRun: Sendable {
    let order: StartRun
    let schedule: RunSchedule
    /// The step whose weights are in use.
    private(set) var step: Step = 0
    private(set) var hasBegun = false
    /// The worker's nodes of a full step, and of an epoch's last one.
    private let fullNodes: [LeafRange]
    private let lastNodes: [LeafRange]
    /// By node of the current step.
    private var isComputed: [Bool] = []
    private var computedCount = 0
    /// The steps of the kept slices, two of each shard: even ones, then odd ones.
    private var kept: [Step?]
    private var retryAt: Instant = 0
    private var retryInterval = Limits.firstPushRetryMilliseconds
    private var retries = 0

    /// Nil if the view has no place for `incarnation`.
    init?(_ order: StartRun, incarnation: Incarnation, trainingExampleCount: Int) {
        guard let index = order.view.workers.firstIndex(of: incarnation) else { return nil }
        self.order = order
        schedule = RunSchedule(order.configuration, trainingExampleCount: trainingExampleCount)
        func nodes(_ leafCount: Int) -> [LeafRange] {
            LeafAssignment(leafCount: leafCount, workerCount: order.view.workers.count)
                .nodes(of: WorkerOrdinal(index))
        }
        fullNodes = nodes(schedule.leafCounts.full)
        lastNodes = nodes(schedule.leafCounts.last)
        isComputed.reserveCapacity(max(fullNodes.count, lastNodes.count))
        kept = Array(repeating: nil, count: 2 * order.servers.count)
    }

    var isFinished: Bool { step == schedule.endStep }

    /// The worker's nodes of a step, ascending.
    func nodes(of step: Step) -> [LeafRange] {
        schedule.epochEnds(after: step) ? lastNodes : fullNodes
    }

    private var shards: Range<Int> { 0..<order.servers.count }
    private var isComputing: Bool { computedCount < isComputed.count }

    mutating func begin(now: Instant, into actions: inout [WorkerAction]) {
        guard !hasBegun else { return }
        hasBegun = true
        for shard in shards { actions.append(.attach(ShardIndex(shard), step)) }
        beginStep(now: now, into: &actions)
    }

    /// A node is ready: it goes to every server that still waits for this step.
    mutating func nodeComputed(
        _ node: LeafRange, _ computedStep: Step, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard computedStep == step, !isFinished,
            let index = nodes(of: step).firstIndex(of: node), !isComputed[index]
        else { return }
        isComputed[index] = true
        computedCount += 1
        for shard in shards where !isAhead(shard) {
            actions.append(.push(node, step, to: ShardIndex(shard)))
        }
        if !isComputing {
            startRetries(now: now)
            adoptNewest(now: now, into: &actions)
        }
    }

    /// Weights have come; nil if they are kept.
    mutating func weights(
        _ header: FrameHeader, now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        let shard = header.shard.index
        guard shards.contains(shard) else { return .wrongShard }
        guard order.servers[shard].incarnation == header.incarnation else {
            return .staleIncarnation
        }
        guard header.step <= schedule.endStep else { return .futureStep }
        let slot = 2 * shard + Int(header.step.rawValue & 1)
        if header.step <= step { return .olderStep }
        if let held = kept[slot], header.step <= held { return .covered }
        kept[slot] = header.step
        actions.append(.keepWeights(header.shard, header.step))
        if !isComputing { adoptNewest(now: now, into: &actions) }
        return nil
    }

    /// On silence pushes again, then over new connections.
    mutating func tick(now: Instant, into actions: inout [WorkerAction]) {
        guard hasBegun, !isComputing, !isFinished, now >= retryAt else { return }
        retries += 1
        retryInterval = min(2 * retryInterval, Limits.longestPushRetryMilliseconds)
        retryAt = now.advanced(byMilliseconds: retryInterval)
        // Also a shard whose weights are newer than those in use, but older than another shard's:
        // the missing ones were lost on the way.
        let newestOfAll = shards.reduce(step.next) { max($0, newest($1) ?? 0) }
        for shard in shards where (newest(shard) ?? 0) < newestOfAll {
            let index = ShardIndex(shard)
            if retries >= Limits.pushRetriesBeforeReconnect {
                actions.append(.reconnect(index))
                actions.append(.attach(index, step))
            }
            for node in nodes(of: step) { actions.append(.push(node, step, to: index)) }
            if isComputed.isEmpty { actions.append(.requestWeights(index, step)) }
        }
    }

    var activity: Heartbeat {
        let activity: Heartbeat.Activity =
            !hasBegun
            ? .preparing
            : isFinished ? .waitingForRun : isComputing ? .computing : .waitingForWeights
        return Heartbeat(activity, run: order.run, step: step)
    }

    private mutating func beginStep(now: Instant, into actions: inout [WorkerAction]) {
        isComputed.removeAll(keepingCapacity: true)
        computedCount = 0
        startRetries(now: now)
        guard !isFinished else { return }
        for _ in nodes(of: step) { isComputed.append(false) }
        if isComputing { actions.append(.compute(step)) }
    }

    private mutating func startRetries(now: Instant) {
        retries = 0
        retryInterval = Limits.firstPushRetryMilliseconds
        retryAt = now.advanced(byMilliseconds: retryInterval)
    }

    /// True if the shard's server has committed the current step.
    private func isAhead(_ shard: Int) -> Bool { (newest(shard) ?? 0) > step }

    private func newest(_ shard: Int) -> Step? {
        guard let even = kept[2 * shard] else { return kept[2 * shard + 1] }
        guard let odd = kept[2 * shard + 1] else { return even }
        return max(even, odd)
    }

    /// Adopts the newest step whose slices are all held. Servers are one step apart at most, so two
    /// slots a shard always hold a common step.
    private mutating func adoptNewest(now: Instant, into actions: inout [WorkerAction]) {
        var whole: Step?
        for parity in 0..<2 {
            guard let candidate = kept[parity], candidate > (whole ?? step),
                shards.allSatisfy({ kept[2 * $0 + parity] == candidate })
            else { continue }
            whole = candidate
        }
        guard let whole else { return }
        step = whole
        actions.append(.adopt(whole))
        beginStep(now: now, into: &actions)
    }
}
