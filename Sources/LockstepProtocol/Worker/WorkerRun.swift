import TrainingPlan

/// A worker's part in one run: what it pushes, which weights it holds, and when it asks again.
struct WorkerRun: Sendable {
    private(set) var duty: WorkDuty
    let schedule: RunSchedule
    /// The step whose weights are in use.
    private(set) var step: Step = 0
    /// Whether those are the run's: one that comes to a run under way waits for the newest.
    private(set) var hasWeights: Bool
    /// The worker's nodes of a full step, and of an epoch's last one.
    private var fullNodes: [LeafRange] = []
    private var lastNodes: [LeafRange] = []
    /// The same of an audited step: behind its own nodes are another worker's.
    private var auditedFullNodes: [LeafRange] = []
    private var auditedLastNodes: [LeafRange] = []
    /// Of the current step: those of earlier views, too.
    private var computed: [LeafRange] = []
    /// The node of the current step that the engine has been given to compute.
    private var inWork: LeafRange?
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
    private var reconnectPatience = 0

    /// When one shard's server was heard, and how long it may then be silent.
    private struct ServerTie {
        /// Or when a new connection to it was made.
        var lastHeard: Instant
        var reconnectAfter: Int
        var heardAt: Instant
        /// Whether it was told that it is silent.
        var isMissed = false
    }

    init(_ duty: WorkDuty, _ schedule: RunSchedule, now: Instant) {
        self.duty = duty
        self.schedule = schedule
        hasWeights = duty.isFirst
        servers = []
        kept = Array(repeating: nil, count: 2 * duty.servers.count)
        take(duty)
        let tie = ServerTie(lastHeard: now, reconnectAfter: reconnectPatience, heardAt: now)
        servers = Array(repeating: tie, count: duty.servers.count)
    }

    private mutating func take(_ duty: WorkDuty) {
        self.duty = duty
        let fullTree = ReductionTree(leafCount: schedule.leafCounts.full)
        let lastTree = ReductionTree(leafCount: schedule.leafCounts.last)
        fullNodes = fullTree.maximalNodes(covering: duty.leaves)
        lastNodes = lastTree.maximalNodes(covering: duty.lastLeaves)
        auditedFullNodes = fullNodes + fullTree.maximalNodes(covering: duty.audit.leaves)
        auditedLastNodes = lastNodes + lastTree.maximalNodes(covering: duty.audit.lastLeaves)
        computed.reserveCapacity(max(auditedFullNodes.count, auditedLastNodes.count) + 1)
        let byteCount = duty.order.configuration.layout.parameterCount * 4
        // Everyone's pushes and weights may have to pass one link before an answer.
        reconnectPatience = min(
            Limits.shortestReconnectMilliseconds
                + Limits.slowLinkMilliseconds(
                    byteCount: byteCount * duty.workerCount * (1 + fullNodes.count)),
            Limits.longestReconnectMilliseconds)
    }

    var place: RunPlace {
        RunPlace(
            run: duty.order.run, generation: duty.order.generation, view: duty.view)
    }

    var progress: WorkerProgress {
        WorkerProgress(
            step: step,
            activity: isFinished
                ? .finished : inWork != nil ? .computing : .waitingForWeights)
    }

    var isFinished: Bool { step == schedule.endStep }

    /// The worker's nodes of a step: its own, ascending, then those that it audits.
    private func nodes(of step: Step) -> [LeafRange] {
        switch (schedule.epochEnds(after: step), isAudited) {
        case (false, false): fullNodes
        case (true, false): lastNodes
        case (false, true): auditedFullNodes
        case (true, true): auditedLastNodes
        }
    }

    private var isAudited: Bool { duty.audit.rate.covers(step) }

    /// The node of the current step on which others disagree.
    private var arbitratedNode: LeafRange? {
        guard let arbitration = duty.arbitration, arbitration.step == step else { return nil }
        return arbitration.node
    }

    /// The leaves from the first to the last that was computed; none before the first.
    private var computedLeaves: LeafRange {
        let first = computed.lazy.map(\.firstLeaf).min() ?? 0
        let end = computed.lazy.map(\.endLeaf).max() ?? 0
        return LeafRange(firstLeaf: first, leafCount: end - first)
    }

