import TrainingPlan

/// When the next checkpoint of a run is made, of which step, and how far it is.
///
/// The coordinator names a step that lies a little ahead; each server says whether it will keep its
/// state of it. One that has passed it already will not, and a later step is named. When all have
/// it, it is fetched.
struct CheckpointPlan: Sendable {
    /// The newest that may be begun with: 0 for the initial weights.
    private(set) var held: Step
    /// One that is whole, and comes in the records after some that are not there yet.
    private var whole: Step?
    /// The step that servers are asked for.
    private(set) var wanted: Step?
    private var keepers: [Bool]
    private var pull: SnapshotPull?
    private var lastAt: Instant
    /// When the one that comes was begun to be fetched, and how long the last one took.
    private var fetchedFrom: Instant
    private var lastMilliseconds = 0
    private var isHurried = false
    /// How far ahead a step is named, at least.
    private var margin: Int
    /// Where the run was, and when, to tell how fast it goes.
    private var measured: (step: Step, at: Instant)

    private static let smallestMargin = 2
    /// Of the time on a slow link no more than a tenth is theirs.
    private static let restPerFetch = 9
    /// Servers have heard of the wish before a step that lies so far ahead.
    private static let leadMilliseconds = 40

    init(held: Step, shardCount: Int, now: Instant) {
        self.held = held
        keepers = Array(repeating: false, count: shardCount)
        lastAt = now
        fetchedFrom = now
        margin = Self.smallestMargin
        measured = (held, now)
    }

    /// Of the same run's next generation, which gets no more time without a checkpoint than this
    /// one.
    init(after other: CheckpointPlan, shardCount: Int, now: Instant) {
        self.init(held: other.held, shardCount: shardCount, now: now)
        lastAt = other.lastAt
        lastMilliseconds = other.lastMilliseconds
    }

    /// What follows.
    enum Advance {
        case nothing
        /// Servers are to hear of a wish.
        case ask
        /// Nothing comes from this shard.
        case silent(ShardIndex)
    }

    /// The next checkpoint is wanted at once.
    mutating func hurry() { isHurried = true }

    /// - Parameters:
    ///   - step: the step that every shard has reached.
    ///   - notBefore: steps before this one are recorded already: a checkpoint of theirs would
    ///     come too late for its place in the log.
    mutating func advance(
        interval: Int, step: Step, notBefore: Step, endStep: Step, now: Instant,
        makePull: (Step) -> SnapshotPull, into act: (CoordinatorAction) -> Void
    ) -> Advance {
        if var current = pull {
            var actions: [CoordinatorAction] = []
            let silent = current.advance(now: now, into: &actions)
            pull = current
            actions.forEach(act)
            return silent.map { .silent($0) } ?? .nothing
        }
        if let wanted {
            if keepers.allSatisfy(\.self), step >= wanted {
                pull = makePull(wanted)
                fetchedFrom = now
                return advance(
                    interval: interval, step: step, notBefore: notBefore, endStep: endStep,
                    now: now, makePull: makePull, into: act)
            }
            return .nothing
        }
        let rest = max(interval, Self.restPerFetch * lastMilliseconds)
        guard interval > 0, whole == nil, isHurried || now.milliseconds(since: lastAt) >= rest
        else {
            return .nothing
        }
        let elapsed = max(now.milliseconds(since: measured.at), 1)
        let pace = max(step.index - measured.step.index, 0) * Self.leadMilliseconds / elapsed
        measured = (step, now)
        let next = Step(max(step.index, notBefore.index) + max(margin, isHurried ? 0 : pace))
        guard next < endStep else { return .nothing }
        wanted = next
        return .ask
    }

    /// Another transfer has made a new connection to a shard's server.
    mutating func reconnected(_ shard: ShardIndex, now: Instant) {
        pull?.reconnected(shard, now: now)
    }

    /// What a server says of it.
    mutating func note(_ progress: ServerProgress, of shard: ShardIndex) {
        guard let wanted, pull == nil else { return }
        if progress.checkpoint == wanted {
            keepers[shard.index] = true
        } else if progress.step > wanted {
            // It was there before it heard of it.
            margin = min(2 * margin, Self.largestMargin)
            reset()
        }
    }

    private static let largestMargin = 1 << 16

    /// Whether records from this step on have to wait.
    func precedes(_ step: Step) -> Bool { wanted == step }

    /// Takes the checkpoint of this step, if it is whole, and all before it is recorded.
    mutating func take(_ step: Step) -> Bool {
        guard whole == step else { return false }
        whole = nil
        held = step
        return true
    }

    private mutating func reset() {
        wanted = nil
        pull = nil
        for shard in keepers.indices { keepers[shard] = false }
    }

    /// Nil for a part that is not waited for; true after the last one.
    mutating func receive(_ part: SnapshotPart, now: Instant) -> Bool? {
        guard pull?.receive(part, now: now) == true, let current = pull else { return nil }
        guard current.isComplete else { return false }
        whole = current.step
        lastMilliseconds = now.milliseconds(since: fetchedFrom)
        lastAt = now
        isHurried = false
        margin = max(margin / 2, Self.smallestMargin)
        reset()
        return true
    }
}
