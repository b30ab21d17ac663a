import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork
import RunRecords
import TrainingPlan

/// What the commands that train have in common: data, directories, and the session's way from a
/// request to results.
struct TrainingSession {
    /// A run and what its directory holds already.
    private struct Entry {
        let configuration: RunConfiguration
        let opening: RunDirectory.Opening
        /// Keeps the directory to this process until it ends; nil where nothing is written to it.
        let lock: FolderLock?
    }

    /// The runs that there are results of, and how the session ended.
    struct Result {
        /// In the order asked for, those of earlier sessions included.
        var outcomes: [(run: RunOutcome, directory: String)]
        var reason: StopReason
    }

    typealias Train =
        @Sendable (SessionRequest, any SessionObserver, Interruption) throws -> SessionResult

    private let settings: Settings
    private let placement: SessionPlacement
    private let logger: Logger
    /// The file that a timeline is written to; nil for none.
    private let trace: String?
    private let kernels: KernelVariant
    private let waitTimeoutMilliseconds: Int
    private let checkpoints: CheckpointPolicy
    private let stepLineInterval: Int
    private let dataset: Dataset
    private let entries: [Entry]
    /// Of an entry that is not trained, since it decodes the outputs of another one: the other.
    private let sources: [Int: Int]
    /// Whether the directories were made for this session, under names of our choice.
    private let hasFreshDirectories: Bool

    /// Checks everything and opens all directories, before anything is trained.
    ///
    /// - Parameters:
    ///   - trace: the file that a timeline is written to; nil for none.
    ///   - directory: where a run's records go; nil for a fresh place.
    init(
        _ configurations: [RunConfiguration], settings: Settings, placement: SessionPlacement,
        logger: Logger, trace: String? = nil, directory: (RunConfiguration) -> String?
    ) throws {
        self.trace = trace
        self.settings = settings
        self.placement = placement
        self.logger = logger
        // What can be told without the data is told before it is downloaded.
        for configuration in configurations {
            try settings.validate(configuration)
            _ = try ShardPlan(configuration, shardCount: max(placement.servers.knownCount, 1))
        }
        kernels = try .selected(environment: ProcessInfo.processInfo.environment)
        waitTimeoutMilliseconds = try settings.waitTimeoutMilliseconds()
        settings.warnOfIdleThreads(placement.threads, logger)
        checkpoints = try settings.checkpointPolicy()
        stepLineInterval = try settings.stepLineInterval() ?? 1
        dataset = try Dataset.find(settings[.data]?.text, logger)
        for configuration in configurations {
            try settings.validate(configuration, trainingExampleCount: dataset.train.count)
        }
        let dataset = dataset
        entries = try configurations.map { configuration in
            try Self.open(directory(configuration), configuration, dataset) {
                logger.warning("\($0)")
            }
        }
        sources = try Self.sources(entries)
        hasFreshDirectories = configurations.allSatisfy { directory($0) == nil }
    }

    private static func open(
        _ path: String?, _ configuration: RunConfiguration, _ dataset: Dataset,
        warning: (String) -> Void
    ) throws -> Entry {
        func entry(_ opening: RunDirectory.Opening, _ lock: FolderLock?) throws -> Entry {
            switch opening {
            case .new(let directory), .unfinished(let directory):
                let weights = configuration.layout.parameterCount * MemoryLayout<Float>.size
                try directory.rehearse(byteCount: weights).forEach(warning)
                if let text = lock?.warning { warning(text) }
            case .finished: break
            }
            return Entry(configuration: configuration, opening: opening, lock: lock)
        }
        guard let path else {
            let directory = try RunDirectory.fresh(
                configuration: configuration.name, seed: configuration.seed)
            return try entry(.new(directory), try FolderLock(directory.path))
        }
        func look() throws -> RunDirectory.Opening {
            try RunDirectory.open(
                path, configuration: configuration.name, seed: configuration.seed,
                configurationSHA256: configuration.sha256(dataset: dataset),
                datasetSHA256: "\(dataset.sha256)")
        }
        // A result is shown also where nothing can be written.
        if case let finished = try look(), case .finished = finished {
            return try entry(finished, nil)
        }
        let lock = try FolderLock(path)
        // Whoever had it until now may have ended the run.
        return try entry(try look(), lock)
    }

    /// Runs with the weights of one before are decoded again, where its log tells how.
    private static func sources(_ entries: [Entry]) throws -> [Int: Int] {
        try RedecodedRun.sources(of: entries.map(\.configuration)).filter { index, source in
            guard case .new = entries[index].opening else { return false }
            return switch entries[source].opening {
            case .new: true
            case .unfinished(let directory), .finished(let directory, _):
                try RedecodedRun.isRecorded(in: directory)
            }
        }
    }

    /// Trains what is not finished already, once where runs differ in their decoding only.
    func run(_ train: Train) throws -> Result {
        defer { removeUnusedDirectories() }
        if let trace { try FileReplacement.check(trace) }
        var plannedRuns: [PlannedRun] = []
        for (index, entry) in entries.enumerated() where sources[index] == nil {
            switch entry.opening {
            case .new(let directory):
                plannedRuns.append(plannedRun(entry, directory))
            case .unfinished(let directory):
                var run = plannedRun(entry, directory)
                try run.resume(dataset: dataset) { logger.notice("\($0)") }
                plannedRuns.append(run)
            case .finished(let directory, _):
                logger.notice("\(directory.path) holds this run, finished: shown again")
            }
        }
        guard !plannedRuns.isEmpty else {
            if let trace { logger.notice("nothing is trained, and \(trace) is not written") }
            return try result(of: SessionResult(outcomes: [], reason: StopReason(.success, "")))
        }
        let (settings, placement, dataset) = (settings, placement, dataset)
        let reporter = SessionReporter(runCount: plannedRuns.count, logger: logger) {
            configuration, directory in
            try directory.writeConfiguration(
                settings.file(of: configuration, placement: placement, dataset: dataset))
        }
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let session = try train(
            SessionRequest(
                runs: plannedRuns, dataset: dataset, placement: placement, kernels: kernels,
                waitTimeoutMilliseconds: waitTimeoutMilliseconds,
                minimumWorkers: try settings.minimumWorkers(),
                maximumWorkers: try settings.maximumWorkers(),
                audits: try settings.auditRate(), trace: trace), reporter, interruption)
        Console.shared.clearBar()
        if session.reason.exitCode == .success, let failure = reporter.failure { throw failure }
        return try result(of: session)
    }

