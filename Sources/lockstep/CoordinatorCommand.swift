import ArgumentParser
import LockstepProtocol
import LockstepRuntime
import Logging

/// `lockstep coordinator`
struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Coordinate a run of workers that are started elsewhere.",
        discussion: """
            Waits for the workers (and with --servers-apart for the servers), trains, prints the \
            result, and ends them all. Workers may join, leave and be lost while it trains; a lost \
            server's shard is taken up from the newest checkpoint. A coordinator that was lost \
            resumes with the same command and --run-dir: its members wait for it.

            Examples:
              lockstep coordinator --workers 2 --preset mse-tanh
              lockstep coordinator --workers 8 --min-workers 4 --run-dir runs/mine
              lockstep coordinator --servers 2 --servers-apart --wait-timeout 600
              lockstep coordinator --bind 'tcp://*:29500' --advertise 10.0.0.5 --key cluster.key
            """)

    @Option(help: ArgumentHelp("Where workers find it.", valueName: "endpoint"))
    var bind = "tcp://127.0.0.1:29500"

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Training begins when this many have joined; default --min-workers, or 2.",
            valueName: "n"))
    var workers: FlagValue<Int>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("With fewer a run waits.", valueName: "n"))
    var minWorkers = FlagValue(1)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("More are refused.", valueName: "n"))
    var maxWorkers = FlagValue(Limits.maximumWorkers)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Parameter servers, a shard each, in the coordinator; auto: in the workers.",
            valueName: "n|auto"))
    var servers = FlagValue(SessionPlacement.standard.servers)

    @Flag(help: "Wait for servers that are started by `lockstep server`, instead of hosting them.")
    var serversApart = false

    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup var session: SessionOptions
    @OptionGroup var timeline: TraceOptions

    func run() throws {
        let settings = try Settings(
            command: "coordinator",
            flags: [
                [
                    .workers: workers?.text, .minWorkers: minWorkers.text,
                    .maxWorkers: maxWorkers.text, .servers: servers.text,
                ], network.given, training.given,
                session.given,
            ], file: session.config)
        let configuration = try settings.runConfiguration()
        var placement = try settings.coordinatorPlacement()
        if serversApart, placement.servers == .onWorkers { placement.servers = .count(1) }
        if session.printConfig {
            return settings.printTable(
                of: configuration,
                [
                    (.workers, "\(placement.workers)"),
                    (.minWorkers, "\(try settings.minimumWorkers())"),
                    (.maxWorkers, "\(try settings.maximumWorkers())"),
                    (.servers, placement.servers.text),
                ])
        }
        let logger = ConsoleLogHandler.bootstrap(session.role.logLevel.level)
        let key = try endpoint.keyOptions.clusterKey(
            at: try tcpEndpoint(bind, flag: "--bind"), named: "--bind \(bind)")
        let options = CoordinatorOptions(
            try endpoint.coordinatorAddress(
                bind: bind, dataPortCount: 1 + (serversApart ? 0 : placement.servers.knownCount),
                key: key,
                logger: logger), hostsServers: !serversApart, key: key,
            dropped: logger.dropped)
        let result = try TrainingSession(
            [configuration], settings: settings, placement: placement, logger: logger,
            trace: timeline.trace,
            directory: { _ in session.runDir }
        ).run { request, reporter, interruption in
            try Roles.coordinate(request, options, observer: reporter, interruption: interruption)
        }
        try result.show(asJSON: session.json)
    }
}
