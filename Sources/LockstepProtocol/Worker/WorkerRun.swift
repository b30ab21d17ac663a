import TrainingPlan

/// A worker's part in one run: what it pushes, which weights it holds, and when it asks again.
struct WorkerRun: Sendable {
    let duty: WorkDuty
    let schedule: RunSchedule
    /// The step whose weights are in use.
    private(set) var step: Step
    /// The worker's nodes of a full step, and of an epoch's last one.
    private let fullNodes: [LeafRange]
    private let lastNodes: [LeafRange]
    /// By node of the current step.
    private var isComputed: [Bool] = []
    private var computedCount = 0
    /// The steps of the kept slices, two of each shard: even ones, then odd ones.
    private var kept: [Step?]
    private var servers: [ServerTie]
    /// How long pushes wait for weights.
    private var timer = RepeatTimer(
        first: Limits.firstInquiryMilliseconds,
        bounds: Limits.shortestInquiryMilliseconds...Limits.longestInquiryMilliseconds)
    private var waitingSince: Instant = 0
    /// Whether nothing was lost in this wait, as far as is known: it tells how long steps take.
    private var isMeasured = true
    private var inquiryInterval = 0
    private var inquireAt: Instant = 0
    /// Before this a silent server may be busy with frames that are on their way.
    private let reconnectPatience: Int

    /// When one shard's server was heard, and how long it may then be silent.
    private struct ServerTie {
        var lastHeard: Instant
        var reconnectAfter: Int
    }

    init(_ duty: WorkDuty, _ schedule: RunSchedule, now: Instant) {
        self.duty = duty
        self.schedule = schedule
        step = duty.order.firstStep
        fullNodes = ReductionTree(leafCount: schedule.leafCounts.full)
            .maximalNodes(covering: duty.leaves)
        lastNodes = ReductionTree(leafCount: schedule.leafCounts.last)
            .maximalNodes(covering: duty.lastLeaves)
        isComputed.reserveCapacity(max(fullNodes.count, lastNodes.count))
        let byteCount = duty.order.configuration.layout.parameterCount * 4
        // Everyone's pushes and weights may have to pass one link before an answer.
        reconnectPatience = min(
            Limits.shortestReconnectMilliseconds
                + Limits.slowLinkMilliseconds(
                    byteCount: byteCount * duty.workerCount * (1 + fullNodes.count)),
            Limits.longestReconnectMilliseconds)
        let tie = ServerTie(lastHeard: now, reconnectAfter: reconnectPatience)
        servers = Array(repeating: tie, count: duty.servers.count)
        kept = Array(repeating: nil, count: 2 * duty.servers.count)
    }

    var place: RunPlace {
        RunPlace(
            run: duty.order.run, generation: duty.order.generation, view: duty.view)
    }

    var progress: WorkerProgress {
        WorkerProgress(
            step: step,
            activity: isFinished ? .finished : isComputing ? .computing : .waitingForWeights)
    }

    var isFinished: Bool { step == schedule.endStep }

    /// The worker's nodes of a step, ascending.
    func nodes(of step: Step) -> [LeafRange] {
        schedule.epochEnds(after: step) ? lastNodes : fullNodes
    }

    private var isComputing: Bool { computedCount < isComputed.count }

    private func leaves(of step: Step) -> Range<Int> {
        schedule.epochEnds(after: step) ? duty.lastLeaves : duty.leaves
    }

    private func address(_ shard: Int) -> StepAddress {
        StepAddress(
            run: duty.order.run, generation: duty.order.generation, step: step,
            shard: ShardIndex(shard))
    }

    /// Servers learn where the worker is reached; then the first step begins.
    mutating func begin(now: Instant, into actions: inout [WorkerAction]) {
        for shard in servers.indices {
            actions.append(
                .inquire(address(shard), leaves: LeafRange(firstLeaf: 0, leafCount: 0)))
        }
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
        for shard in servers.indices where !isAhead(shard) {
            actions.append(.push(address(shard), node))
        }
        if !isComputing {
            startWaiting(now: now)
            adoptNewest(now: now, into: &actions)
        }
    }

    /// Weights have come; nil if they are kept.
    mutating func weights(
        _ address: StepAddress, from sender: Incarnation, now: Instant,
        into actions: inout [WorkerAction]
    ) -> DropReason? {
        if let reason = judge(address, from: sender, now: now) { return reason }
        guard address.step <= schedule.endStep else { return .futureStep }
        if address.step <= step { return .olderStep }
        let slot = 2 * address.shard.index + Int(address.step.rawValue & 1)
        if let held = kept[slot], address.step <= held { return .upToDate }
        kept[slot] = address.step
        actions.append(.keepWeights(address.shard, address.step))
        if !isComputing { adoptNewest(now: now, into: &actions) }
        return nil
    }