    private func plannedRun(_ entry: Entry, _ directory: RunDirectory) -> PlannedRun {
        PlannedRun(
            entry.configuration, directory: directory, stepLineInterval: stepLineInterval,
            checkpoints: checkpoints)
    }

    private func result(of session: SessionResult) throws -> Result {
        var trained = session.outcomes[...]
        var found: [(run: RunOutcome, directory: String)?] = []
        for (index, entry) in entries.enumerated() {
            switch entry.opening {
            case .new(let directory) where sources[index] != nil:
                let source = sources[index].flatMap { found[$0] }
                found.append(
                    try source.flatMap { try redecoded(entry, directory, from: $0) })
            case .new(let directory), .unfinished(let directory):
                found.append(trained.popFirst().map { ($0, directory.path) })
            case .finished(let directory, let outcome): found.append((outcome, directory.path))
            }
        }
        let outcomes = found.compactMap(\.self)
        if outcomes.count < entries.count {
            logger.warning(
                "\(entries.count - outcomes.count) of \(entries.count) runs have no result")
        }
        return Result(outcomes: outcomes, reason: session.reason)
    }

    /// The run that decodes the outputs of another one; nil where that one has not ended.
    private func redecoded(
        _ entry: Entry, _ directory: RunDirectory, from source: (run: RunOutcome, directory: String)
    ) throws -> (run: RunOutcome, directory: String)? {
        guard source.run.end?.status.isFinal == true else { return nil }
        let configuration = entry.configuration
        try directory.writeConfiguration(
            settings.file(of: configuration, placement: placement, dataset: dataset))
        let outcome = try RedecodedRun(configuration, directory: directory)
            .write(from: RunDirectory(path: source.directory), dataset: dataset)
        logger.notice(
            """
            \(configuration.name), seed \(configuration.seed): the weights of \
            \(source.run.run.configuration), trained once and decoded again, in \(directory.path)
            """)
        return (outcome, directory.path)
    }

    /// Fresh directories of runs that did not begin; rmdir leaves whatever holds a file.
    private func removeUnusedDirectories() {
        guard hasFreshDirectories else { return }
        for case .new(let directory) in entries.map(\.opening) {
            // The log folder of a run that began is part of it.
            guard !FileManager.default.fileExists(atPath: directory.metricsPath) else { continue }
            unsafe unlink("\(directory.path)/\(FolderLock.fileName)")
            for path in [directory.path + "/checkpoints", directory.logPath, directory.path] {
                unsafe rmdir(path)
            }
        }
    }
}

extension TrainingSession.Result {
    /// Ends the command with the session's exit code, if that is not success.
    func throwIfFailed() throws(CommandEnd) {
        if reason.exitCode != .success { throw CommandEnd(reason: reason) }
    }

    /// Prints each run's summary or object, and ends as the session did.
    func show(asJSON isJSON: Bool) throws(CommandEnd) {
        if isJSON {
            printJSON()
        } else {
            for (run, directory) in outcomes { print(run.summary(directory: directory)) }
        }
        try end()
    }

    /// After what was printed: an end that is none of success counts more than a lost line.
    func end() throws(CommandEnd) {
        try throwIfFailed()
        let place = outcomes.map { RunDirectory(path: $0.directory).metricsPath }
        try StandardStreams.flushOutput(alsoIn: place.joined(separator: ", "))
    }

    /// One line of JSON a run.
    func printJSON() {
        for end in outcomes.compactMap(\.run.end) { print(end.json) }
    }
}

extension Dataset {
    /// The data set that was asked for, or what the environment and this host offer.
    static func find(_ request: String?, _ logger: Logger) throws -> Dataset {
        let bar = Console.shared.isTerminal ? DownloadBar() : nil
        let environment = ProcessInfo.processInfo.environment
        let source = DatasetSource(environment: environment)
        let wanted = (request ?? environment["LOCKSTEP_DATA"]).flatMap { $0.isEmpty ? nil : $0 }
        try MemoryLimit.reserve(
            MemoryLimit.baseByteCount
                + MemoryLimit.datasetByteCount(payload: expectedByteCount(wanted)))
        defer { bar?.finish() }
        let found = try source.find(request.map(DatasetRequest.init)) { bar?.show($0) }
        bar?.finish()
        for note in found.notes { logger.notice("\(note)") }
        return found.dataset
    }

    /// A guess, before anything is read: compressed files become several times as large.
    private static func expectedByteCount(_ request: String?) -> Int {
        guard let request, case .folder(let path) = DatasetRequest(request) else {
            return mnistByteCount
        }
        let manager = FileManager.default
        let names = (try? manager.contentsOfDirectory(atPath: path)) ?? []
        return names.reduce(0) { sum, name in
            let attributes = try? manager.attributesOfItem(atPath: "\(path)/\(name)")
            let size = attributes?[.size] as? Int ?? 0
            return sum + (name.hasSuffix(".gz") ? mnistRatio * size : size)
        }
    }

    private static let mnistByteCount = 70_000 * 785
    private static let mnistRatio = 6
}
