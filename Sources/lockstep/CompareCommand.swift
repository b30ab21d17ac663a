import ArgumentParser
import Foundation
import Report
import RunRecords
import TerminalText
import TrainingPlan

/// `lockstep compare`
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract:
            "Train mse-tanh, mse-tanh-rescaled and ce-softmax, and compare how they converge.",
        discussion: """
            All runs go through one cluster, one after the other. mse-tanh and mse-tanh-rescaled \
            have the same weights: they are trained once and their outputs are decoded in both \
            ways. Prints a table, the curves and what they show; how many decisions rescaling \
            changes is counted on the test set, and 0 is expected. With --run-dir each run has a \
            folder below it; finished runs are not trained again, and an unfinished one resumes \
            from its newest checkpoint.

            Examples:
              lockstep compare
              lockstep compare --workers 4 --epochs 3 --seeds 1
              lockstep compare --data fashion-mnist --targets-at 0.85,0.88
              lockstep compare --batch-size 512 --learning-rate 0.004 --json
              lockstep compare --run-dir runs/paper --seeds 1-5
            """)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "One run of each configuration a seed, 1-5,9 for example; default 1; three or more give "
                + "intervals.",
            valueName: "list")
    )
    var seeds: String?

    @OptionGroup var targets: TargetOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Placement") var placement: PlacementOptions
    @OptionGroup var session: SessionOptions
    @OptionGroup var timeline: TraceOptions

    func run() throws {
        let settings = try Settings(
            command: "compare",
            flags: [[.seeds: seeds], training.given, placement.given, session.given],
            file: session.config)
        let seeds = try settings.seeds()
        let placement = try settings.placement()
        let bind = try self.placement.loopbackEndpoint()
        let configurations = try seeds.flatMap { seed in
            try RunConfiguration.Preset.allCases.map {
                try settings.runConfiguration(preset: $0, seed: seed)
            }
        }
        if session.printConfig {
            for configuration in configurations {
                settings.printTable(of: configuration, placement.rows)
                print()
            }
            return
        }
        let logger = ConsoleLogHandler.bootstrap(session.role.logLevel.level)
        let result = try TrainingSession(
            configurations, settings: settings, placement: placement, logger: logger,
            trace: timeline.trace,
            directory: { configuration in
                session.runDir.map { "\($0)/\(configuration.name)-seed\(configuration.seed)" }
            }
        ).run(localCluster(session.role, bind: bind))
        if session.json {
            result.printJSON()
        } else if !result.outcomes.isEmpty {
            report(result)
        }
        try result.end()
    }

    private func report(_ result: TrainingSession.Result) {
        let style = TextStyle.of(STDOUT_FILENO)
        let comparison = Comparison(result.outcomes.map(\.run), thresholds: targets.values)
        print(comparison.table(style), comparison.plot(style), separator: "\n\n")
        print("", comparison.verdicts(style), "", separator: "\n")
        print("Records and weights:")
        for (_, directory) in result.outcomes { print("  \(directory)") }
    }
}
