import ArgumentParser
import Convergence
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
            of Kubernetes. Rank 0 coordinates and works, the others work, each with a thread a \
            core. MASTER_ADDR and MASTER_PORT say where rank 0 is, where the launcher does not.

            Examples:
              lockstep launch --hosts a,b,c --batch-size 512 --run-dir runs/three
              lockstep launch --hostfile hosts --ssh 'ssh -p 2222' --min-workers 2
              srun --nodes 4 --ntasks-per-node 1 lockstep launch --key cluster.key
              mpirun -n 3 -x MASTER_ADDR=node1 lockstep launch
            """)

    @Option(
        help: ArgumentHelp("Start on these hosts, the coordinator's first.", valueName: "list"))
    var hosts: String?

    @Option(
        help: ArgumentHelp(
            "Start on the hosts in this file, one a line: [USER@]HOST[:PORT].", valueName: "file"))
    var hostfile: String?

    @Option(help: ArgumentHelp("The command that reaches a host.", valueName: "command"))
    var ssh = "ssh"

    @Option(
        help: ArgumentHelp(
            "Where the program is on the hosts; default the same place as here.", valueName: "path")
    )
    var remotePath: String?

    @Flag(
        help: """
            Copy the program to the hosts first, into ~/.cache/lockstep/bin; the libraries that it \
            needs have to be there.
            """)
    var copy = false

    @Option(
        help: ArgumentHelp(
            "What the others reach the first host by, where that is not its name in the list.",
            valueName: "host"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "The coordinator's port; its data ports follow. Default $MASTER_PORT, then 29500.",
            valueName: "port"))
    var port: UInt16?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Begin with this many hosts, and go on while there are; default all of them.",
            valueName: "n"))
    var minWorkers: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of each worker; default one a core.", valueName: "n"))
    var threads: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Parameter servers, a shard each; default 1.", valueName: "n"))
    var servers: String?

    @Flag(help: .hidden)
    var followStandardInput = false

    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions
    @OptionGroup var session: SessionOptions

    func validate() throws {
        guard !session.printConfig else {
            throw ValidationError(
                "--print-config: lockstep coordinator, which has the same settings, shows them")
        }
        guard hosts == nil || hostfile == nil else {
            throw ValidationError(
                "--hosts and --hostfile name the same thing: leave one of the two out")
        }
    }

    func run() throws {
        if let list = try remoteHosts() {
            return try RemoteLaunch(
                hosts: list, options: self,
                key: try keyOptions.clusterKey() ?? (keyOptions.insecure ? nil : .make())
            ).run()
        }
        var environment = ProcessInfo.processInfo.environment
        if let port { environment["MASTER_PORT"] = "\(port)" }
        if let advertise { environment["MASTER_ADDR"] = advertise }
        let rank = try Rank(environment: environment)
        let key = try keyOptions.clusterKey()
        if followStandardInput { Signals.followStandardInput() }
        let endpoint: Endpoint
        do throws(EndpointError) {
            endpoint = try .tcp(host: rank.coordinatorHost, port: rank.port)
        } catch {
            throw UsageError(
                "MASTER_ADDR=\(rank.coordinatorHost)", error.problem.rawValue,
                "set it to the name or address of rank 0's host")
        }
        try keyOptions.check(
            "rank 0 is on \(rank.coordinatorHost)", isBeyondThisHost: !endpoint.isLoopback, key)
        let logger = ConsoleLogHandler.bootstrap(
            session.role.logLevel,
            label: rank.index == 0 || followStandardInput ? "" : "rank \(rank.index): ")
        logger.notice("\(Self.mark(rank.index, of: rank.count)), launched by \(rank.launcher)")
        if rank.index == 0 {
            try coordinate(rank, endpoint, key, logger)
        } else {
            try work(rank, endpoint, key, logger)
        }
    }

    /// How a process says that it has started.
    static func mark(_ rank: Int, of count: Int) -> String { "rank \(rank) of \(count)" }

    private func remoteHosts() throws(UsageError) -> [RemoteHost]? {
        if let hosts { return try parsed("--hosts \(hosts)", hosts, HostList.parse(_:)) }
        guard let hostfile else { return nil }
        let place = "--hostfile \(hostfile)"
        guard let text = try? String(contentsOfFile: hostfile, encoding: .utf8) else {
            throw UsageError(place, "it cannot be read", "name a file with a host a line")
        }
        return try parsed(place, text, HostList.parse(file:))
    }

    private func parsed(
        _ place: String, _ text: String,
        _ parse: (String) throws(HostList.Problem) -> [RemoteHost]
    ) throws(UsageError) -> [RemoteHost] {
        do throws(HostList.Problem) {
            return try parse(text)
        } catch {
            let remedy = "write [USER@]HOST[:PORT], an address of version 6 with a port in brackets"
            switch error {
            case .malformed(let line, let text):
                throw UsageError("\(place), line \(line)", "“\(text)” is not a host", remedy)
            case .double(let line, let text):
                throw UsageError(
                    "\(place), line \(line)", "“\(text)” is there twice",
                    "name each host once; its worker has a thread for each of its cores")
            case .empty: throw UsageError(place, "there is no host in it", remedy)
            }
        }
    }

    private func settings(_ rank: Rank) throws -> Settings {
        try Settings(
            command: "launch",
            flags: [
                [
                    .workers: minWorkers ?? "\(rank.count)", .minWorkers: minWorkers,
                    .threads: threads ?? "\(max(1, HostResources.cores / rank.countHere))",
                    .servers: servers,
                ], network.given, training.given, session.given,
            ], file: session.config)
    }

    private func coordinate(
        _ rank: Rank, _ endpoint: Endpoint, _ key: ClusterKey?, _ logger: Logger
    ) throws {
        let settings = try settings(rank)
        let configuration = try settings.runConfiguration()
        let placement = try settings.coordinatorPlacement()
        let options = CoordinatorOptions(
            bind: endpoint.isLoopback ? endpoint : try .tcp(host: "*", port: rank.port),
            advertisedHost: endpoint.isLoopback ? nil : rank.coordinatorHost, localWorkers: 1,
            workerCommand: WorkerCommand.local(
                threads: try settings.threads(),
                waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(),
                logLevel: session.role.logLevel, hasKey: key != nil), key: key,
            dropped: logger.dropped)
        let directory = session.runDir ?? rank.job.map { "runs/\($0)" }
        let result = try TrainingSession(
            [configuration], settings: settings, placement: placement, logger: logger,
            directory: { _ in directory }
        ).run { request, reporter, interruption in
            try Roles.coordinate(request, options, observer: reporter, interruption: interruption)
        }
        if session.json {
            result.printJSON()
        } else {
            for (run, directory) in result.outcomes { print(run.summary(directory: directory)) }
        }
        try result.throwIfFailed()
    }

    private func work(
        _ rank: Rank, _ endpoint: Endpoint, _ key: ClusterKey?, _ logger: Logger
    ) throws {
        let settings = try settings(rank)
        let environment = ProcessInfo.processInfo.environment
        let options = MemberOptions(
            coordinator: endpoint,
            waitTimeoutMilliseconds: try settings.waitTimeoutMilliseconds(), key: key,
            kernels: try .selected(environment: environment), threads: try settings.threads(),
            cache: DatasetCache(environment: environment), notice: { logger.notice("\($0)") },
            dropped: logger.dropped)
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let reason = try Roles.work(options, interruption: interruption)
        logger.info("\(reason.text)")
        if reason.exitCode != .success { throw CommandEnd(reason: reason) }
    }
}
