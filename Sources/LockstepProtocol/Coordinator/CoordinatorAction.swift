package import TrainingPlan

/// What a session trains, and with how many.
package struct SessionPlan: Hashable, Sendable {
    package var session: SessionID
    package var dataset: DatasetDescription
    /// Where the data set is to be had.
    package var dataEndpoint: String
    /// Trained one after the other; each is valid for the data set.
    package var runs: [RunConfiguration]
    /// A run starts when so many workers are ready, with all that are ready by then.
    package var startingWorkers: Int
    /// With fewer a run that has started waits.
    package var minimumWorkers: Int
    package var maximumWorkers: Int
    package var servers: ServerPlacement
    package var waitTimeoutMilliseconds: Int
    /// The step of the checkpoint that each run continues from, by run; 0 to begin anew.
    package var firstSteps: [Step]
    /// Whether the first run had begun before this coordinator was started: some of its workers may
    /// be gone for good.
    package var isResumed: Bool
    /// The time between checkpoints; 0 for none.
    package var checkpointMilliseconds: Int
    package var audits: AuditRate

    package init(
        session: SessionID, dataset: DatasetDescription, dataEndpoint: String,
        runs: [RunConfiguration], startingWorkers: Int, minimumWorkers: Int = 1,
        maximumWorkers: Int = Limits.maximumWorkers, servers: ServerPlacement,
        waitTimeoutMilliseconds: Int,
        firstSteps: [Step]? = nil, isResumed: Bool = false, checkpointMilliseconds: Int = 0,
        audits: AuditRate = .none
    ) {
        self.audits = audits
        self.isResumed = isResumed || firstSteps?.first ?? 0 > 0
        self.firstSteps = firstSteps ?? runs.map { _ in 0 }
        self.checkpointMilliseconds = checkpointMilliseconds
        self.session = session
        self.dataset = dataset
        self.dataEndpoint = dataEndpoint
        self.runs = runs
        self.startingWorkers = startingWorkers
        self.minimumWorkers = minimumWorkers
        self.maximumWorkers = maximumWorkers
        self.servers = servers
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }
}

/// How many servers a run has, and where. Results do not depend on it.
package enum ServerPlacement: Hashable, Sendable {
    /// So many, which the coordinator hosts or which are started apart.
    case count(Int)
    /// In the processes of workers: one on each host, or on a single host as many as measure best.
    case onWorkers

    /// How many there are before anybody has joined.
    package var knownCount: Int {
        switch self {
        case .count(let count): count
        case .onWorkers: 0
        }
    }
}

/// A run that begins, or continues with other servers: what its engine needs to know.
package struct RunStart: Hashable, Sendable {
    package var run: RunIndex
    package var generation: Generation
    package var workers: [MemberName]
    package var servers: [MemberName]
    /// Where each shard is served, by shard.
    package var addresses: [ServerAddress]

    package init(
        run: RunIndex, generation: Generation = 0, workers: [MemberName], servers: [MemberName],
        addresses: [ServerAddress]
    ) {
        self.run = run
        self.generation = generation
        self.workers = workers
        self.servers = servers
        self.addresses = addresses
    }
}

/// How a run ended, and whose weights are its result.
package struct RunEnd: Hashable, Sendable {
    package var run: RunIndex
    package var status: EndStatus
    /// The result is the weights of this step: the snapshot of it is there for `completed`,
    /// `target` and `diverged`; for the others it is the last step that every shard committed.
    /// Records of later steps are not part of the run.
    package var step: Step
    package var divergence: DivergenceFinding?

    package init(
        run: RunIndex, status: EndStatus, step: Step, divergence: DivergenceFinding? = nil
    ) {
        self.run = run
        self.status = status
        self.step = step
        self.divergence = divergence
    }
}

