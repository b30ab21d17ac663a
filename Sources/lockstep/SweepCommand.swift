import ArgumentParser
import Datasets
import Experiments
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan

/// `lockstep sweep`
struct SweepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Train every combination of settings, and compare them.",
        discussion: """
            Each setting that is named takes each of its values. Whole numbers may be a range, and \
            the widths of a network have an x between them. A file of --grid maps settings to \
            values or lists, with an optional list `runs` of mappings, each combined with all the \
            rest; what is named on the command line stands in for what the file says of it.

            Each run has a folder of its own, named by the hash of its configuration. A second \
            start skips what is complete and resumes the rest, an unfinished run from its \
            newest checkpoint. A run that diverges is a result; one that fails is tried once more \
            and then named (by --json in an object with `status` failed and its `error`), and \
            neither stops the others. Runs that differ only in how outputs are decoded are trained \
            once.

            Examples:
              lockstep sweep loss=mse,cross-entropy batch_size=32,128,512 seed=1-5 --epochs 3
              lockstep sweep preset=mse-tanh,ce-softmax seed=1-20 --run-dir runs/seeds
              lockstep sweep learning_rate=0.0003,0.001,0.003 layers=784x128x10,784x64x64x10 --dry-run
              lockstep sweep --grid grid.yaml seed=1 --json
            """)

    @Argument(
        help: ArgumentHelp("A setting of a run with its values.", valueName: "name=values"))
    var variations: [String] = []

    @Option(name: .customLong("grid"), help: ArgumentHelp("A YAML file.", valueName: "file"))
    var gridFile: String?

    @Option(help: ArgumentHelp("The most that a grid may have.", valueName: "n"))
    var maxRuns = 1_000

    @Option(
        help: ArgumentHelp(
            "Runs at a time, one thread each; default: the CPUs of this host.", valueName: "n"))
    var parallelism: Int?

    @Flag(help: "Leave out the points that cannot be trained, instead of refusing the grid.")
    var skipInvalid = false

    @Flag(help: "List the runs and the time that they would take, and end.")
    var dryRun = false

    @OptionGroup var targets: TargetOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Placement (--workers 0, in this process, is the default here)")
    var placement: PlacementOptions
    @OptionGroup var session: SessionOptions

    /// Starts of one sweep meet here, so it is not a fresh place.
    private static let defaultDirectory = "runs/sweep"

    func validate() throws {
        guard maxRuns >= 1 else { throw ValidationError("--max-runs is at least 1") }
        guard parallelism.map({ 1...1_024 ~= $0 }) ?? true else {
            throw ValidationError("--parallelism is 1 to 1024")
        }
    }

    func run() throws {
        let settings = try Settings(
            command: "sweep",
            flags: [network.given, training.given, placement.given, session.given],
            file: session.config)
        let logger = ConsoleLogHandler.bootstrap(session.role.logLevel.level)
        var plan = try SweepPlan(
            grid(), settings: settings, skipsInvalid: skipInvalid, logger: logger)
        let placement = try settings.sweepPlacement()
        let waitTimeoutMilliseconds = try settings.waitTimeoutMilliseconds()
        let checkpoints = try settings.checkpointPolicy()
        let stepLineInterval = try settings.stepLineInterval()
        if placement.workers > 0 {
            for entry in plan.entries {
                _ = try ShardPlan(
                    entry.configuration, shardCount: max(placement.servers.knownCount, 1))
            }
        }
        if session.printConfig {
            for entry in plan.entries {
                entry.settings.printTable(
                    of: entry.configuration, [(.workers, "\(placement.workers)")])
                print()
            }
            return
        }
        let kernels = try KernelVariant.selected(
            environment: ProcessInfo.processInfo.environment)
        let dataset = try Dataset.find(settings[.data]?.text, logger)
        try plan.validate(trainingExampleCount: dataset.train.count, logger: logger)
        var sweep = Sweep(
            runs: plan.entries.map { SweepRun($0.configuration) }, dataset: dataset,
            directory: session.runDir ?? Self.defaultDirectory,
            parallelism: parallelism ?? ProcessInfo.processInfo.activeProcessorCount,
            kernels: kernels)
        if dryRun { return SweepForecast(sweep, plan).show() }
        sweep.grid = plan.axes
        sweep.checkpoints = checkpoints
        sweep.stepLineInterval = stepLineInterval
        sweep.configurationFile = { configuration in
            settings.file(of: configuration, placement: placement, dataset: dataset)
        }
        if placement.workers > 0 {
            let train = localCluster(
                session.role, bind: try self.placement.loopbackEndpoint())
            sweep.cluster = Sweep.Cluster(
                placement: placement, waitTimeoutMilliseconds: waitTimeoutMilliseconds,
                audits: try settings.auditRate(), train: train)
        }
        try ThreadLimit.reserve(2 * sweep.parallelism + ThreadLimit.ownThreads)
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let labels = plan.labels
        let result = try sweep.run(
            observer: SweepReporter(logger: logger) { labels[$0.configuration] ?? "" },
            interruption: interruption)
        Console.shared.clearBar()
        show(result, plan, dataset)
        if result.reason.exitCode == .success {
            try StandardStreams.flushOutput(alsoIn: session.runDir ?? Self.defaultDirectory)
        }
        if result.reason.exitCode != .success { throw CommandEnd(reason: result.reason) }
    }

    private func grid() throws -> SweepGrid {
        var grid = SweepGrid(maximumRuns: maxRuns)
        for variation in variations { try grid.add(argument: variation) }
        if let gridFile {
            var file = SweepGrid(maximumRuns: maxRuns)
            try SweepFile.read(gridFile, into: &file)
            grid.merge(file)
        }
        return grid
    }

    private func show(_ result: SweepResult, _ plan: SweepPlan, _ dataset: Dataset) {
        if session.json {
            for line in result.runs.compactMap({ $0.json(on: dataset) }) { print(line) }
        } else if result.outcomes.count + result.failed.count == result.runs.count {
            let style = TextStyle.of(STDOUT_FILENO)
            let title =
                "\(Figures.plural(result.runs.count, "run")) on \(dataset.name) "
                + Figures.shortHash("\(dataset.sha256)")
            print(style.bold(style.adapted(title)), "", separator: "\n")
            print(plan.table(of: result, targets: targets.values).text(style))
        } else {
            print(
                "\(result.outcomes.count) of \(result.runs.count) runs are complete; "
                    + "start the same sweep again to continue")
        }
    }
}

