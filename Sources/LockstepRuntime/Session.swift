package import Datasets
package import LockstepProtocol
package import NeuralNetwork
package import RunRecords
package import TerminalText
package import TrainingPlan

/// A run of a session: what to train, and where its records go.
package struct PlannedRun: Sendable {
    package var configuration: RunConfiguration
    package var directory: RunDirectory
    /// Every so many steps one has a line in the log; all count in the epoch's figures.
    package var stepLineInterval: Int
    /// Whether the weights at the end of the run become a checkpoint.
    package var keepsWeights: Bool
    /// Runs that are trained at a time on this machine, this one included.
    package var parallelism: Int
    package var checkpoints: CheckpointPolicy
    /// The state that the run continues from, found in its directory; nil to train from step 0, in
    /// a directory without a log.
    package var start: Checkpoint?
    /// Whether it was begun by an earlier command.
    package private(set) var hasBegun = false

    package init(
        _ configuration: RunConfiguration, directory: RunDirectory, stepLineInterval: Int = 1,
        keepsWeights: Bool = true, checkpoints: CheckpointPolicy = CheckpointPolicy(),
        parallelism: Int = 1, start: Checkpoint? = nil
    ) {
        precondition(stepLineInterval >= 1, "lines are at least one step apart")
        self.configuration = configuration
        self.directory = directory
        self.stepLineInterval = stepLineInterval
        self.keepsWeights = keepsWeights
        self.parallelism = parallelism
        self.checkpoints = checkpoints
        self.start = start
    }
}

extension PlannedRun {
    /// Takes up the unfinished run in the directory: from its newest whole checkpoint, or from step
    /// 0 in an emptied log where there is none.
    ///
    /// - Parameter notice: told where it continues, and what is not used and why.
    /// - Throws: ``RunDirectoryError``, ``MetricsError`` or ``FileError``; see
    ///   ``RunDirectory/resumePoint(matching:)``.
    package mutating func resume(dataset: Dataset, notice: (String) -> Void) throws {
        let point = try directory.resumePoint(
            matching: configuration.checkpointIdentity(dataset: dataset))
        for warning in point.warnings { notice("warning: \(warning)") }
        start = point.checkpoint
        hasBegun = true
        if let start {
            notice(
                "\(directory.path) holds this run unfinished: it resumes after step \(start.step)")
        } else {
            try directory.startOver()
            notice(
                "\(directory.path) holds this run unfinished, without a whole checkpoint: it begins "
                    + "again at step 0")
        }
    }
}

/// What a session trains, one run after the other, and how it is placed. Placement does not change
/// a bit of the result.
package struct SessionRequest: Sendable {
    /// Each valid for the data set.
    package var runs: [PlannedRun]
    package var dataset: Dataset
    /// Workers 0 trains in this process, without a socket.
    package var placement: SessionPlacement
    package var kernels: KernelVariant
    package var waitTimeoutMilliseconds: Int
    /// With fewer workers a run that has begun waits.
    package var minimumWorkers: Int
    package var maximumWorkers: Int
    /// The share of steps that are audited, where there are two workers.
    package var audits: AuditRate
    /// The file that the session's timeline is written to at its end; nil for none.
    package var trace: String?

    package init(
        runs: [PlannedRun], dataset: Dataset, placement: SessionPlacement, kernels: KernelVariant,
        waitTimeoutMilliseconds: Int, minimumWorkers: Int = 1,
        maximumWorkers: Int = Limits.maximumWorkers, audits: AuditRate = .none, trace: String? = nil
    ) {
        self.trace = trace
        self.audits = audits
        self.minimumWorkers = minimumWorkers
        self.maximumWorkers = maximumWorkers
        self.runs = runs
        self.dataset = dataset
        self.placement = placement
        self.kernels = kernels
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }
}

/// How a session is placed on processes and threads.
package struct SessionPlacement: Hashable, Sendable {
    /// 0 trains in this process, without a socket.
    package var workers: Int
    package var threads: Int
    package var servers: ServerPlacement

    /// Where nothing else is said.
    package static let standard = SessionPlacement(workers: 2)

    package init(workers: Int, threads: Int = 1, servers: ServerPlacement = .onWorkers) {
        self.workers = workers
        self.threads = threads
        self.servers = servers
    }

    /// As it stands in the records of a run that so many take part in.
    func recorded(workers: Int, servers: Int) -> Placement {
        Placement(workers: workers, threads: threads, servers: servers)
    }
}

/// How a session ended: the runs that began, in order, and the coordinator's own end.
package struct SessionResult: Sendable {
    package var outcomes: [RunOutcome]
    package var reason: StopReason

    package init(outcomes: [RunOutcome], reason: StopReason) {
        self.outcomes = outcomes
        self.reason = reason
    }
}

/// What people see of a session while it lasts. Called from any thread, one call at a time.
package protocol SessionObserver: Sendable {
    /// A sentence for the log.
    func notice(_ text: String)
    func runStarted(_ configuration: RunConfiguration, directory: RunDirectory)
    /// Some times a second at most.
    func progress(_ progress: RunProgress)
    func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double)
    func runEnded(_ outcome: RunOutcome)
}

extension StopReason {
    /// A session cannot continue without its records.
    package init(recording error: any Error) {
        switch error {
        case is MetricsError: self.init(.badData, "\(error)")
        case is RunDirectoryError: self.init(.mismatch, "\(error)")
        case is FolderInUse: self.init(.lostPeer, "\(error)")
        default: self.init(.cannotWrite, "\(error)")
        }
    }
}
