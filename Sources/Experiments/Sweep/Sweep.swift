package import Datasets
package import LockstepProtocol
package import LockstepRuntime
package import NeuralNetwork
package import RunRecords
package import TerminalText
package import TrainingPlan

/// A run of a sweep.
package struct SweepRun: Hashable, Sendable {
    /// Valid for the sweep's data set.
    package var configuration: RunConfiguration
    /// Whether its final weights are kept as a checkpoint.
    package var keepsWeights: Bool

    package init(_ configuration: RunConfiguration, keepsWeights: Bool = true) {
        self.configuration = configuration
        self.keepsWeights = keepsWeights
    }
}

/// Many runs, each with a folder of its own that is named by the hash of its configuration.
///
/// A second start skips the runs that are complete there and continues with the unfinished ones.
/// The results depend on the configurations and the data alone, not on how many are trained at a
/// time, nor on how often the sweep was interrupted.
package struct Sweep: Sendable {
    package var runs: [SweepRun]
    package var dataset: Dataset
    /// Each run's folder is made in here, and `sweep.json`. One process at a time may have it.
    package var directory: String
    /// Runs at a time, each with one thread of this process.
    package var parallelism: Int
    package var kernels: KernelVariant
    /// Lines of steps in a run's log, at most: those of every step of many runs would fill the
    /// disk.
    package var stepLinesPerEpoch = 50
    /// Every so many steps one has a line; nil for as many as ``stepLinesPerEpoch`` allows.
    package var stepLineInterval: Int?
    package var checkpoints = CheckpointPolicy()
    /// The text of a run's `config.yaml`; without it there is none.
    package var configurationFile: (@Sendable (RunConfiguration) -> String)?
    /// What was varied, for `sweep.json`.
    package var grid: [SweepDescription.Axis] = []
    /// Trains the runs one after the other through a cluster, instead of in this process.
    package var cluster: Cluster?

    /// A way to train the runs of one session.
    package struct Cluster: Sendable {
        package var placement: SessionPlacement
        package var waitTimeoutMilliseconds: Int
        package var audits: AuditRate
        package var train:
            @Sendable (SessionRequest, any SessionObserver, Interruption) throws -> SessionResult

        package init(
            placement: SessionPlacement, waitTimeoutMilliseconds: Int, audits: AuditRate = .none,
            train:
                @escaping @Sendable (SessionRequest, any SessionObserver, Interruption) throws ->
                SessionResult
        ) {
            self.placement = placement
            self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
            self.audits = audits
            self.train = train
        }
    }

    package init(
        runs: [SweepRun], dataset: Dataset, directory: String, parallelism: Int,
        kernels: KernelVariant
    ) {
        precondition(parallelism >= 1, "at least one run at a time")
        self.runs = runs
        self.dataset = dataset
        self.directory = directory
        self.parallelism = parallelism
        self.kernels = kernels
    }

    /// A run's id: the first 16 hexadecimal digits of its configuration's hash.
    package func id(of configuration: RunConfiguration) -> String {
        String(configuration.sha256(dataset: dataset).prefix(Self.idLength))
    }

    private static let idLength = 16

    /// Where a run's records and weights lie.
    package func runDirectory(of configuration: RunConfiguration) -> RunDirectory {
        RunDirectory(path: "\(directory)/\(id(of: configuration))")
    }

    /// Whether a run is complete in the sweep's folder. Changes nothing there.
    package func isComplete(_ configuration: RunConfiguration) -> Bool {
        let path = runDirectory(of: configuration).metricsPath
        guard let end = try? MetricsFile.end(of: path) else { return false }
        return end.status.isFinal
            && end.configurationSHA256 == configuration.sha256(dataset: dataset)
    }

    /// Tries what the smallest of the networks to be trained will have to write: where that fails,
    /// all would. Runs that keep no weights write in this folder what their descriptions do.
    private func rehearse() throws(FileError) -> [String] {
        let pending = runs.filter { !isComplete($0.configuration) }
        guard pending.allSatisfy(\.keepsWeights),
            let least = pending.map(\.configuration).min(by: {
                $0.parameterByteCount < $1.parameterByteCount
            })
        else { return [] }
        return try runDirectory(of: least).rehearse(byteCount: least.parameterByteCount)
    }

    /// Trains what is not complete already. Neither a run that diverges nor one that fails stops
    /// the others; a failed one is tried once more.
    ///
    /// - Throws: before anything is trained, ``SweepError`` for two runs of one configuration,
    ///   ``RunDirectoryError`` or ``MetricsError`` for a folder that holds anything else than its
    ///   run, and ``FileError`` where nothing can be written, ``FolderInUse`` where another process
    ///   is at work; ``RoleError`` where a cluster cannot begin.
    package func run(
        observer: any SweepObserver, interruption: Interruption
    ) throws -> SweepResult {
        let ids = runs.map { id(of: $0.configuration) }
        var indices: [String: Int] = [:]
        for (index, id) in ids.enumerated() {
            if let first = indices.updateValue(index, forKey: id) {
                throw SweepError.duplicate(first: first, second: index)
            }
        }
        let lock = try FolderLock(directory)
        return try withExtendedLifetime(lock) {
            try SweepDescription.check(directory)
            let state = try SweepState(self, observer: observer)
            if let warning = lock.warning { state.notice("warning: \(warning)") }
            for warning in try rehearse() { state.notice("warning: \(warning)") }
            try SweepDescription(self, ids: ids).write(to: directory)
            if let cluster {
                try ClusterSweep(self, cluster, state, interruption).run()
            } else {
                LocalSweep(self, state, interruption).run()
            }
            decodeAgain(state)
            return state.result(interruption)
        }
    }
}

