import ArgumentParser
import Datasets
import Experiments
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork
import Report
import TerminalText
import ZeroMQ

/// `lockstep study`
struct StudyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study",
        abstract: "Answer how MSE+tanh and cross-entropy converge, at every scale, with a report.",
        discussion: """
            Trains the three configurations over many seeds, every combination of loss, output, \
            hidden activation and targets, every global batch from 16 to 16,384 and several worker \
            counts, each fairly tuned on held-out examples, and writes a page with drawings and a \
            verdict on each claim. A second start resumes where the first one stopped, in the \
            middle of a run, too.

            On two cores: --quick under 2 minutes, the standard form about 20, --full several hours.

            Examples:
              lockstep study --quick
              lockstep study --run-dir runs/study --output report
              lockstep study --full --parallelism 16
            """)

    @Flag(help: "Few seeds, rates and batches: a look at what the study is.")
    var quick = false

    @Flag(help: "More seeds, epochs and rates than the standard form.")
    var full = false

    @Option(
        help: ArgumentHelp(
            "Curves of another program, as JSON, to be shown beside.", valueName: "file"))
    var reference: String?

    @Option(help: ArgumentHelp("Where the runs go.", valueName: "dir"))
    var runDir = "runs/study"

    @Option(
        help: ArgumentHelp("Where the report goes; default report in --run-dir.", valueName: "dir"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "Runs at a time, one thread each; default: the CPUs of this host.", valueName: "n"))
    var parallelism: Int?

    @Flag(help: "Leave out the question of workers, which starts processes.")
    var withoutWorkers = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files.", valueName: "dir|mnist|synthetic"))
    var data: String?

    @OptionGroup var checkpoints: CheckpointOptions
    @OptionGroup var role: RoleOptions

    func validate() throws {
        guard !(quick && full) else { throw ValidationError("give --quick or --full, not both") }
        guard parallelism.map({ 1...1_024 ~= $0 }) ?? true else {
            throw ValidationError("--parallelism is 1 to 1024")
        }
    }

    func run() throws {
        let reference = try reference.map { try ReferenceCurves(reading: $0) }
        let settings = try Settings(
            command: "study", flags: [[.data: data], checkpoints.given, role.given], file: nil)
        let checkpoints = try settings.checkpointPolicy()
        let waitTimeoutMilliseconds = try settings.waitTimeoutMilliseconds()
        let logger = ConsoleLogHandler.bootstrap(role.logLevel.level)
        let kernels = try KernelVariant.selected(
            environment: ProcessInfo.processInfo.environment)
        let dataset = try Dataset.find(settings[.data]?.text, logger)
        let size: StudyPlan.Size = quick ? .quick : full ? .full : .standard
        let plan = StudyPlan(size, trainingExampleCount: dataset.train.count)
        let train = localCluster(role)
        let cluster: @Sendable (Int) -> Sweep.Cluster = { workers in
            Sweep.Cluster(
                placement: SessionPlacement(workers: workers),
                waitTimeoutMilliseconds: waitTimeoutMilliseconds, train: train)
        }
        let parallelism = parallelism ?? ProcessInfo.processInfo.activeProcessorCount
        let study = Study(
            plan, dataset: dataset, directory: "\(runDir)/\(size.rawValue)",
            parallelism: parallelism, kernels: kernels, checkpoints: checkpoints,
            cluster: withoutWorkers ? nil : cluster)
        try ThreadLimit.reserve(2 * parallelism + ThreadLimit.ownThreads)
        if let output { try ReportPage.check(folder: output) }
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let start = Date()
        let end = try study.run(observer: StudyReporter(logger: logger), interruption: interruption)
        { question, runs in
            logger.notice("\(question): \(Figures.plural(runs, "run"))")
        }
        Console.shared.clearBar()
        switch end {
        case .failure(let end):
            logger.warning("\(end.reason.text); start the study again to continue")
            throw CommandEnd(reason: end.reason)
        case .success(let report):
            for path in try report.page(beside: reference).write(
                toFolder: output ?? "\(runDir)/\(size.rawValue)/report")
            {
                print(path)
            }
            let seconds = Int(Date().timeIntervalSince(start))
            logger.notice("\(Figures.plural(report.runCount, "run")) in \(seconds) s")
            for cause in report.failed { logger.error("\(cause)") }
            if !report.failed.isEmpty {
                throw CommandEnd(
                    reason: StopReason(
                        report.failureCode,
                        "\(Figures.plural(report.failed.count, "failure")); see above for the causes, "
                            + "and start the study again"))
            }
        }
    }
}

/// A bar on a terminal; single runs are too many for lines.
private struct StudyReporter: SweepObserver {
    let logger: Logger

    func notice(_ text: String) { logger.info("\(text)") }

    func progress(_ progress: SweepProgress) {
        guard Console.shared.isTerminal else { return }
        Console.shared.showBar(progress.line(Console.shared.style))
    }

    func runEnded(_ run: SweepResult.Run, progress: SweepProgress) { self.progress(progress) }
}
