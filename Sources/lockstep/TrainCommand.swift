import ArgumentParser
import Convergence
import LockstepRuntime
import Logging
import TrainingPlan
import ZeroMQ

/// `lockstep train`
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train one configuration on this host.",
        discussion: """
            Starts coordinator, servers and workers on this host and ends all of them. The result does \
            not depend on how many there are.

            Examples:
              lockstep train
              lockstep train --configuration mse-tanh --workers 4 --servers 2
              lockstep train --workers 0 --threads 2 --epochs 3 --json
              lockstep train --loss mse --hidden tanh --output tanh --layers 784,256,64,10
              LOCKSTEP_BATCH_SIZE=512 lockstep train --config my.yaml --print-config
            """)

    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Placement") var placement: PlacementOptions
    @OptionGroup var session: SessionOptions

    func run() throws {
        let settings = try Settings(
            command: "train",
            flags: [network.given, training.given, placement.given, session.given],
            file: session.config)
        let configuration = try settings.runConfiguration()
        let placement = try settings.placement()
        if session.printConfig {
            return settings.printTable(
                of: configuration,
                [
                    (.workers, placement.workers), (.threads, placement.threads),
                    (.servers, placement.servers),
                ])
        }
        let logger = ConsoleLogHandler.bootstrap(session.role.logLevel)
        let training = try TrainingSession(
            [configuration], settings: settings, placement: placement, logger: logger,
            directory: { _ in session.runDir })
        let result = try training.run(localCluster(session.role))
        if session.json {
            result.printJSON()
        } else {
            for (run, directory) in result.outcomes { print(run.summary(directory: directory)) }
        }
        try result.throwIfFailed()
    }
}

/// Trains with processes of this host, or in this one where no worker is asked for.
func localCluster(_ role: RoleOptions) -> TrainingSession.Train {
    { request, reporter, interruption in
        guard request.placement.workers > 0 else {
            return Roles.trainHere(request, observer: reporter, interruption: interruption)
        }
        let options = CoordinatorOptions(
            bind: try Endpoint("tcp://127.0.0.1:0"), localWorkers: request.placement.workers,
            workerCommand: WorkerCommand.local(
                threads: request.placement.threads,
                waitTimeoutMilliseconds: request.waitTimeoutMilliseconds, logLevel: role.logLevel),
            dropped: Logger(label: "lockstep").dropped)
        return try Roles.coordinate(
            request, options, observer: reporter, interruption: interruption)
    }
}

extension Settings {
    /// Prints each setting with its value and where that came from.
    ///
    /// - Parameter placement: settings that are no part of the configuration.
    func printTable(of configuration: RunConfiguration, _ placement: [(SettingKey, Int)]) {
        var rows = table(of: configuration)
        for (key, value) in placement {
            rows.append((key, "\(value)", self[key]?.origin ?? "default"))
        }
        for key in [SettingKey.data, .waitTimeout] {
            if let given = self[key] { rows.append((key, given.text, given.origin)) }
        }
        printAligned(rows.map { [$0.key.name, $0.text, $0.origin] })
    }
}

/// Columns wide enough for their cells, two blanks apart.
func printAligned(_ rows: [[String]]) {
    let widths = rows.first?.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
        let cells = zip(row, widths ?? []).map { cell, width in
            cell + String(repeating: " ", count: width - cell.count)
        }
        let line = cells.joined(separator: "  ")
        print(String(line.reversed().drop { $0 == " " }.reversed()))
    }
}
