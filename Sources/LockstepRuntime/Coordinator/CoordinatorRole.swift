import Convergence
import Datasets
import Foundation
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A coordinator with what it hosts: the servers in threads of this process, workers as its children.
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
        let memberCount = request.placement.workers + request.placement.servers
        try FileDescriptorLimit.reserve(
            FileDescriptorLimit.needed(
                sockets: 3 + 3 * request.placement.servers,
                connections: 2 * memberCount + request.placement.workers * request.placement.servers
            ))
        // I/O for many workers and servers goes through one thread until a core is to spare for more.
        let context = try Context()
        let wakeUp = try WakeUp()
        let network = SocketTransport(context, wakeUp: wakeUp)
        let inproc = try Endpoint(Self.inprocEndpoint)
        let bound = try network.bindControl(
            to: options.bind, inproc: inproc, maximumFrameByteCount: maximumControlFrameByteCount)
        let data = try network.bindData(
            to: dataEndpoint(0, bound), maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        observer.notice("listening on \(bound.text)")

        let children = ChildProcesses(wakeUp: wakeUp)
        defer { children.stop() }
        let servers = HostedServers(wakeUp: wakeUp)
        defer { servers.join() }
        let reporting = ReportingThread(request, observer: observer, wakeUp: wakeUp)
        var reason: StopReason
        do {
            try startHosted(servers, children, bound, inproc, context)
            reason = try coordinate(network, data, reporting, children, servers, wakeUp)
        } catch {
            _ = reporting.finish()
            servers.stop(StopReason(.internalError, "\(error)"))
            throw error
        }
        servers.stop(reason)
        let (outcomes, failure) = reporting.finish()
        // The last run's weights are written when the members have gone already.
        if reason.exitCode == .success, let failure { reason = failure }
        return SessionResult(outcomes: outcomes, reason: reason)
    }

    /// A statement, or what one server measures of a step of any run.
    private var maximumControlFrameByteCount: Int {
        request.runs.map { ShardPlan(whole: $0.configuration).largestReportFrameByteCount }
            .reduce(FrameHeader.byteCount + Limits.maximumStatementByteCount, max)
    }

    private func startHosted(
        _ servers: HostedServers, _ children: ChildProcesses, _ bound: Endpoint,
        _ inproc: Endpoint, _ context: Context
    ) throws {
        let maximumFrameByteCount =
            request.runs.map { ShardPlan(whole: $0.configuration).largestPushFrameByteCount }.max()
            ?? FrameHeader.byteCount
        for index in 0..<(options.hostsServers ? request.placement.servers : 0) {
            let place = ServerRole.Place(
                coordinator: inproc, bind: try dataEndpoint(1 + index, bound),
                advertisedHost: options.advertisedHost,
                maximumFrameByteCount: maximumFrameByteCount)
            try servers.start(
                place, request, context: context, notice: { [observer] in observer.notice($0) },
                dropped: options.dropped)
        }
        for _ in 0..<options.localWorkers {
            try children.start(options.workerCommand + ["--coordinator", bound.text])
        }
    }

    private func coordinate(
        _ network: SocketTransport, _ data: Endpoint, _ reporting: ReportingThread,
        _ children: ChildProcesses, _ servers: HostedServers, _ wakeUp: WakeUp
    ) throws -> StopReason {
        interruption.register(wakeUp)
        let dataset = request.dataset
        let advertised =
            try options.advertisedHost.map { try Endpoint.tcp(host: $0, port: data.port ?? 0) }
            ?? data
        let machine = CoordinatorMachine(
            SessionPlan(
                session: SessionID(rawValue: UInt32.random(in: 1 ... .max)),
                dataset: DatasetDescription(
                    name: dataset.name, sha256: "\(dataset.sha256)",
                    byteCount: UInt64(dataset.payloadByteCount),
                    trainingExampleCount: dataset.train.count), dataEndpoint: advertised.text,
                runs: request.runs.map(\.configuration), minimumWorkers: request.placement.workers,
                servers: request.placement.servers,
                waitTimeoutMilliseconds: request.waitTimeoutMilliseconds))
        var lost: [CoordinatorEvent] = []
        let engine = CoordinatorEngine(
            wire: Wire(kernels: KernelSet(request.kernels)),
            runs: request.runs.map(\.configuration), reporting: reporting,
            datasetPart: {
                dataset.payloadChunk(offset: Int($0.offset), byteCount: Int($0.byteCount))
            },
            lostChildren: {
                lost += children.takeExited().flatMap(\.events)
                if let reason = servers.takeFailure() { lost.append(.failed(reason)) }
                return lost.isEmpty ? nil : lost.removeFirst()
            }, notice: { [observer] in observer.notice($0) })
        var loop = RoleLoop(
            machine, engine, network, clock: SystemClock(), dropped: options.dropped)
        let reason = try loop.run(interruption, waitingAt: network)
        engine.close(reason, isInterrupted: interruption.reason != nil)
        return reason
    }

    /// Where the coordinator's own data port (0) and its servers' (from 1) are bound. Loopback: a port from
    /// the system. Beyond: fixed ones behind the coordinator's, for firewalls.
    private func dataEndpoint(_ index: Int, _ coordinator: Endpoint) throws -> Endpoint {
        let host = coordinator.host ?? "127.0.0.1"
        guard !coordinator.isLoopback else { return try .tcp(host: host, port: 0) }
        guard let endpoint = coordinator.port(above: 1 + index) else {
            throw RoleError(
                .usage,
                "--bind \(coordinator.text): the data ports lie above it, and there is no port "
                    + "above 65535; give a lower port")
        }
        return endpoint
    }
}

extension ChildProcesses.Exited {
    /// What it means for the session. One that never joined is unknown to the machine.
    fileprivate var events: [CoordinatorEvent] {
        let lost = CoordinatorEvent.lost(processID: processID, host: hostName, cause: cause)
        guard wasNeeded else { return [lost] }
        let reason = StopReason(
            exitCode,
            "worker process \(processID) \(cause) before the session ended: see its messages above")
        return [lost, .failed(reason)]
    }
}
