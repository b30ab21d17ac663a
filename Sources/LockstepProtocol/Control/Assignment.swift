package import TrainingPlan

/// Coordinator → member: all that the member has to do and to know, sent when it changes and at
/// every heartbeat. The newest replaces those before; its number and the member's incarnation stand
/// in the header.
package struct Assignment: Hashable, Sendable {
    package var duty: Duty

    package init(_ duty: Duty) { self.duty = duty }
}

package enum Duty: Hashable, Sendable {
    /// No run is in progress, or one without the member.
    case wait(Session)
    indirect case serve(Session, ShardDuty)
    indirect case work(Session, WorkDuty)
    /// The session is over: leave, with this reason.
    case leave(Farewell)
    /// May not join.
    case refused(StopReason)
    /// Is no member: was silent for too long, or the coordinator was started again. It joins anew.
    /// With the session that it takes itself for a member of.
    case rejoin(SessionID)
}

/// What a session trains on.
package struct Session: Hashable, Sendable {
    package var dataset: DatasetDescription
    package var runCount: Int
    /// Where the data set is to be had: `tcp://HOST:PORT`.
    package var dataEndpoint: String
    /// Whether a worker's process also hosts a server.
    package var workersServe: Bool

    package init(
        dataset: DatasetDescription, runCount: Int, dataEndpoint: String,
        workersServe: Bool = false
    ) {
        self.dataset = dataset
        self.runCount = runCount
        self.dataEndpoint = dataEndpoint
        self.workersServe = workersServe
    }
}

/// The data set of a session: what it is called, and how to know that one has it.
package struct DatasetDescription: Hashable, Sendable {
    package var name: String
    /// In lower-case hexadecimal, over the four uncompressed files laid end to end.
    package var sha256: String
    /// The length of the four files laid end to end.
    package var byteCount: UInt64
    package var trainingExampleCount: Int
    package var shape: ExampleShape

    package init(
        name: String, sha256: String, byteCount: UInt64, trainingExampleCount: Int,
        shape: ExampleShape = .digits
    ) {
        self.shape = shape
        self.name = name
        self.sha256 = sha256
        self.byteCount = byteCount
        self.trainingExampleCount = trainingExampleCount
    }
}

/// A run as a placement begins it.
package struct RunOrder: Hashable, Sendable {
    package var run: RunIndex
    package var configuration: RunConfiguration
    package var generation: Generation
    /// The step that the generation begins with: with the initial weights if it is 0, else with a
    /// checkpoint that the coordinator has.
    package var firstStep: Step

    package init(
        run: RunIndex, configuration: RunConfiguration, generation: Generation = 0,
        firstStep: Step = 0
    ) {
        self.run = run
        self.configuration = configuration
        self.generation = generation
        self.firstStep = firstStep
    }

    /// Whether an address is of this run, in this placement.
    package func covers(_ address: StepAddress) -> Bool {
        address.run == run && address.generation == generation
    }

    /// Whether `other` is a later placement, or of a later run.
    func isOlder(than other: RunOrder) -> Bool {
        (run, generation) < (other.run, other.generation)
    }
}

/// Serves a shard.
package struct ShardDuty: Hashable, Sendable {
    package var order: RunOrder
    package var shard: ShardIndex
    /// With the layout this gives the whole ``ShardPlan``.
    package var shardCount: Int
    /// Whose pushes count, ascending. Views are for workers: a push is judged by who it comes from.
    package var workers: [Incarnation]
    package var receipts: Receipts
    /// The step whose whole state is wanted for a checkpoint, if one is. It is kept while it is
    /// wanted.
    package var checkpoint: Step?
    /// None where there are no two workers.
    package var audits: AuditRate

    package init(
        order: RunOrder, shard: ShardIndex, shardCount: Int, workers: [Incarnation],
        receipts: Receipts, checkpoint: Step? = nil, audits: AuditRate = .none
    ) {
        self.audits = audits
        self.order = order
        self.shard = shard
        self.shardCount = shardCount
        self.workers = workers
        self.receipts = receipts
        self.checkpoint = checkpoint
    }
}

/// What the coordinator has of a server: the server keeps the rest.
package struct Receipts: Hashable, Sendable {
    /// The step report that is wanted next: those before have been received.
    package var received: Step
    /// Reports of steps before this one have been recorded for good.
    package var recorded: Step
    /// Snapshots up to this step are held by the coordinator.
    package var snapshots: Step

    package init(received: Step, recorded: Step, snapshots: Step) {
        self.received = received
        self.recorded = recorded
        self.snapshots = snapshots
    }
}

/// Computes leaves.
package struct WorkDuty: Hashable, Sendable {
    package var order: RunOrder
    package var view: ViewNumber
    /// The leaves to compute of a full step, and of an epoch's last, shorter one.
    package var leaves: Range<Int>
    package var lastLeaves: Range<Int>
    package var audit: AuditDuty
    /// Of the node that this worker computes besides, if there is one.
    package var arbitration: Arbitration?
    /// By shard.
    package var servers: [ServerAddress]
    package var workerCount: Int
    /// The workers on the same host, this one included: they share its cores.
    package var workersOnHost: Int

    package init(
        order: RunOrder, view: ViewNumber, leaves: Range<Int>, lastLeaves: Range<Int>,
        audit: AuditDuty = .none, arbitration: Arbitration? = nil,
        servers: [ServerAddress], workerCount: Int, workersOnHost: Int
    ) {
        self.audit = audit
        self.arbitration = arbitration
        self.order = order
        self.view = view
        self.leaves = leaves
        self.lastLeaves = lastLeaves
        self.servers = servers
        self.workerCount = workerCount
        self.workersOnHost = workersOnHost
    }

    var place: RunPlace {
        RunPlace(run: order.run, generation: order.generation, view: view)
    }

    /// Whether nothing was trained before: the weights are the initial ones.
    var isFirst: Bool { view == 0 && order.generation == 0 && order.firstStep == 0 }
}

/// Computes another worker's leaves, too, in a share of the steps.
package struct AuditDuty: Hashable, Sendable {
    package var rate: AuditRate
    /// Of a full step, and of an epoch's last, shorter one.
    package var leaves: Range<Int>
    package var lastLeaves: Range<Int>

    package static let none = AuditDuty(rate: .none, leaves: 0..<0, lastLeaves: 0..<0)

    package init(rate: AuditRate, leaves: Range<Int>, lastLeaves: Range<Int>) {
        self.rate = rate
        self.leaves = leaves
        self.lastLeaves = lastLeaves
    }
}

/// Where a shard is served, and by which incarnation.
package struct ServerAddress: Hashable, Sendable {
    package var incarnation: Incarnation
    package var endpoint: String

    package init(incarnation: Incarnation, endpoint: String) {
        self.incarnation = incarnation
        self.endpoint = endpoint
    }
}

/// The end of a session for a member.
package struct Farewell: Hashable, Sendable {
    /// What the member exits with, and says.
    package var reason: StopReason
    /// The coordinator knows that the member leaves: nothing is waited for any more.
    package var isHeard: Bool

    package init(reason: StopReason, isHeard: Bool) {
        self.reason = reason
        self.isHeard = isHeard
    }
}

/// How a run ended.
package enum EndStatus: String, Sendable {
    case completed, target, diverged, interrupted
    /// A member was lost, or failed: there is no result.
    case failed
}
