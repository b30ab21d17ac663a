import ArgumentParser
import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork
import ZeroMQ

/// `lockstep worker`
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Work for a coordinator until its session ends.",
        discussion: """
            Needs no data of its own: what is not in the cache comes from the coordinator. Unless \
            the coordinator has --servers, it also serves a shard of the parameters to the other \
            workers.

            Examples:
              lockstep worker --coordinator tcp://127.0.0.1:29500
              lockstep worker --coordinator tcp://10.0.0.5:29500 --threads 8 --wait-timeout 600
            """)

    @Option(help: ArgumentHelp("Where the coordinator listens.", valueName: "endpoint"))
    var coordinator = "tcp://127.0.0.1:29500"

    @Option(
        parsing: .unconditional, help: ArgumentHelp("That compute.", valueName: "n"))
    var threads = FlagValue(SessionPlacement.standard.threads)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Train on this data and no other: mnist, synthetic, or a folder with IDX files.",
            valueName: "dir|mnist|synthetic"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "What others on other hosts connect to for the shard that this worker serves, where that "
                + "is not the address by which it reaches the coordinator.", valueName: "host"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "Serve a shard at the first of these ports that is free; default one of the 64 behind the "
                + "coordinator's.", valueName: "first-last"))
    var dataPorts: String?

    /// Where the coordinator that has started it listens, for the shard that it serves.
    @Option(help: .hidden)
    var beside: String?

    @Flag(help: .hidden)
    var exitWithStandardInput = false

    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup var role: RoleOptions

    func run() throws {
        let (coordinator, key) = try coordinatorEndpoint(coordinator, keyOptions)
        let interruption = Interruption()
        if exitWithStandardInput { Signals.followParent(to: interruption) }
        let logger = ConsoleLogHandler.bootstrap(
            role.logLevel.level, label: exitWithStandardInput ? "worker \(getpid()): " : "")
        let settings = try Settings(
            command: "worker", flags: [[.threads: threads.text, .data: data], role.given], file: nil
        )
        let environment = ProcessInfo.processInfo.environment
        if !exitWithStandardInput {
            settings.warnOfIdleThreads(try settings.threads(), logger)
        }
        var options = MemberOptions(
            coordinator: coordinator,
            waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(), key: key,
            kernels: try .selected(environment: environment), threads: try settings.threads(),
            dataset: try settings[.data].map { try Dataset.find($0.text, logger) },
            cache: DatasetCache(environment: environment), notice: { logger.notice("\($0)") },
            dropped: logger.dropped)
        options.advertised = try EndpointOptions.advertised(advertise)
        options.dataPorts = try EndpointOptions.dataPortRange(dataPorts)
        options.address = try beside.map {
            ListeningAddress(
                bind: try Endpoint($0), advertised: options.advertised,
                dataPorts: options.dataPorts)
        }
        Signals.forward(to: interruption, as: exitWithStandardInput ? .child : .member)
        let reason = try Roles.work(options, interruption: interruption)
        logger.info("\(reason.text)")
        if reason.exitCode != .success { throw CommandEnd(reason: reason) }
    }

    /// The command line of a worker that belongs to this process; `--coordinator` is added to it.
    static func local(
        threads: Int, waitTimeoutMilliseconds: Int, logLevel: Logger.Level, hasKey: Bool = false
    ) -> [String] {
        // The coordinator tells what happens; its workers add only what is out of order.
        let level = logLevel < .notice ? logLevel : max(logLevel, .warning)
        return [
            executablePath, "worker", "--exit-with-standard-input", "--threads", "\(threads)",
            "--wait-timeout", "\(Double(waitTimeoutMilliseconds) / 1_000)", "--log-level",
            "\(level)",
        ] + (hasKey ? ["--key", "-"] : ["--insecure"])
    }
}

/// This program, also where it was found by `PATH`, for people to read.
let executablePath =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: ownProgram)) ?? ownProgram

/// The file that this process runs, whatever stands at its path by now: a cluster whose program is
/// replaced continues with the one that it was begun with.
let ownProgram = "/proc/self/exe"
