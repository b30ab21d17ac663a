import ArgumentParser
import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork

/// `lockstep server`
struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Serve a shard of the parameters for a coordinator with --servers-apart.",
        discussion: """
            Examples:
              lockstep server --coordinator tcp://127.0.0.1:29500
              lockstep server --coordinator tcp://10.0.0.5:29500 --bind tcp://10.0.0.6:29501 --key cluster.key
            """)

    @Option(help: ArgumentHelp("Where the coordinator listens.", valueName: "endpoint"))
    var coordinator = "tcp://127.0.0.1:29500"

    @Option(
        help: ArgumentHelp(
            "Where workers find it; port 0: one from the system.", valueName: "endpoint"))
    var bind = "tcp://127.0.0.1:0"

    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup var role: RoleOptions

    func run() throws {
        let logger = ConsoleLogHandler.bootstrap(role.logLevel.level)
        let settings = try Settings(command: "server", flags: [role.given], file: nil)
        let environment = ProcessInfo.processInfo.environment
        let (coordinator, key) = try coordinatorEndpoint(coordinator, endpoint.keyOptions)
        let options = MemberOptions(
            coordinator: coordinator,
            waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(), key: key,
            kernels: try .selected(environment: environment),
            cache: DatasetCache(environment: environment),
            address: try endpoint.serverAddress(bind: bind, key: key, logger: logger),
            notice: { logger.notice("\($0)") },
            dropped: logger.dropped)
        let interruption = Interruption()
        Signals.forward(to: interruption, as: .member)
        let reason = try Roles.serve(options, interruption: interruption)
        logger.info("\(reason.text)")
        if reason.exitCode != .success { throw CommandEnd(reason: reason) }
    }
}
