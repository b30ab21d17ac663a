import CrashPoints
import Datasets
import Foundation
import LockstepProtocol
import NeuralNetwork
import RunRecords
import TrainingPlan
import ZeroMQ

/// A coordinator with what it hosts: the servers in threads of this process, workers as its
/// children.
final class CoordinatorRole {
    private let request: SessionRequest
    private let options: CoordinatorOptions
    private let observer: any SessionObserver
    private let interruption: Interruption

    private static let inprocEndpoint = "inproc://coordinator"

    init(
        _ request: SessionRequest, _ options: CoordinatorOptions, observer: any SessionObserver,
        interruption: Interruption
    ) {
        self.request = request
        self.options = options
        self.observer = observer
        self.interruption = interruption
    }

    func run() throws -> SessionResult {
        let placement = request.placement
        // A worker may host a server, and is two members then.
        let serverCount = max(
            placement.servers.knownCount,
            min(placement.workers, SettingLimits.maximumServers))
        let memberCount = placement.workers + serverCount
        try FileDescriptorLimit.reserve(
            FileDescriptorLimit.needed(
                sockets: 3 + 3 * serverCount,
                connections: 2 * memberCount
                    + placement.workers * placement.servers.knownCount))
        try ThreadLimit.reserve(
            ThreadLimit.ownThreads + serverCount + options.localWorkers,
            others: options.localWorkers * (options.workerThreads + ThreadLimit.ownThreads))
        for run in request.runs {
            try MemoryLimit.reserve(
                MemoryLimit.trainingByteCount(run.configuration, threads: 1 + serverCount))
        }
        // I/O for many workers and servers goes through one thread until a core is to spare for
        // more.
        let context = try Context()
        let wakeUp = try WakeUp()
        let gatekeeper = try options.key.map { try Gatekeeper($0, in: context) }
        defer { gatekeeper?.close() }
        let network = SocketTransport(
            context, wakeUp: wakeUp, gatekeeper: gatekeeper,
            notice: { [observer] in observer.notice($0) })
        let inproc = try Endpoint(Self.inprocEndpoint)
        let bound = try network.bindControl(
            to: options.address.bind, inproc: inproc,
            maximumFrameByteCount: maximumControlFrameByteCount)
        let data = try network.bindData(
            to: options.address.dataEndpoints(0, beside: bound),
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        observer.notice("listening on \(bound.text)\(try addressForOthers(bound))")
        if let key = options.key {
            observer.notice("members need the key \(key.fingerprint) (lockstep keys show)")
        }
        CrashPoint.portsBound.pass()

        let children = ChildProcesses(
            wakeUp: wakeUp, secret: options.key?.bytes ?? [],
            wait: .milliseconds(request.waitTimeoutMilliseconds))
        defer { children.stop() }
        let servers = HostedServers(wakeUp: wakeUp)
        defer { servers.join() }
        let trace = SessionTrace(request, observer: observer)
        let reporting = ReportingThread(
            request, observer: observer, wakeUp: wakeUp, trace: trace?.store)
        var reason: StopReason
        do {
            try startHosted(servers, children, bound, inproc, context, gatekeeper)
            reason = try coordinate(
                network, bound, data, reporting, children, servers, wakeUp, trace?.store)
        } catch {
            _ = reporting.finish()
            _ = trace?.write()
            servers.stop(StopReason(.internalError, "\(error)"))
            throw error
        }
        servers.stop(reason)
        let (outcomes, failure) = reporting.finish()
        CrashPoint.sessionEnded.pass()
        // The last run's weights are written when the members have gone already.
        let traceFailure = trace?.write()
        if reason.exitCode == .success, let failure = failure ?? traceFailure { reason = failure }
        return SessionResult(outcomes: outcomes, reason: reason)
    }

    /// A statement, or what one server measures of a step of any run.
    private var maximumControlFrameByteCount: Int {
        request.runs.map { ShardPlan(whole: $0.configuration).largestReportFrameByteCount }
            .reduce(FrameHeader.byteCount + Limits.maximumStatementByteCount, max)
    }

    private func startHosted(
        _ servers: HostedServers, _ children: ChildProcesses, _ bound: Endpoint,
        _ inproc: Endpoint, _ context: Context, _ gatekeeper: Gatekeeper?
    ) throws {
        let maximumFrameByteCount =
            request.runs.map { ShardPlan(whole: $0.configuration).largestPushFrameByteCount }.max()
            ?? FrameHeader.byteCount
        for index in 0..<(options.hostsServers ? request.placement.servers.knownCount : 0) {
            let place = ServerRole.Place(
                coordinator: inproc,
                candidates: try options.address.dataEndpoints(1 + index, beside: bound),
                forOthers: { [address = options.address] in
                    try address.endpointForOthers($0, control: bound)
                },
                maximumFrameByteCount: maximumFrameByteCount)
            try servers.start(
                place, request, context: context, gatekeeper: gatekeeper,
                notice: { [observer] in observer.notice($0) },
                dropped: options.dropped)
        }
        for _ in 0..<options.localWorkers { try start(children, bound) }
    }

    private func start(_ children: ChildProcesses, _ bound: Endpoint) throws {
        try children.start(workerCommand(bound), file: options.workerFile)
    }

    private func workerCommand(_ bound: Endpoint) -> [String] {
        let address = options.address
        var arguments = ["--coordinator", bound.fromThisHost.text]
        if bound.transport == .tcp, !bound.isLoopback || address.advertised != nil {
            // The shards of its workers are reached as its own ports are.
            arguments += ["--beside", bound.text]
            if let advertised = address.advertised {
                arguments += ["--advertise", advertised.authority]
            }
            if let ports = address.dataPorts {
                arguments += ["--data-ports", "\(ports.lowerBound)-\(ports.upperBound)"]
            }
        }
        return options.workerCommand + arguments
    }

    /// What the loss of a child means for the session: another takes its place, where one may.
    private func event(
        of child: ChildProcesses.Exited, _ children: ChildProcesses, _ bound: Endpoint
    ) -> CoordinatorEvent {
        .lost(
            processID: child.processID, host: hostName, cause: child.cause,
            failure: child.wasNeeded ? failure(of: child, children, bound) : nil)
    }

    /// Nil where another takes its place.
    private func failure(
        of child: ChildProcesses.Exited, _ children: ChildProcesses, _ bound: Endpoint
    ) -> StopReason? {
        let text = "worker process \(child.processID) \(child.cause) before the session ended"
        let failure = StopReason(child.exitCode, "\(text): see its messages above")
        if child.isHopeless { return failure }
        do {
            guard try children.replace(workerCommand(bound), file: options.workerFile) else {
                observer.notice("\(text), as many before it: no other is started")
                return failure
            }
            observer.notice("\(text): another one takes its place")
            return nil
        } catch {
            observer.notice("\(text), and no other can be started: \(error)")
            return failure
        }
    }

    /// Starts or retires workers of this host, as a person has asked.
    private func scale(
        to count: Int, _ children: ChildProcesses, _ bound: Endpoint
    ) -> StopReason {
        guard !options.workerCommand.isEmpty else {
            return StopReason(
                .mismatch,
                "the workers of this coordinator were started apart: start more with lockstep worker "
                    + "--coordinator \(bound.text), or stop one with Ctrl-C in its terminal")
        }
        guard (1...Self.maximumLocalWorkers).contains(count) else {
            return StopReason(
                .usage,
                "--workers \(count): this host takes 1 to \(Self.maximumLocalWorkers)"
                    + (count == 0 ? "; Ctrl-C in the coordinator's terminal ends the run" : ""))
        }
        let before = children.count
        do {
            for _ in before..<max(count, before) { try start(children, bound) }
        } catch {
            return StopReason(.internalError, "no worker can be started: \(error)")
        }
        children.retire(max(before - count, 0))
        observer.notice("scaled from \(before) to \(count) workers")
        return StopReason(.success, "from \(before) to \(count) workers")
    }

    /// Processes of one host.
    private static let maximumLocalWorkers = 256

    private func coordinate(
        _ network: SocketTransport, _ bound: Endpoint, _ data: Endpoint,
        _ reporting: ReportingThread,
        _ children: ChildProcesses, _ servers: HostedServers, _ wakeUp: WakeUp,
        _ trace: TraceStore?
    ) throws -> StopReason {
        interruption.register(wakeUp)
        let dataset = request.dataset
        let dataForOthers = try options.address.endpointForOthers(data, control: bound)
        let machine = CoordinatorMachine(
            SessionPlan(
                session: SessionID(rawValue: UInt32.random(in: 1 ... .max)),
                dataset: DatasetDescription(
                    name: dataset.name, sha256: "\(dataset.sha256)",
                    byteCount: UInt64(dataset.payloadByteCount),
                    trainingExampleCount: dataset.train.count), dataEndpoint: dataForOthers.text,
                runs: request.runs.map(\.configuration),
                startingWorkers: request.placement.workers,
                minimumWorkers: request.minimumWorkers, maximumWorkers: request.maximumWorkers,
                servers: request.placement.servers,
                waitTimeoutMilliseconds: request.waitTimeoutMilliseconds,
                firstSteps: request.runs.map { Step($0.start?.step ?? 0) },
                isResumed: request.runs.first?.hasBegun ?? false,
                checkpointMilliseconds: request.runs.first?.checkpoints.milliseconds ?? 0,
                audits: request.audits))
        var lost: [CoordinatorEvent] = []
        var checkpointRequests = interruption.checkpointCount
        let engine = CoordinatorEngine(
            wire: Wire(kernels: KernelSet(request.kernels)),
            runs: request.runs.map(\.configuration), reporting: reporting,
            datasetPart: {
                dataset.payloadChunk(offset: Int($0.offset), byteCount: Int($0.byteCount))
            },
            lostChildren: { [interruption] in
                lost += children.takeExited().map { self.event(of: $0, children, bound) }
                if let reason = servers.takeFailure() { lost.append(.failed(reason)) }
                if case let count = interruption.checkpointCount, count != checkpointRequests {
                    checkpointRequests = count
                    lost.append(.checkpointAsked)
                }
                return lost.isEmpty ? nil : lost.removeFirst()
            }, firstState: { [runs = request.runs] in runs[$0.index].start.map(WholeState.init) },
            scale: { self.scale(to: $0, children, bound) }, trace: trace,
            notice: { [observer] in observer.notice($0) })
        var loop = RoleLoop(
            machine, engine, network, clock: SystemClock(), dropped: options.dropped)
        var reason = try loop.run(interruption, waitingAt: network)
        if reason.exitCode != .success { reason = interruption.end(reason) }
        engine.close(reason, isInterrupted: interruption.reason != nil)
        return reason
    }

    /// What a person gives to members on other hosts, where that is not what is bound.
    private func addressForOthers(_ bound: Endpoint) throws -> String {
        let outer = try options.address.endpointForOthers(bound, control: bound)
        if outer.isEverywhere {
            return
                "; others reach it at \(bound.with(host: hostName).text), or any address of this "
                + "host"
        }
        return outer == bound ? "" : "; others reach it at \(outer.text)"
    }
}
