import ArgumentParser
import Foundation
import LockstepRuntime
import Logging
import RunRecords
import TrainingPlan
import ZeroMQ

/// `lockstep train`
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train one configuration on this host.",
        discussion: """
            Starts coordinator, servers and workers on this host and ends all of them. The result \
            does not depend on how many there are, nor on how often it was interrupted: the same \
            command on the same folder, or --resume with the folder alone, resumes from the newest \
            checkpoint.

            Examples:
              lockstep train
              lockstep train --preset mse-tanh --workers 4 --servers 2
              lockstep train --workers 0 --threads 2 --epochs 3 --json
              lockstep train --loss mse --hidden-activation tanh --output-activation tanh
              lockstep train --run-dir runs/long --epochs 100 --checkpoint-seconds 10
              lockstep train --resume runs/long
              lockstep train --epochs 1 --trace run.trace.json
              LOCKSTEP_BATCH_SIZE=512 lockstep train --config my.yaml --print-config
            """)

    @Option(
        help: ArgumentHelp(
            "Resume the unfinished run in this folder, with the settings in its config.yaml.",
            valueName: "dir"))
    var resume: String?

    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup(title: "Placement") var placement: PlacementOptions
    @OptionGroup var session: SessionOptions
    @OptionGroup var timeline: TraceOptions

    func validate() throws {
        guard resume == nil || (session.runDir == nil && session.config == nil) else {
            throw ValidationError(
                "--resume names the folder and its settings: leave out --run-dir and --config")
        }
    }

    private func settingsFile() throws(UsageError) -> String? {
        guard let resume else { return session.config }
        let path = RunDirectory(path: resume).configurationPath
        guard FileManager.default.fileExists(atPath: path) else {
            throw UsageError(
                "--resume \(resume)", "it has no config.yaml, so it is not a run folder",
                "name the folder of a run, or leave --resume out to begin one")
        }
        return path
    }

    func run() throws {
        let settings = try Settings(
            command: "train",
            flags: [network.given, training.given, placement.given, session.given],
            file: settingsFile())
        let configuration = try settings.runConfiguration()
        let placement = try settings.placement()
        let bind = try self.placement.loopbackEndpoint()
        if session.printConfig {
            return settings.printTable(of: configuration, placement.rows)
        }
        let logger = ConsoleLogHandler.bootstrap(session.role.logLevel.level)
        let training = try TrainingSession(
            [configuration], settings: settings, placement: placement, logger: logger,
            trace: timeline.trace,
            directory: { _ in resume ?? session.runDir })
        let result = try training.run(
            localCluster(session.role, bind: bind))
        try result.show(asJSON: session.json)
    }
}

/// Trains with processes of this host, or in this one where no worker is asked for.
///
/// - Parameter bind: where workers find the coordinator; nil for a socket that no other user can
///   reach.
func localCluster(
    _ role: RoleOptions, bind: Endpoint? = nil
) -> TrainingSession.Train {
    { request, reporter, interruption in
        guard request.placement.workers > 0 else {
            let threads = request.placement.threads
            try ThreadLimit.reserve(threads + ThreadLimit.ownThreads)
            for run in request.runs {
                try MemoryLimit.reserve(
                    MemoryLimit.trainingByteCount(run.configuration, threads: threads))
            }
            return Roles.trainHere(request, observer: reporter, interruption: interruption)
        }
        if let bind { return try coordinate(request, role, at: bind, reporter, interruption) }
        let folder = try SocketFolder()
        return try withExtendedLifetime(folder) {
            try coordinate(request, role, at: folder.coordinator(), reporter, interruption)
        }
    }
}

private func coordinate(
    _ request: SessionRequest, _ role: RoleOptions, at endpoint: Endpoint,
    _ observer: any SessionObserver, _ interruption: Interruption
) throws -> SessionResult {
    // Other users come as far as a port.
    let key = try endpoint.transport == .tcp ? KeyOptions.ofLocalCluster() : nil
    let options = CoordinatorOptions(
        ListeningAddress(bind: endpoint), localWorkers: request.placement.workers,
        workerCommand: WorkerCommand.local(
            threads: request.placement.threads,
            waitTimeoutMilliseconds: request.waitTimeoutMilliseconds, logLevel: role.logLevel.level,
            hasKey: key != nil), workerFile: ownProgram,
        workerThreads: request.placement.threads, key: key,
        dropped: Logger(label: "lockstep").dropped)
    return try Roles.coordinate(
        request, options, observer: observer, interruption: interruption)
}