    private func address(_ shard: Int) -> StepAddress {
        StepAddress(
            run: duty.order.run, generation: duty.order.generation, step: step,
            shard: ShardIndex(shard))
    }

    /// Servers learn where the worker is reached; then the first step begins, or the newest weights
    /// come.
    mutating func begin(now: Instant, into actions: inout [WorkerAction]) {
        if hasWeights {
            for shard in servers.indices {
                actions.append(.inquire(address(shard), leaves: .none))
            }
            beginStep(now: now, into: &actions)
        } else {
            for shard in servers.indices {
                actions.append(.requestWeights(address(shard), wanted: 0))
            }
            startWaiting(now: now)
        }
    }

    /// A new view: other leaves, in the step in progress. What was pushed of it stays
    /// pushed.
    mutating func change(
        to duty: WorkDuty, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard duty.view > self.duty.view else { return }
        take(duty)
        if hasWeights, inWork == nil, let node = nextNode { compute(node, into: &actions) }
    }

    /// A node is ready: it goes to every server that still waits for this step.
    mutating func nodeComputed(
        _ node: LeafRange, _ computedStep: Step, now: Instant, into actions: inout [WorkerAction]
    ) {
        guard node == inWork, computedStep == step else { return }
        inWork = nil
        computed.append(node)
        for shard in servers.indices where !isAhead(shard) {
            actions.append(.push(address(shard), node))
        }
        let next = nextNode
        if next == nil { startWaiting(now: now) } else { isMeasured = false }
        // Others may have computed what is left, and the next step has begun.
        if adoptNewest(now: now, into: &actions) { return }
        if let next { compute(next, into: &actions) }
    }

    /// The first of the worker's nodes that it has not computed in this step.
    private var nextNode: LeafRange? {
        if isFinished { return nil }
        if let node = arbitratedNode, !computed.contains(node) { return node }
        let nodes = nodes(of: step)
        // Where sums are compared, only the same node will do.
        if isAudited { return nodes.first { !computed.contains($0) } }
        return nodes.first { node in !computed.contains { $0.contains(node) } }
    }

    private mutating func compute(_ node: LeafRange, into actions: inout [WorkerAction]) {
        inWork = node
        actions.append(.compute(step, node))
    }

    /// Weights have come; nil if they are kept.
    mutating func weights(
        _ address: StepAddress, from sender: Incarnation, now: Instant,
        into actions: inout [WorkerAction]
    ) -> DropReason? {
        if let reason = judge(address, from: sender, now: now) { return reason }
        guard address.step <= schedule.endStep else { return .futureStep }
        if hasWeights, address.step <= step { return .olderStep }
        let slot = 2 * address.shard.index + Int(address.step.rawValue & 1)
        if let held = kept[slot], address.step <= held { return .upToDate }
        kept[slot] = address.step
        actions.append(.keepWeights(address.shard, address.step))
        if inWork == nil { adoptNewest(now: now, into: &actions) }
        return nil
    }

