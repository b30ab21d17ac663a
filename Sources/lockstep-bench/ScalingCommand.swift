import ArgumentParser
import Foundation
import LockstepProtocol
import Report

/// `lockstep-bench scaling`
struct ScalingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scaling",
        abstract: "Strong and weak scaling over workers, threads and hosts.",
        discussion: """
            Strong scaling shares one global batch, weak scaling gives each a batch. The tables \
            have the efficiency, 1 being perfect; --output draws the speed-up of all of them as \
            SVG. Hosts are network namespaces, as for the subcommand hosts, and need root.

            Examples:
              lockstep-bench scaling --output scaling.svg
              lockstep-bench scaling --over workers --counts 1,2,4,8 --batch-size 2048
              sudo lockstep-bench scaling --over hosts --counts 2,4,8 --rate 1gbit
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var data: DataOptions

    @Option(
        help: ArgumentHelp("workers, threads, hosts; several with commas.", valueName: "list"))
    var over = ScalingAxisList([.workers, .threads])

    @Option(help: ArgumentHelp("How many of each; 1 is always measured.", valueName: "list"))
    var counts = NumberList([1, 2, 4])

    @Option(help: ArgumentHelp("The global batch of strong scaling.", valueName: "n"))
    var batchSize = 2048

    @Option(help: ArgumentHelp("The batch of each in weak scaling.", valueName: "n"))
    var batchEach = 512

    @Option(help: ArgumentHelp("Of the links between hosts.", valueName: "rate"))
    var rate = LinkRate.oneGigabit

    @Option(help: ArgumentHelp("Rounds, of which the best counts; default 3.", valueName: "n"))
    var rounds: Int?

    @Option(help: ArgumentHelp("Write the chart as SVG.", valueName: "file"))
    var output: String?

    func validate() throws {
        for (flag, value) in [
            ("--batch-size", batchSize), ("--batch-each", batchEach), ("--rounds", rounds ?? 1),
        ] where value < 1 {
            throw ValidationError("\(flag) is \(value); give 1 or more.")
        }
        guard let most = counts.values.max(), most > 1 else {
            throw ValidationError("--counts: give one of 2 or more.")
        }
        let limit = over.values.contains(.hosts) ? 8 : 64
        if most > limit { throw ValidationError("--counts: \(most) is more than \(limit).") }
    }

    func run() throws {
        if over.values.contains(.hosts), let obstacle = NetworkHosts.obstacle() {
            throw BenchError(.unavailable, obstacle)
        }
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let reporter = try Reporter(options, data: data.description)
        let measurement = ScalingMeasurement(
            axes: over.values, counts: counts.values, strongBatch: batchSize, weakBatch: batchEach,
            rate: rate, rounds: rounds ?? (options.quick ? 1 : 3), epochs: options.quick ? 1 : 2)
        let result = try measurement.measure(data, folder)
        try reporter.show(result.sections)
        guard let output else { return }
        do {
            try Data(result.chart.svgFile().utf8).write(to: URL(fileURLWithPath: output))
        } catch {
            throw BenchError(.cannotWrite, "cannot write \(output): \(error.localizedDescription)")
        }
        Notes.say("The chart is in \(output).")
    }
}

/// What to scale over, separated by commas.
struct ScalingAxisList: ExpressibleByArgument, Sendable {
    let values: [ScalingAxis]

    init(_ values: [ScalingAxis]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = parts.compactMap { ScalingAxis(rawValue: String($0)) }
        if values.isEmpty || values.count != parts.count { return nil }
    }

    var defaultValueDescription: String { values.map(\.rawValue).joined(separator: ",") }
}
