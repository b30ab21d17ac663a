import Convergence
import Foundation
import LockstepProtocol
import Synchronization
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
        // I/O for many workers and servers goes through one thread until a core is to spare for more.
        let context = try Context()
        let control = try Socket(.router, in: context)
        try control.configure(
            maximumFrameByteCount: maximumControlFrameByteCount,
            lingerMilliseconds: SocketLimits.controlLingerMilliseconds)
        try control.set(.sendHighWaterMark, to: SocketLimits.controlMessages)
        try control.set(.receiveHighWaterMark, to: SocketLimits.controlMessages)
        let bound = try bindNaming(control, to: options.bind)
        let inproc = try Endpoint(Self.inprocEndpoint)
        try control.bind(to: inproc)

        let wakeUp = try WakeUp()
        let children = ChildProcesses(wakeUp: wakeUp)
        defer { children.stop() }
        let servers = HostedServers()
        if options.hostsServers {
            for index in 0..<request.placement.servers {
                try servers.start(
                    coordinator: inproc, bind: serverEndpoint(index, bound), options: options,
                    request: request, context: context, observer: observer)
            }
        }
        defer { servers.join() }
        let loop = CoordinatorLoop(
            request, control: control, children: children, wakeUp: wakeUp, observer: observer,
            interruption: interruption)
        observer.notice("listening on \(bound.text)")
        for _ in 0..<options.localWorkers {
            try children.start(options.workerCommand + ["--coordinator", bound.text])
        }
        let result: SessionResult
        do {
            result = try loop.run()
        } catch {
            servers.interrupt(StopReason(.internalError, "\(error)"))
            throw error
        }
        servers.interrupt(result.reason)
        return result
    }

    /// Loopback: a port from the system. Beyond: fixed ones behind the coordinator's, for firewalls.
    private func serverEndpoint(_ index: Int, _ coordinator: Endpoint) throws -> Endpoint {
        let host = coordinator.host ?? "127.0.0.1"
        guard !coordinator.isLoopback, let port = coordinator.port else {
            return try Endpoint("tcp://\(host):*")
        }
        return try .tcp(host: host, port: port + 1 + UInt16(index))
    }

    /// Snapshots are the largest frames that come.
    private var maximumControlFrameByteCount: Int {
        request.runs.map { ShardPlan(whole: $0.configuration).largestWeightsFrameByteCount }
            .reduce(FrameHeader.byteCount + Limits.maximumControlPayloadByteCount, max)
    }
}

/// The parameter servers that run inside the coordinator's process, each in a thread of its own.
private final class HostedServers {
    private let interruption = Interruption()
    private var threads: [DispatchSemaphore] = []

    func start(
        coordinator: Endpoint, bind: Endpoint, options: CoordinatorOptions, request: SessionRequest,
        context: Context, observer: any SessionObserver
    ) throws {
        let maximumFrameByteCount =
            request.runs.map { ShardPlan(whole: $0.configuration).largestPushFrameByteCount }.max()
            ?? FrameHeader.byteCount
        let ready = DispatchSemaphore(value: 0)
        let ended = DispatchSemaphore(value: 0)
        let failureBox = Failure()
        let thread = Thread { [interruption] in
            defer { ended.signal() }
            do {
                // The sockets belong to the thread that makes them.
                let loop = try ServerLoop(
                    coordinator: coordinator, bind: bind, advertisedHost: options.advertisedHost,
                    kernels: request.kernels,
                    waitTimeoutMilliseconds: request.waitTimeoutMilliseconds,
                    maximumFrameByteCount: maximumFrameByteCount, context: context,
                    interruption: interruption, notice: { observer.notice($0) })
                ready.signal()
                _ = try loop.run()
            } catch {
                failureBox.error.withLock { $0 = error }
                ready.signal()
                if !(error is RoleError) { observer.notice("A parameter server stopped: \(error)") }
            }
        }
        thread.name = "server"
        thread.start()
        threads.append(ended)
        ready.wait()
        if let error = failureBox.error.withLock({ $0 }) { throw error }
    }

    func interrupt(_ reason: StopReason) { interruption.request(reason) }

    func join() {
        interruption.request(StopReason(.success, "the coordinator is done"))
        for thread in threads { thread.wait() }
    }

    private final class Failure: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }
}