extension RunConfiguration {
    fileprivate var parameterByteCount: Int {
        layout.parameterCount * MemoryLayout<Float>.size
    }
}

/// What people see of a sweep while it lasts. Called from any thread, one call at a time.
package protocol SweepObserver: Sendable {
    /// A sentence for the log.
    func notice(_ text: String)
    /// Some times a second at most.
    func progress(_ progress: SweepProgress)
    /// A run has ended or failed, in this start.
    func runEnded(_ run: SweepResult.Run, progress: SweepProgress)
}

/// How a sweep ended.
package struct SweepResult: Sendable {
    package struct Run: Sendable {
        package enum Ending: Sendable {
            /// Completed, reached its target or diverged.
            case ended(RunOutcome)
            /// Twice; the second cause.
            case failed(StopReason)
            /// Interrupted, or not begun.
            case unfinished
        }

        package let id: String
        package let run: SweepRun
        package let directory: RunDirectory
        package let ending: Ending
        /// Whether it was complete before this start.
        package let wasComplete: Bool

        package var outcome: RunOutcome? {
            switch ending {
            case .ended(let outcome): outcome
            case .failed, .unfinished: nil
            }
        }

        package var failure: StopReason? {
            switch ending {
            case .failed(let cause): cause
            case .ended, .unfinished: nil
            }
        }
    }

    /// In the order of the sweep's runs, all of them.
    package let runs: [Run]
    /// Success, also with diverged runs; where runs failed that of their causes; the signal's code
    /// where it was interrupted.
    package let reason: StopReason

    /// Of the runs that ended, in their order.
    package var outcomes: [RunOutcome] { runs.compactMap(\.outcome) }

    package var failed: [(run: Run, cause: StopReason)] {
        runs.compactMap { run in
            run.failure.map { (run, $0) }
        }
    }
}

/// A list of runs that is not a sweep.
package enum SweepError: Error, Equatable, CustomStringConvertible {
    /// Two runs of one configuration, by their places in the list.
    case duplicate(first: Int, second: Int)

    package var description: String {
        switch self {
        case .duplicate(let first, let second):
            "runs \(first + 1) and \(second + 1) of the sweep have the same configuration; "
                + "leave one out"
        }
    }
}
