package import TrainingPlan

/// The version of the messages and their meaning: it changes when either does.
package let protocolVersion = 3

/// What a process does in the cluster, apart from coordinating it.
package enum Role: String, Codable, Sendable {
    case server, worker
}

/// Member → coordinator, repeated until it is answered.
package struct Hello: Hashable, Codable, Sendable {
    package var role: Role
    package var protocolVersion: Int
    package var arithmeticVersion: Int
    package var host: String
    package var processID: Int32
    /// Drawn by the process at its start: a repeated hello is known by it.
    package var nonce: UInt64
    package var threads: Int
    /// Where workers reach a server: `tcp://HOST:PORT`. Nil for a worker.
    package var dataEndpoint: String?
    /// The hash of the data set that a worker was told to train on, if it was told one.
    package var datasetSHA256: String?

    package init(
        role: Role, host: String, processID: Int32, nonce: UInt64, threads: Int = 1,
        dataEndpoint: String? = nil, datasetSHA256: String? = nil,
        protocolVersion: Int = LockstepProtocol.protocolVersion,
        arithmeticVersion: Int = TrainingPlan.arithmeticVersion
    ) {
        self.role = role
        self.protocolVersion = protocolVersion
        self.arithmeticVersion = arithmeticVersion
        self.host = host
        self.processID = processID
        self.nonce = nonce
        self.threads = threads
        self.dataEndpoint = dataEndpoint
        self.datasetSHA256 = datasetSHA256
    }
}

/// The data set of a session: what it is called, and how to know that one has it.
package struct DatasetDescription: Hashable, Codable, Sendable {
    package var name: String
    /// In lower-case hexadecimal, over the four uncompressed files laid end to end.
    package var sha256: String
    /// The length of the four files laid end to end.
    package var byteCount: UInt64
    package var trainingExampleCount: Int

    package init(name: String, sha256: String, byteCount: UInt64, trainingExampleCount: Int) {
        self.name = name
        self.sha256 = sha256
        self.byteCount = byteCount
        self.trainingExampleCount = trainingExampleCount
    }
}

/// Coordinator → member: it has joined.
package struct Welcome: Hashable, Codable, Sendable {
    package var session: SessionID
    package var incarnation: Incarnation
    package var dataset: DatasetDescription
    /// The run that is going on without the member; it waits for the next one.
    package var currentRun: RunIndex?
    package var runCount: Int

    package init(
        session: SessionID, incarnation: Incarnation, dataset: DatasetDescription,
        currentRun: RunIndex? = nil, runCount: Int = 1
    ) {
        self.session = session
        self.incarnation = incarnation
        self.dataset = dataset
        self.currentRun = currentRun
        self.runCount = runCount
    }
}

/// A process of the cluster, as people know it.
package struct MemberName: Hashable, Codable, Sendable, CustomStringConvertible {
    package var role: Role
    package var incarnation: Incarnation
    package var host: String
    package var processID: Int32

    package init(role: Role, incarnation: Incarnation, host: String, processID: Int32) {
        self.role = role
        self.incarnation = incarnation
        self.host = host
        self.processID = processID
    }

    package var description: String {
        "\(role.rawValue) \(incarnation) (host \(host), process \(processID))"
    }
}

/// Coordinator → server: owns this shard in the run. Repeated until `runPrepared`.
package struct PrepareRun: Hashable, Codable, Sendable {
    package var run: RunIndex
    package var configuration: RunConfiguration
    package var shard: ShardIndex
    /// With the layout this gives the whole ``ShardPlan``.
    package var shardCount: Int
    /// The workers whose pushes count, by ordinal.
    package var workers: [MemberName]

    package init(
        run: RunIndex, configuration: RunConfiguration, shard: ShardIndex, shardCount: Int,
        workers: [MemberName]
    ) {
        self.run = run
        self.configuration = configuration
        self.shard = shard
        self.shardCount = shardCount
        self.workers = workers
    }
}

/// A numbered assignment of leaves to workers: ``LeafAssignment`` for this many, by ordinal.
package struct View: Hashable, Codable, Sendable {
    package var number: ViewNumber
    package var workers: [Incarnation]

    package init(number: ViewNumber, workers: [Incarnation]) {
        self.number = number
        self.workers = workers
    }
}

/// Where a shard is served, and by which incarnation.
package struct ServerAddress: Hashable, Codable, Sendable {
    package var incarnation: Incarnation
    package var endpoint: String

    package init(incarnation: Incarnation, endpoint: String) {
        self.incarnation = incarnation
        self.endpoint = endpoint
    }
}

/// Coordinator → worker: trains this run. Repeated until `viewAcknowledged`.
package struct StartRun: Hashable, Codable, Sendable {
    package var run: RunIndex
    package var configuration: RunConfiguration
    package var view: View
    /// By shard.
    package var servers: [ServerAddress]

    package init(
        run: RunIndex, configuration: RunConfiguration, view: View, servers: [ServerAddress]
    ) {
        self.run = run
        self.configuration = configuration
        self.view = view
        self.servers = servers
    }
}

/// What a server found that is not finite.
package struct DivergenceFinding: Hashable, Codable, Sendable, CustomStringConvertible {
    package enum Quantity: String, Codable, Sendable {
        case gradient, state, weight
    }

    package var quantity: Quantity
    /// The tensor's name, e.g. `layer 1 kernel`.
    package var tensor: String

    package init(quantity: Quantity, tensor: String) {
        self.quantity = quantity
        self.tensor = tensor
    }

    package var description: String { "a \(quantity.rawValue) of \(tensor) is not finite" }
}

/// Server → coordinator: this step was not committed, and the weights of it are the last finite.
package struct Diverged: Hashable, Codable, Sendable {
    package var run: RunIndex
    package var step: Step
    package var shard: ShardIndex
    package var finding: DivergenceFinding

    package init(run: RunIndex, step: Step, shard: ShardIndex, finding: DivergenceFinding) {
        self.run = run
        self.step = step
        self.shard = shard
        self.finding = finding
    }
}

/// Both ways: alive, and how far.
package struct Heartbeat: Hashable, Codable, Sendable {
    package enum Activity: String, Codable, Sendable {
        case gathering = "waiting for members"
        case fetchingDataset = "fetching the data set"
        case waitingForRun = "waiting for a run"
        case preparing = "preparing a run"
        case computing
        case waitingForWeights = "waiting for weights"
        case waitingForPushes = "waiting for pushes"
        case updating = "updating weights"
        case running
        case ending
    }

    package var activity: Activity
    package var run: RunIndex?
    package var step: Step?

    package init(_ activity: Activity, run: RunIndex? = nil, step: Step? = nil) {
        self.activity = activity
        self.run = run
        self.step = step
    }
}

/// How a run or a session ended.
package enum EndStatus: String, Codable, Sendable {
    case completed, target, diverged, interrupted
    /// A member was lost, or failed: there is no result.
    case failed
}

/// Coordinator → member: the session is over; say goodbye and exit. Repeated until `goodbye`.
package struct SessionEnded: Hashable, Codable, Sendable {
    package var status: EndStatus
    /// What the member exits with, and says.
    package var reason: StopReason

    package init(status: EndStatus, reason: StopReason) {
        self.status = status
        self.reason = reason
    }
}
