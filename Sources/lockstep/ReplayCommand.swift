import ArgumentParser
import Datasets
import Foundation
import LockstepRuntime
import Logging
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan

/// `lockstep replay`
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Compute steps of a run again, and compare the weights with those in its log.",
        discussion: """
            Each step in a run's log has a digest of the weights after it. The steps since the \
            newest checkpoint before the one that is named, or since the start where there is \
            none, are computed again in this process; the first whose weights differ is named, \
            with exit code 78. Of a run that is finished no checkpoint is left but its weights. \
            Nothing in the folder is changed.

            Examples:
              lockstep replay runs/my-run --step 500
              lockstep replay runs/my-run --threads 8 --json
            """)

    @Argument(help: ArgumentHelp("A run's folder.", valueName: "run"))
    var folder: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The last step to compute; default: the last in the log.", valueName: "n"))
    var step: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What the run was trained on: mnist, synthetic, or a folder with IDX files.",
            valueName: "dir|mnist|synthetic"))
    var data: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Compute threads.", valueName: "t"))
    var threads = 1

    @Flag(help: "Print the result as one line of JSON.")
    var json = false

    @Option(help: ArgumentHelp("Say what is at least this grave.", valueName: "level"))
    var logLevel = LogLevel(.notice)

    func validate() throws {
        guard 1...1_024 ~= threads else {
            throw ValidationError("--threads \(threads): give 1 to 1024.")
        }
    }

    func run() throws {
        let logger = ConsoleLogHandler.bootstrap(logLevel.level)
        let kernels = try KernelVariant.selected(environment: ProcessInfo.processInfo.environment)
        let directory = RunDirectory(path: folder)
        // What cannot be replayed is told before the data is looked for.
        _ = try lastStep(in: MetricsFile(reading: directory.metricsPath), directory.metricsPath)
        let dataset = try Dataset.find(data, logger)
        // Of a run that continues: no older than the checkpoints that are there.
        let log = try MetricsFile(reading: directory.metricsPath)
        guard case .run(let record) = log.records.first, let provenance = log.provenance else {
            throw MetricsError(
                path: directory.metricsPath, line: 1, reason: "is not the start of a run")
        }
        let last = try lastStep(in: log, directory.metricsPath)
        let configuration = try SavedNetwork.configuration(
            of: record.settings, path: directory.metricsPath)
        try check(provenance, configuration, dataset)
        let replay = try Replay(
            directory, configuration, log.records, dataset: dataset, through: last)
        for warning in replay.warnings { logger.warning("\(warning)") }
        logger.notice("computing again from \(Self.start(replay.start?.step ?? 0)) to step \(last)")
        let result = replay.run(kernels, threads: threads) { done, all in
            Console.shared.showBar("step \(done) of \(all)")
        }
        Console.shared.clearBar()
        guard let result else { return }
        try show(result, record, provenance, directory)
    }

    private func lastStep(in log: MetricsFile, _ path: String) throws -> Int {
        let steps = log.records.compactMap { record -> Int? in
            if case .step(let step) = record, step.weightsDigest != nil { step.step } else { nil }
        }
        guard let first = steps.first, let last = steps.last else {
            throw MismatchError(
                description:
                    "\(path): there is no step with a digest of its weights in it; train the run "
                    + "first, with a release that writes them")
        }
        guard let step else { return last }
        guard steps.contains(step) else {
            throw UsageError(
                "--step \(step)",
                "the log has the digests of \(steps.count) of the steps \(first) to \(last), and not of "
                    + "this one", "name one of these")
        }
        return step
    }

    private static func start(_ step: Int) -> String {
        step == 0 ? "the initial weights" : "the checkpoint of step \(step)"
    }

    private func check(
        _ provenance: Provenance, _ configuration: RunConfiguration, _ dataset: Dataset
    ) throws(MismatchError) {
        let own = configuration.provenance(dataset: dataset)
        guard own.datasetSHA256 == provenance.datasetSHA256 else {
            throw MismatchError(
                description: "\(folder) was trained on \(provenance.dataset) (SHA-256 "
                    + "\(provenance.datasetSHA256.prefix(12))), and this is \(dataset.name) "
                    + "(\(own.datasetSHA256.prefix(12))); name its data with --data")
        }
        guard own.configurationSHA256 == provenance.configurationSHA256 else {
            throw MismatchError(
                description:
                    "\(folder) was trained by another version of the arithmetic, or its log was "
                    + "changed: its settings have the hash \(own.configurationSHA256.prefix(12)) "
                    + "here, and the log says \(provenance.configurationSHA256.prefix(12)); use the "
                    + "release that trained it")
        }
    }

    private func show(
        _ result: Replay.Result, _ record: RunRecord, _ provenance: Provenance,
        _ directory: RunDirectory
    ) throws(MismatchError) {
        if json {
            print(JSONLine(run: directory.path, result).text)
        } else {
            print(
                TextTable(words: [
                    [
                        "run",
                        "\(directory.path): \(record.configuration), seed \(record.seed), trained on "
                            + provenance.dataset,
                    ],
                    ["from", Self.start(result.start)],
                    [
                        "step",
                        "\(result.last.step), train loss \(String(format: "%.6f", result.loss))",
                    ],
                    ["weights", "digest \(result.digest ?? "none: not finite")"],
                    [
                        "log",
                        result.isSame ? Self.agreement(result) : "digest \(result.last.digest)",
                    ],
                ]).text())
        }
        guard result.isSame else {
            throw MismatchError(
                description:
                    "\(directory.metricsPath), step \(result.last.step): the weights' digest is "
                    + "\(result.last.digest), and "
                    + (result.digest ?? "something is not finite") + " when they are computed again"
                    + (result.comparedCount > 1 ? "; the step before agrees" : "")
                    + "; either a machine has computed wrongly, or the log was changed")
        }
    }

    private static func agreement(_ result: Replay.Result) -> String {
        result.comparedCount == 1
            ? "the same" : "the same, as in all \(result.comparedCount) steps that were compared"
    }
}

/// What `--json` prints.
private struct JSONLine: Encodable {
    let run: String
    let start: Int
    let step: Int
    let compared: Int
    let recordedDigest: String
    let digest: String?
    let isSame: Bool

    enum CodingKeys: String, CodingKey {
        case run, start, step, compared
        case recordedDigest = "recorded_digest"
        case digest
        case isSame = "same"
    }

    init(run: String, _ result: Replay.Result) {
        self.run = run
        start = result.start
        step = result.last.step
        compared = result.comparedCount
        recordedDigest = result.last.digest
        digest = result.digest
        isSame = result.isSame
    }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