extension SweepResult.Run {
    /// What `--json` prints of it: its end, or why it has none; nothing of a run that was not begun
    /// or was interrupted, which the exit code tells.
    fileprivate func json(on dataset: Dataset) -> String? {
        let configuration = run.configuration
        return switch ending {
        case .ended(let outcome): outcome.end?.json
        case .failed(let cause):
            FailedRun(
                run: id, directory: directory.path, configuration: configuration.name,
                settings: configuration.settings,
                provenance: Provenance(
                    dataset: dataset.name, datasetSHA256: "\(dataset.sha256)",
                    configurationSHA256: configuration.sha256(dataset: dataset)),
                seed: configuration.seed, error: cause.text, exitCode: cause.exitCode.rawValue
            ).json
        case .unfinished: nil
        }
    }
}

extension Settings {
    /// In this process, unless workers are asked for.
    func sweepPlacement() throws(UsageError) -> SessionPlacement {
        guard self[.workers] != nil else {
            return try sweepPlacement(SessionPlacement(workers: 0, threads: threads()))
        }
        return try sweepPlacement(placement())
    }

    private func sweepPlacement(
        _ placement: SessionPlacement
    ) throws(UsageError) -> SessionPlacement {
        if placement.workers == 0, placement.threads > 1, let given = self[.threads] {
            throw UsageError(
                given.place, "a run in this process has one thread",
                "say with --parallelism how many run at a time")
        }
        return placement
    }
}
