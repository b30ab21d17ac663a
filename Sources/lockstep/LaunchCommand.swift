import ArgumentParser
import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// `lockstep launch`
struct LaunchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch", abstract: "Train on several hosts with one command.",
        discussion: """
            With --hosts it starts a process on each host over ssh, hands all of them the \
            cluster's key through the connection, shows what they say, passes Ctrl-C on, and ends \
            all of them, whatever becomes of the terminal. Without, it is one of the processes \
            that a launcher has started on every host: srun, mpirun, torchrun, or an Indexed Job \
            of Kubernetes. Rank 0 coordinates and works, the others work, each with one thread per \
            core. MASTER_ADDR and MASTER_PORT say where rank 0 is, where the launcher does not.

            Examples:
              lockstep launch --hosts a,b,c --batch-size 512 --run-dir runs/three
              lockstep launch --hostfile hosts --ssh 'ssh -p 2222' --min-workers 2
              srun --nodes 4 --ntasks-per-node 1 lockstep launch --key cluster.key
              mpirun -n 3 -x MASTER_ADDR=node1 lockstep launch
            """)

    @OptionGroup var remote: HostOptions

    @Option(
        help: ArgumentHelp(
            "The coordinator's port; its data ports follow. Default $MASTER_PORT, then 29500.",
            valueName: "port"))
    var port: UInt16?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Begin with this many hosts, and continue while as many are there; default all of them.",
            valueName: "n"))
    var minWorkers: FlagValue<Int>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of each worker; default one per core.", valueName: "n"))
    var threads: FlagValue<Int>?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Parameter servers, a shard each, in the coordinator; auto: in the workers.",
            valueName: "n|auto"))
    var servers = FlagValue(SessionPlacement.standard.servers)

    @Flag(help: .hidden)
    var followStandardInput = false

    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup var session: SessionOptions
    @OptionGroup var timeline: TraceOptions

    func validate() throws {
        guard !session.printConfig else {
            throw ValidationError(
                "--print-config: lockstep coordinator, which has the same settings, shows them")
        }
        guard port.map({ 1...Rank.lastPort ~= $0 }) ?? true else {
            throw ValidationError("--port \(port ?? 0): give a port from 1 to \(Rank.lastPort)")
        }
    }

    func run() throws {
        if let shell = try remote.shell() {
            // What is wrong with the settings is told here and not by every host.
            _ = try settings(workers: shell.hosts.count, threads: 1).runConfiguration()
            _ = try (endpoint.advertised(), endpoint.dataPortRange())
            try check(shell.hosts)
            return try RemoteLaunch(
                shell, options: self,
                key: try endpoint.keyOptions.clusterKey()
                    ?? (endpoint.keyOptions.insecure ? nil : .make())
            ).run()
        }
        var environment = ProcessInfo.processInfo.environment
        if let port { environment["MASTER_PORT"] = "\(port)" }
        let advertised = try endpoint.advertised()
        if let host = advertised?.host { environment["MASTER_ADDR"] = host }
        var rank = try Rank(environment: environment)
        // Rank 0 binds its own port, also where the others reach it by another.
        if rank.index > 0, let port = advertised?.port { rank.port = port }
        let coordinator: Endpoint
        do throws(EndpointError) {
            coordinator = try .tcp(host: rank.coordinatorHost, port: rank.port)
        } catch {
            throw UsageError(
                "MASTER_ADDR=\(rank.coordinatorHost)", error.problem.rawValue,
                "set it to the name or address of rank 0's host")
        }
        let key = try endpoint.keyOptions.clusterKey(
            at: coordinator, named: "rank 0 is on \(rank.coordinatorHost)")
        // Behind the key, which comes the same way.
        if followStandardInput { Signals.followStandardInput() }
        let logger = ConsoleLogHandler.bootstrap(
            session.role.logLevel.level,
            label: rank.index == 0 || followStandardInput ? "" : "rank \(rank.index): ")
        let mark =
            Self.mark(rank.index, of: rank.count)
            + (followStandardInput ? ", launched over ssh" : ", launched by \(rank.launcher)")
        // Whoever started it waits for this line, whatever people want to see.
        if followStandardInput { Console.shared.say(mark) } else { logger.notice("\(mark)") }
        if rank.index == 0 {
            try coordinate(rank, coordinator, key, logger)
        } else {
            try work(rank, coordinator, key, logger)
        }
    }

    private func check(_ hosts: [RemoteHost]) throws(UsageError) {
        if let least = minWorkers?.value, least > hosts.count {
            throw UsageError(
                "--min-workers \(least)", "there are \(hosts.count) hosts",
                "name more hosts, or give a smaller number")
        }
        func isHere(_ name: String) -> Bool {
            (try? Endpoint.tcp(host: name, port: 1))?.isLoopback == true
        }
        if endpoint.advertise == nil, isHere(hosts[0].name),
            let other = hosts.first(where: { !isHere($0.name) })
        {
            throw UsageError(
                "--hosts \(hosts[0].name), …",
                "\(other.name) cannot reach the first host by that name",
                "give its name in the network, or say it with --advertise")
        }
    }

    /// How a process says that it has started.
    static func mark(_ rank: Int, of count: Int) -> String { "rank \(rank) of \(count)" }

    private func settings(_ rank: Rank) throws -> Settings {
        try settings(workers: rank.count, threads: max(1, HostResources.cores / rank.countHere))
    }

    private func settings(workers: Int, threads ownThreads: Int) throws -> Settings {
        try Settings(
            command: "launch",
            flags: [
                [
                    .workers: minWorkers?.text ?? "\(workers)", .minWorkers: minWorkers?.text,
                    .threads: threads?.text ?? "\(ownThreads)", .servers: servers.text,
                ], network.given, training.given, session.given,
            ], file: session.config)
    }

    /// How long a host may take to start.
    func waitTimeoutMilliseconds() throws -> Int {
        try settings(workers: 1, threads: 1).waitTimeoutMilliseconds()
    }

    private func coordinate(
        _ rank: Rank, _ coordinator: Endpoint, _ key: ClusterKey?, _ logger: Logger
    ) throws {
        let settings = try settings(rank)
        let configuration = try settings.runConfiguration()
        var placement = try settings.coordinatorPlacement()
        placement.threads = try settings.threads()
        let options = CoordinatorOptions(
            try endpoint.coordinatorAddress(
                bind: coordinator.isLoopback ? coordinator.text : "tcp://*:\(rank.port)",
                dataPortCount: 1 + placement.servers.knownCount, key: key, logger: logger),
            localWorkers: 1,
            workerCommand: WorkerCommand.local(
                threads: try settings.threads(),
                waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(),
                logLevel: session.role.logLevel.level, hasKey: key != nil), workerFile: ownProgram,
            workerThreads: try settings.threads(), key: key,
            dropped: logger.dropped)
        let directory = session.runDir ?? rank.job.map { "runs/\($0)" }
        let result = try TrainingSession(
            [configuration], settings: settings, placement: placement, logger: logger,
            trace: timeline.trace,
            directory: { _ in directory }
        ).run { request, reporter, interruption in
            try Roles.coordinate(request, options, observer: reporter, interruption: interruption)
        }
        try result.show(asJSON: session.json)
    }

    private func work(
        _ rank: Rank, _ coordinator: Endpoint, _ key: ClusterKey?, _ logger: Logger
    ) throws {
        let settings = try settings(rank)
        let environment = ProcessInfo.processInfo.environment
        let options = MemberOptions(
            coordinator: coordinator,
            waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(), key: key,
            kernels: try .selected(environment: environment), threads: try settings.threads(),
            cache: DatasetCache(environment: environment), notice: { logger.notice("\($0)") },
            dropped: logger.dropped)
        let interruption = Interruption()
        Signals.forward(to: interruption, as: .member)
        let reason = try Roles.work(options, interruption: interruption)
        logger.info("\(reason.text)")
        if reason.exitCode != .success { throw CommandEnd(reason: reason) }
    }
}
