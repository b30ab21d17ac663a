import CrashPoints
package import Foundation

/// The folder of one run: `config.yaml`, `metrics.jsonl`, `checkpoints/step-N/` and `log/`.
package struct RunDirectory: Equatable, Sendable {
    package let path: String

    /// Names a place without looking at it.
    package init(path: String) {
        self.path = path
    }

    package var configurationPath: String { path + "/config.yaml" }
    package var metricsPath: String { path + "/metrics.jsonl" }
    package var logPath: String { path + "/log" }

    /// Where the files of the checkpoint after `step` updates lie.
    package func checkpointPath(step: Int) -> String { "\(checkpointsPath)/step-\(step)" }
    package var checkpointsPath: String { path + "/checkpoints" }

    /// The files of a run's weights with the steps that they belong to, the newest last. Folders
    /// that hold the state of a run that has not ended, and no such file, are left out; see
    /// ``CheckpointStore``.
    package var checkpoints: [(step: Int, path: String)] {
        let manager = FileManager.default
        let names = (try? manager.contentsOfDirectory(atPath: checkpointsPath)) ?? []
        return names.compactMap { name -> (step: Int, path: String)? in
            guard name.hasPrefix("step-"), let step = Int(name.dropFirst("step-".count)) else {
                return nil
            }
            let file = "\(checkpointsPath)/\(name)/\(Self.weightsName)"
            return manager.fileExists(atPath: file) ? (step, file) : nil
        }.sorted { $0.step < $1.step }
    }

    /// The file of a checkpoint that holds the weights.
    package static let weightsName = "model.safetensors"

    /// What was found at a place that the user named.
    package enum Opening: Equatable, Sendable {
        /// Empty or just made: train here.
        case new(RunDirectory)
        /// The same run, begun and not ended; see ``resume(matching:store:)``.
        case unfinished(RunDirectory)
        /// The same run, done already: its result is to be shown again.
        case finished(RunDirectory, RunOutcome)
    }

    /// Makes a folder that nobody has, named by configuration, seed and time (UTC); runs that start
    /// in the same second are told apart by a counter.
    package static func fresh(
        in parent: String = "runs", configuration: String, seed: UInt64, date: Date = Date()
    ) throws(FileError) -> RunDirectory {
        try Files.makeFolders(parent)
        let style = Date.ISO8601FormatStyle(
            dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted)
        let name = "\(configuration)-seed\(seed)-\(date.formatted(style))"
        for counter in 1...maximumRunsInASecond {
            let path = parent + "/" + (counter == 1 ? name : "\(name)-\(counter)")
            if unsafe mkdir(path, 0o755) == 0 {
                let directory = RunDirectory(path: path)
                try directory.makeFolders()
                return directory
            }
            // mkdir is atomic: of several processes that try a name, one gets it.
            guard errno == EEXIST else {
                throw FileError(operation: .write, path: path, code: errno)
            }
        }
        throw FileError(operation: .write, path: parent + "/" + name, code: EEXIST)
    }

    private static let maximumRunsInASecond = 10_000

    /// Opens the place that `--run-dir` names, and makes it where it is missing.
    ///
    /// - Parameter datasetSHA256: of the data to train on, so that other data is told from another
    ///   configuration.
    /// - Throws: ``RunDirectoryError`` where something else is there (exit code 78), ``FileError``
    ///   where nothing can be written (73), ``MetricsError`` for a broken log (65).
    package static func open(
        _ path: String, configuration: String, seed: UInt64, configurationSHA256: String,
        datasetSHA256: String? = nil
    ) throws -> Opening {
        let directory = RunDirectory(path: path)
        try Files.makeFolders(path)
        guard try !directory.isNew() else {
            try directory.makeFolders()
            return .new(directory)
        }
        guard FileManager.default.fileExists(atPath: directory.metricsPath) else {
            throw RunDirectoryError(path: path, reason: .notARun)
        }
        let path = directory.metricsPath
        let isFinished = try MetricsFile.end(of: path)?.status.isFinal ?? false
        // Of a run that continues its first line is enough: whoever takes it up looks at what he
        // needs.
        let log =
            try isFinished
            ? MetricsFile(withoutOldStepsOf: path) : MetricsFile(firstLineOf: path)
        guard let outcome = RunOutcome(log) else {
            // A log of something else is not an unfinished one.
            if let fault = log.fault { throw fault }
            let start = MetricsRecord.Event.run.lineStart
            let line = try FileDisk().firstLine(of: path)
            guard line.prefix(start.count) == start.prefix(line.count) else {
                throw MetricsError(path: path, line: 1, reason: "is not the start of a run")
            }
            return .unfinished(directory)
        }
        try directory.check(
            outcome, configuration, seed, configurationSHA256, datasetSHA256: datasetSHA256)
        if let fault = log.fault { throw fault }
        guard let end = outcome.end, end.status.isFinal else {
            return .unfinished(directory)
        }
        return .finished(directory, outcome)
    }

    private func check(
        _ outcome: RunOutcome, _ configuration: String, _ seed: UInt64,
        _ configurationSHA256: String, datasetSHA256: String?
    ) throws(RunDirectoryError) {
        let found = outcome.provenance
        if let datasetSHA256, datasetSHA256 != found.datasetSHA256 {
            throw RunDirectoryError(
                path: path,
                reason: .otherData(
                    found: "\(found.dataset), SHA-256 \(found.datasetSHA256.prefix(12))",
                    askedSHA256: datasetSHA256))
        }
        guard found.configurationSHA256 == configurationSHA256, outcome.run.seed == seed else {
            throw RunDirectoryError(
                path: path,
                reason: .otherRun(
                    found: RunDirectoryError.Run(
                        configuration: outcome.run.configuration, seed: outcome.run.seed,
                        configurationSHA256: found.configurationSHA256),
                    asked: RunDirectoryError.Run(
                        configuration: configuration, seed: seed,
                        configurationSHA256: configurationSHA256)))
        }
    }

    /// Writes `config.yaml` whole or not at all. A run that continues has it already, and needs no
    /// room for it.
    package func writeConfiguration(_ text: String) throws(FileError) {
        let bytes = Array(text.utf8)
        if let found = try? Files.read(configurationPath), found == bytes { return }
        CrashPoint.configurationWriting.pass()
        try Files.replace(configurationPath, with: bytes)
        CrashPoint.configurationWritten.pass()
    }

    /// Writes a file that is about many runs, whole or not at all.
    package static func writeFile(_ path: String, _ bytes: [UInt8]) throws(FileError) {
        try Files.replace(path, with: bytes)
    }

    /// Writes a file of the checkpoint after `step` updates, whole or not at all.
    package func writeCheckpoint(
        step: Int, file name: String, _ bytes: [UInt8]
    ) throws(FileError) -> String {
        try Files.makeFolders(checkpointPath(step: step))
        let path = checkpointPath(step: step) + "/" + name
        try Files.replace(path, with: bytes)
        return path
    }

    /// Whether nothing is here but what ``makeFolders()`` makes: a start that failed early, before
    /// anything was written, may be repeated.
    private func isNew() throws -> Bool {
        guard unsafe access(path, R_OK | X_OK) == 0 else {
            throw FileError(operation: .read, path: path, code: errno)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        return Set(names).isSubset(of: ["checkpoints", "log", FolderLock.fileName])
    }

    /// Shows at once, before any training, whether the place can be written.
    private func makeFolders() throws(FileError) {
        try Files.makeFolders(checkpointsPath)
        try Files.makeFolders(logPath)
    }
}