    /// The answer to an inquiry: what is not held was lost, and is pushed again.
    mutating func held(
        _ address: StepAddress, leaves: LeafRange, _ isHeld: LeafBits, from sender: Incarnation,
        now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        if let reason = judge(address, from: sender, now: now) { return reason }
        guard address.step == step, !isFinished, !isComputing, !isAhead(address.shard.index)
        else { return .upToDate }
        var isLost = false
        for node in nodes(of: step) where leaves.contains(node) {
            let first = node.firstLeaf - leaves.firstLeaf
            if !(first..<first + node.leafCount).allSatisfy({ isHeld[$0] }) {
                actions.append(.push(address, node))
                isLost = true
            }
        }
        // With everything held, the server waits for others.
        isMeasured = !isLost
        return nil
    }

    /// Nil for a frame of this run from the shard's server, which is alive.
    private mutating func judge(
        _ address: StepAddress, from sender: Incarnation, now: Instant
    ) -> DropReason? {
        if address.run != duty.order.run { return .staleRun }
        if address.generation != duty.order.generation { return .staleGeneration }
        guard servers.indices.contains(address.shard.index) else { return .wrongShard }
        guard duty.servers[address.shard.index].incarnation == sender else {
            return .staleIncarnation
        }
        servers[address.shard.index].lastHeard = now
        servers[address.shard.index].reconnectAfter = reconnectPatience
        return nil
    }

    /// While weights do not come: inquires, and where nothing answers makes a new connection.
    mutating func tick(now: Instant, into actions: inout [WorkerAction]) {
        guard !isComputing, !isFinished, now >= inquireAt else { return }
        isMeasured = false
        inquiryInterval = timer.doubled(inquiryInterval)
        inquireAt = now.advanced(byMilliseconds: inquiryInterval)
        // Also a shard whose weights are newer than those in use, but older than another shard's:
        // the missing ones were lost on the way.
        let newestOfAll = servers.indices.lazy.map(newest).reduce(step.next) { max($0, $1) }
        let leaves = leaves(of: step)
        for shard in servers.indices where newest(shard) < newestOfAll {
            let silentSince = max(servers[shard].lastHeard, waitingSince)
            if now.milliseconds(since: silentSince) >= servers[shard].reconnectAfter {
                servers[shard].lastHeard = now
                servers[shard].reconnectAfter = min(
                    2 * servers[shard].reconnectAfter, Limits.longestReconnectMilliseconds)
                actions.append(.reconnect(ShardIndex(shard)))
            }
            actions.append(
                .inquire(
                    address(shard),
                    leaves: LeafRange(firstLeaf: leaves.lowerBound, leafCount: leaves.count)))
        }
    }

    private mutating func beginStep(now: Instant, into actions: inout [WorkerAction]) {
        isComputed.removeAll(keepingCapacity: true)
        computedCount = 0
        guard !isFinished else { return }
        for _ in nodes(of: step) { isComputed.append(false) }
        if isComputing {
            actions.append(.compute(step))
        } else {
            startWaiting(now: now)
        }
    }

    private mutating func startWaiting(now: Instant) {
        waitingSince = now
        isMeasured = true
        inquiryInterval = timer.interval
        inquireAt = now.advanced(byMilliseconds: inquiryInterval)
    }

    /// True if the shard's server has committed the current step.
    private func isAhead(_ shard: Int) -> Bool { newest(shard) > step }

    /// The newest kept weights of a shard; 0 if there are none.
    private func newest(_ shard: Int) -> Step {
        max(kept[2 * shard] ?? 0, kept[2 * shard + 1] ?? 0)
    }

    /// Adopts the newest step whose slices are all held. Servers are one step apart at most, so two
    /// slots a shard always hold a common step.
    private mutating func adoptNewest(now: Instant, into actions: inout [WorkerAction]) {
        var whole: Step?
        for parity in 0..<2 {
            guard let candidate = kept[parity], candidate > (whole ?? step),
                servers.indices.allSatisfy({ kept[2 * $0 + parity] == candidate })
            else { continue }
            whole = candidate
        }
        guard let whole else { return }
        if isMeasured { timer.observe(milliseconds: now.milliseconds(since: waitingSince)) }
        step = whole
        actions.append(.adopt(whole))
        beginStep(now: now, into: &actions)
    }
}