/// Something worth a line in the coordinator's log.
package enum CoordinatorNotice: Hashable, Sendable {
    case joined(MemberName, threads: Int)
    case ready(MemberName)
    case refused(MemberDescription, StopReason)
    /// Left or was lost; whatever it had to do, others do.
    case left(MemberName, reason: String)
    /// Leaves of this step did not come in time, and are given to others.
    case late([MemberName], Step)
    /// A worker that was late, or has just come, takes its share.
    case entered(MemberName, Step)
    /// A server is lost: the run continues from this step, that of the newest checkpoint.
    case fallsBack(RunIndex, to: Step)
    /// Others are to serve it, from this checkpoint on.
    case movesShards(RunIndex, at: Step)
    /// So many workers are there, fewer than a run needs to continue.
    case tooFewWorkers(RunIndex, count: Int)
    /// Computed wrongly, as others have shown.
    case expelled(MemberName, reason: String)
    /// Workers disagree, and this one is asked.
    case arbitrates(MemberName, disagreement: String)
    /// Workers disagree, and there is nobody else to ask: a worker is waited for.
    case undecided(String)
    /// The only worker left cannot be audited.
    case unaudited(RunIndex)
    case malformed(PeerHandle, FrameError)
    /// More workers than leaves: this many have nothing to do.
    case idleWorkers(RunIndex, count: Int)
    case withoutGoodbye(MemberName)
    case dropped(String)
}

/// What the coordinator has to do next; done in order.
package enum CoordinatorAction: Hashable, Sendable {
    // Steady step.
    /// The payload in hand is what the shard measured of this step.
    case keepReport(ShardIndex, Step)
    /// Every shard has reported this step, and all that comes before it in the records is there:
    /// record it, and say `recorded`.
    case recordStep(RunIndex, Step)

    // Now and then.
    indirect case send(PeerHandle, StatementNumber, Incarnation, Assignment)
    /// A frame that any version refuses, and learns the version from.
    case sendVersion(PeerHandle)
    case sendDatasetPart(PeerHandle, BytePart)
    /// Ask the shard's server for a part of its weights.
    case requestPart(SnapshotPart)
    /// The payload in hand is this part of a shard's weights.
    case keepPart(SnapshotPart)
    /// The payload in hand is what this member has done, and when.
    indirect case keepTrace(MemberName)
    indirect case sendOverview(PeerHandle, ClusterOverview)
    /// Start or retire workers of this host until there are so many, and answer.
    case scale(PeerHandle, toWorkers: Int)
    /// The payload in hand is this part of a shard's whole state.
    case keepStatePart(SnapshotPart)
    /// Every shard's state of this step is there, and all steps before it are recorded: it is the
    /// checkpoint that a generation may begin with from now on. Write it, in the order of these
    /// actions.
    case checkpoint(RunIndex, Step)
    /// Send a part of the checkpoint to the server that takes a shard of it.
    case sendStatePart(PeerHandle, SnapshotPart, shardCount: Int)
    /// Close the data connection to the shard's server and make a new one.
    case reconnect(ShardIndex)
    /// Every shard's weights of this step are there. Evaluate them, in the order of these actions,
    /// and say `evaluated`. Keep them until that has been answered.
    case evaluate(RunIndex, Step)
    /// Connect to the servers, and make room for what they send; for a later generation of the run
    /// that is open, what has been recorded and evaluated stays.
    indirect case beginRun(RunStart)
    indirect case endRun(RunEnd)
    indirect case notice(CoordinatorNotice)
}

/// What the coordinator's engine has done or found.
package enum CoordinatorEvent: Hashable, Sendable {
    /// Reports of the steps before this one have been recorded for good.
    case recorded(RunIndex, before: Step)
    case evaluated(RunIndex, Step, reachedTarget: Bool)
    /// The run's end has been recorded for good.
    case ended(RunIndex)
    /// A process is known to be gone, e.g. a child of this one that has exited. With a failure
    /// nobody comes in its place: where the session cannot do without, it ends with that.
    indirect case lost(processID: Int32, host: String, cause: String, failure: StopReason?)
    /// It cannot continue, e.g. cannot write its log.
    indirect case failed(StopReason)
    /// A person or a supervisor wants a checkpoint now; training continues.
    case checkpointAsked
}

/// What a coordinator may be sent. Types for other roles do not come this far.
package enum CoordinatorInbound: Hashable, Sendable {
    indirect case status(StatementNumber, Status)
    case report(StepAddress)
    case traceEvents
    case datasetRequest(BytePart)
    case snapshotPart(SnapshotPart)
    case overviewRequest
    case scaleRequest(workers: Int)
    /// A server wants a part of the checkpoint that its generation begins with.
    case snapshotRequest(SnapshotPart)
}