    /// The answer to an inquiry: what is not held was lost, and is pushed again.
    mutating func held(
        _ address: StepAddress, leaves: LeafRange, _ isHeld: LeafBits, from sender: Incarnation,
        now: Instant, into actions: inout [WorkerAction]
    ) -> DropReason? {
        if let reason = judge(address, from: sender, now: now) { return reason }
        guard address.step == step, hasWeights, !isFinished, inWork == nil,
            !isAhead(address.shard.index)
        else { return .upToDate }
        var isLost = false
        for node in computed where leaves.contains(node) {
            // One of an earlier view nobody would confirm.
            if isAudited, !nodes(of: step).contains(node) { continue }
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
        servers[address.shard.index] = ServerTie(
            lastHeard: now, reconnectAfter: reconnectPatience, heardAt: now)
        return nil
    }

    /// While weights do not come: inquires, and where nothing answers makes a new connection.
    ///
    /// - Returns: why the worker gives up, once a server that the coordinator hears has answered
    ///   nothing for as long as given.
    mutating func tick(
        now: Instant, waitTimeoutMilliseconds: Int, into actions: inout [WorkerAction]
    ) -> StopReason? {
        guard inWork == nil, !isFinished, now >= inquireAt else { return nil }
        isMeasured = false
        inquiryInterval = timer.doubled(inquiryInterval)
        inquireAt = now.advanced(byMilliseconds: inquiryInterval)
        // Also a shard whose weights are newer than those in use, but older than another shard's:
        // the missing ones were lost on the way.
        let newestOfAll = servers.indices.lazy.map(newest).reduce(step.next) { max($0, $1) }
        let common = servers.indices.lazy.map(newest).min() ?? 0
        for shard in servers.indices where newest(shard) < newestOfAll || misses(common, shard) {
            let silence = now.milliseconds(since: max(servers[shard].heardAt, waitingSince))
            if silence >= max(waitTimeoutMilliseconds, Self.patience * reconnectPatience) {
                return noAnswer(of: shard, silence)
            }
            if silence >= Limits.peerLeaseMilliseconds, !servers[shard].isMissed {
                servers[shard].isMissed = true
                actions.append(.notice(noAnswer(of: shard, silence).text + "; still trying"))
            }
            let silentSince = max(servers[shard].lastHeard, waitingSince)
            if now.milliseconds(since: silentSince) >= servers[shard].reconnectAfter {
                servers[shard].lastHeard = now
                servers[shard].reconnectAfter = min(
                    2 * servers[shard].reconnectAfter, Limits.longestReconnectMilliseconds)
                actions.append(.reconnect(ShardIndex(shard)))
            }
            if misses(common, shard) {
                actions.append(.requestWeights(address(shard), wanted: common))
            } else if hasWeights {
                actions.append(.inquire(address(shard), leaves: computedLeaves))
                // The answer says nothing of it: the server holds one that may be wrong.
                if let node = arbitratedNode, computed.contains(node) {
                    actions.append(.push(address(shard), node))
                }
            } else {
                actions.append(.requestWeights(address(shard), wanted: newest(shard).next))
            }
        }
        return nil
    }

    /// A server is given up only after several connections.
    private static let patience = 4

    private func noAnswer(of shard: Int, _ silence: Int) -> StopReason {
        StopReason(
            .unavailable,
            "the server of shard \(shard) at \(placeText(duty.servers[shard].endpoint)) has not "
                + "answered for \(seconds(silence)) s, though the coordinator still hears from it: "
                + "open that port for this host, or let the coordinator serve all (--servers 1)")
    }

    private func isNews(_ candidate: Step) -> Bool { !hasWeights || candidate > step }

    private mutating func beginStep(now: Instant, into actions: inout [WorkerAction]) {
        computed.removeAll(keepingCapacity: true)
        if let node = nextNode {
            compute(node, into: &actions)
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

    /// Whether a shard is ahead of another, which cannot continue before workers hold this step
    /// whole, and the weights of this step were lost on the way.
    private func misses(_ common: Step, _ shard: Int) -> Bool {
        newest(shard) > common && (common > step || !hasWeights)
            && kept[2 * shard + Int(common.rawValue & 1)] != common
    }

    /// The newest kept weights of a shard; 0 if there are none.
    private func newest(_ shard: Int) -> Step {
        max(kept[2 * shard] ?? 0, kept[2 * shard + 1] ?? 0)
    }

    /// Adopts the newest step whose slices are all held. Servers are one step apart at most, so two
    /// slots a shard always hold a common step.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    private mutating func adoptNewest(
        now: Instant, into actions: inout [WorkerAction]
    ) -> Bool {
        var whole: Step?
        for parity in 0..<2 {
            guard let candidate = kept[parity], whole.map({ candidate > $0 }) ?? isNews(candidate),
                servers.indices.allSatisfy({ kept[2 * $0 + parity] == candidate })
            else { continue }
            whole = candidate
        }
        guard let whole else { return false }
        if isMeasured, hasWeights {
            timer.observe(milliseconds: now.milliseconds(since: waitingSince))
        }
        step = whole
        hasWeights = true
        actions.append(.adopt(whole))
        beginStep(now: now, into: &actions)
        return true
    }
}
