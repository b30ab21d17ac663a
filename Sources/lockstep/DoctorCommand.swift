import ArgumentParser
import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan
import ZeroMQ

/// `lockstep doctor`
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what keeps a run from working, or from being fast.",
        discussion: """
            Looks at this host; with --coordinator also at the way to a coordinator that runs, as \
            a member here would meet it; with --hosts at each of these hosts, over ssh, and at the \
            way from each to the first. Predicts the speed of placements. Green: fine; yellow: \
            works, but look; red: a run fails.

            Exit codes: 0 nothing red, or that of the first red: 69 this host or the network, 77 \
            the key, 78 release, data or kernels.

            Examples:
              lockstep doctor
              lockstep doctor --coordinator tcp://10.0.0.5:29500 --json
              lockstep doctor --hosts a,b,c --batch-size 512
              lockstep doctor --bind tcp://10.0.0.5:29500 --run-dir /scratch/run
            """)

    @Option(
        help: ArgumentHelp("A coordinator that runs: look at the way there.", valueName: "endpoint")
    )
    var coordinator: String?

    @Option(
        help: ArgumentHelp(
            "Where a coordinator here would listen; default tcp://127.0.0.1:29500.",
            valueName: "endpoint"))
    var bind: String?

    @Option(
        help: ArgumentHelp(
            "With --hosts: the coordinator's port there; default 29500.", valueName: "port"))
    var port: UInt16?

    @Option(help: ArgumentHelp("Where records are to go; default runs.", valueName: "dir"))
    var runDir = "runs"

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files.", valueName: "dir|mnist|synthetic"))
    var data: String?

    @Flag(help: "Print one object of JSON.")
    var json = false

    /// Answers as a coordinator until standard input closes.
    @Flag(help: .hidden)
    var answer = false

    /// Among how many hosts a step is to be shared.
    @Option(help: .hidden)
    var hostCount = 1

    @OptionGroup var remote: HostOptions
    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Training") var training: TrainingOptions

    func validate() throws {
        guard coordinator == nil || !remote.isUsed else {
            throw ValidationError(
                "--coordinator and --hosts ask for different things: leave one out")
        }
        guard !runDir.isEmpty else { throw ValidationError("--run-dir '': name a folder") }
        guard hostCount >= 1 else { throw ValidationError("--host-count: give 1 or more") }
        guard port == nil || remote.isUsed else {
            throw ValidationError("--port goes with --hosts; --bind is for this host")
        }
    }

    func run() throws {
        let configuration = try Settings(
            command: "doctor", flags: [network.given, training.given], file: nil
        ).runConfiguration()
        if let shell = try remote.shell() {
            return try RemoteDoctor(shell, options: self, configuration).run()
        }
        let (diagnosis, key, dataset) = try diagnose(configuration)
        try show(diagnosis)
        if answer { try serve(configuration, key, dataset) }
    }

    func show(_ diagnosis: Diagnosis) throws {
        print(json ? diagnosis.json : diagnosis.text(.of(STDOUT_FILENO)))
        fflush(nil)
        if let code = diagnosis.exitCode { throw ArgumentParser.ExitCode(code) }
    }

    /// A coordinator that waits for members that never come, and answers whoever asks.
    private func serve(
        _ configuration: RunConfiguration, _ key: ClusterKey?, _ dataset: Dataset?
    ) throws {
        Signals.followStandardInput()
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let request = SessionRequest(
            runs: [PlannedRun(configuration, directory: RunDirectory(path: runDir))],
            dataset: dataset ?? SyntheticDigits(trainCount: 4_096, testCount: 1).dataset(),
            placement: SessionPlacement(workers: Limits.maximumWorkers),
            kernels: .baseline, waitTimeoutMilliseconds: Self.answerMilliseconds)
        let address = ListeningAddress(bind: try tcpEndpoint(bind ?? "", flag: "--bind"))
        _ = try Roles.coordinate(
            request, CoordinatorOptions(address, key: key),
            observer: Silent(), interruption: interruption)
    }

    private static let answerMilliseconds = 60_000

    private struct Silent: SessionObserver {
        func notice(_ text: String) {}
        func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {}
        func progress(_ progress: RunProgress) {}
        func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {}
        func runEnded(_ outcome: RunOutcome) {}
    }

    /// What there is to be said of this host, its key and its data.
    private func diagnose(_ configuration: RunConfiguration) throws -> (
        Diagnosis, ClusterKey?, Dataset?
    ) {
        let environment = ProcessInfo.processInfo.environment
        let checkup = HostCheckup(environment: environment, runFolder: runDir)
        var results = checkup.machine() + [checkup.records()]
        let (data, dataset) = checkup.data(data)
        results.append(data)
        let (keyResult, key) = try lookAtKey()
        if coordinator == nil || keyResult.verdict == .red { results.append(keyResult) }
        var link: CoordinatorCheckup.Link?
        var counts = Set(Forecast.workerCounts(hostCount) + [1])
        if let coordinator {
            let meeting = CoordinatorCheckup(
                try coordinatorEndpoint(coordinator), key: key,
                dataset: self.data == nil ? nil : dataset)
            if keyResult.verdict != .red { meeting.run() }
            results += meeting.results
            link = meeting.link
            counts.formUnion(1...meeting.otherHosts.count + 1)
        } else {
            results.append(checkup.ports(try ports()))
            if hostCount == 1 { counts.formUnion(Forecast.workerCounts(HostResources.cores)) }
        }
        let speed = speed(configuration, dataset, results, workerCounts: counts)
        let forecast = speed.map { speed in
            guard let link, let most = counts.max() else {
                return Forecast.here(configuration, speed)
            }
            return Forecast.hosts(
                configuration, Array(repeating: speed, count: most),
                links: Array(repeating: link, count: most - 1),
                bytesPerSecond: link.bytesPerSecond ?? .infinity
            ) { "\($0) host\($0 == 1 ? "" : "s") like this one" }
        }
        let host = Diagnosis.Host(name: hostName, checks: results, speed: speed, link: link)
        return (Diagnosis([host], forecast ?? []), key, dataset)
    }

    private func lookAtKey() throws -> (CheckResult, ClusterKey?) {
        do {
            guard let key = try keyOptions.clusterKey() else {
                return (withoutKey, nil)
            }
            return (.green("key", key.fingerprint), key)
        } catch let error as RoleError {
            // What is wrong stands before what to do.
            let parts = error.reason.text.split(separator: "; ", maxSplits: 1).map(String.init)
            return (
                .red("key", parts[0], parts.count > 1 ? parts[1] : "name another", .refusedByKey),
                nil
            )
        }
    }

    private var withoutKey: CheckResult {
        if keyOptions.insecure {
            return .yellow(
                "key", "none, as --insecure says: anyone who reaches the ports may come in",
                "leave --insecure out outside a network that you trust")
        }
        let remedy = "make one with lockstep keys create, and copy it to every host"
        if let bind, let endpoint = try? Endpoint(bind), !endpoint.isLoopback {
            return .red(
                "key", "none, and --bind \(bind) is beyond this host", remedy, .refusedByKey)
        }
        return .yellow("key", "none: enough for clusters on this host only", remedy)
    }

    /// For control, for data, and for a server.
    private static let portCount = 3

    /// Those that a coordinator binds beyond this host; within, the system chooses all but one.
    private func ports() throws -> [Endpoint] {
        let endpoint = try tcpEndpoint(bind ?? "tcp://127.0.0.1:29500", flag: "--bind")
        guard !endpoint.isLoopback else { return [endpoint] }
        try EndpointOptions.checkPorts(of: endpoint, Self.portCount, flag: "--bind")
        return (0..<Self.portCount).compactMap { endpoint.port(above: $0) }
    }

    private func speed(
        _ configuration: RunConfiguration, _ dataset: Dataset?, _ results: [CheckResult],
        workerCounts: Set<Int>
    ) -> ComputeSpeed? {
        let environment = ProcessInfo.processInfo.environment
        guard !results.contains(where: { $0.topic == "kernels" && $0.verdict == .red }),
            let kernels = try? KernelVariant.selected(environment: environment),
            configuration.architecture.layers.first == LabelledImages.pixelCount
        else { return nil }
        let shares = Set(workerCounts.map { Forecast.share(configuration.batchSize, $0) }).sorted()
        return ComputeSpeed(
            configuration, shares: shares, examples: .sample(of: dataset), kernels: kernels,
            cores: HostResources.cores)
    }
}
