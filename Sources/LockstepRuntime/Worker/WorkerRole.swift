import CrashPoints
import Datasets
import Glibc
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A worker process: a context, a connection to the coordinator, compute threads; and, where the
/// session wants it, the server of a shard in the same thread, so that what the worker pushes to it
/// is handed over and nobody has to be woken.
final class WorkerRole {
    private let options: MemberOptions
    private let interruption: Interruption
    private let context: Context
    private let wakeUp: WakeUp
    private let network: SocketTransport
    private let engine: WorkerEngine
    private var gatekeeper: Gatekeeper?
    private var server: OpenServer?
    /// Whether none is hosted any more, whatever the session wants.
    private var hostsNone = false

    /// Works until the session ends.
    static func run(_ options: MemberOptions, interruption: Interruption) throws -> StopReason {
        let role = try WorkerRole(options, interruption)
        defer { role.close() }
        return try role.run()
    }

    private init(_ options: MemberOptions, _ interruption: Interruption) throws {
        // A hosted server is reached by the other workers.
        try FileDescriptorLimit.reserveServing(sockets: 3 + 2 + 3)
        try ThreadLimit.reserve(options.threads + ThreadLimit.ownThreads)
        self.options = options
        self.interruption = interruption
        context = try Context()
        wakeUp = try WakeUp()
        interruption.register(wakeUp)
        network = SocketTransport(context, wakeUp: wakeUp, key: options.key)
        engine = WorkerEngine(
            wire: Wire(kernels: KernelSet(options.kernels)),
            team: ThreadTeam(count: options.threads),
            data: WorkerData(given: options.dataset, cache: options.cache, notice: options.notice),
            wakeUp: wakeUp, lookup: NameLookup(options.coordinator, wakeUp: wakeUp),
            notice: options.notice)
    }

    private func close() {
        engine.close()
        // Whoever still knocks at its ports has somebody to be judged by.
        server = nil
        gatekeeper?.close()
    }

    private func run() throws -> StopReason {
        try network.connect(
            .coordinator, to: options.coordinator.text,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        let member = MemberDescription(
            role: .worker, nonce: UInt64.random(in: .min ... .max), host: hostName,
            processID: getpid(), threads: options.threads, cores: HostResources.cores,
            datasetSHA256: options.dataset.map { "\($0.sha256)" })
        let machine = WorkerMachine(
            link: MemberLink(
                member: member, coordinatorAddress: options.coordinator.text,
                waitTimeoutMilliseconds: options.waitTimeoutMilliseconds))
        var loop = RoleLoop(
            machine, engine, options.sending(network), clock: SystemClock(),
            dropped: options.dropped)
        CrashPoint.workerOpened.pass()
        let reason = try loop.run(
            interruption, waitingAt: network, isAwake: { [engine] in engine.isAwake },
            beside: { [unowned self] in try serve($0) })
        try leave(reason)
        CrashPoint.workerLeaving.pass()
        return network.explained(interruption.end(reason))
    }

    // MARK: The server

    /// Does what there is to be done for the shard.
    private func serve(_ interruption: StopReason?) throws {
        if server == nil, engine.hostsServer, !hostsNone { open() }
        guard let server else { return }
        if let interruption { try server.interrupt(interruption) }
        if let end = try server.turn() { close(server, end) }
    }

    private func open() {
        do {
            let place = try place()
            if let key = options.key, gatekeeper == nil {
                gatekeeper = try Gatekeeper(key, in: context)
            }
            let server = try OpenServer(
                place,
                SocketTransport(
                    beside: network, wakeUp: wakeUp, gatekeeper: gatekeeper,
                    notice: options.notice),
                wakeUp: wakeUp, kernels: options.kernels,
                waitTimeoutMilliseconds: options.waitTimeoutMilliseconds, notice: options.notice,
                dropped: options.dropped)
            try server.start()
            network.share(thread: server.network, boundAs: server.endpoint)
            engine.hostedEndpoint = server.endpoint
            self.server = server
        } catch {
            hostsNone = true
            options.notice("this worker serves no shard: \(error)")
        }
    }

    /// Beside the coordinator's socket; at a port from the system where nobody comes from another
    /// host; else at the first free port above the coordinator's.
    private func place() throws -> ServerRole.Place {
        let coordinator = options.coordinator
        let address: ListeningAddress
        let candidates: [Endpoint]
        if coordinator.transport != .tcp {
            address = ListeningAddress(bind: coordinator)
            candidates = [try coordinator.sibling("worker-\(getpid())")]
        } else if let given = options.address {
            // As the coordinator of this host is reached.
            address = given
            candidates = given.workerEndpoints(beside: given.bind)
        } else if coordinator.isLoopback, try Endpoint(engine.coordinatorData).isLoopback {
            address = ListeningAddress(bind: coordinator)
            candidates = [coordinator.with(port: 0)]
        } else {
            let everywhere = coordinator.with(host: "*")
            address = ListeningAddress(
                bind: everywhere, advertised: try options.advertised ?? addressForOthers,
                dataPorts: options.dataPorts)
            candidates = address.workerEndpoints(beside: everywhere)
        }
        let control = address.bind
        return ServerRole.Place(
            coordinator: coordinator, candidates: candidates,
            forOthers: { try address.endpointForOthers($0, control: control) },
            maximumFrameByteCount: Limits.maximumFrameByteCount)
    }

    /// By which address others reach this host: by the one that it has on the way to the
    /// coordinator, or on the coordinator's own host by the coordinator's, which it may leave open.
    private var addressForOthers: Endpoint? {
        get throws {
            guard options.coordinator.isLoopback else { return ownAddress }
            let data = try Endpoint(engine.coordinatorData)
            return data.isEverywhere ? nil : data.host.flatMap { try? .tcp(host: $0, port: 0) }
        }
    }

    private var ownAddress: Endpoint? {
        let addresses = (try? options.coordinator.addresses()) ?? []
        return addresses.lazy.compactMap { Reachability.source(towards: $0) }.first.flatMap {
            try? Endpoint.tcp(host: $0, port: 0)
        }
    }

    private func close(_ server: OpenServer, _ end: StopReason) {
        network.shareNoMore()
        engine.hostedEndpoint = nil
        self.server = nil
        hostsNone = true
        if end.exitCode != .success {
            options.notice("this worker serves no shard any more: \(end.text)")
        }
    }

    /// The worker has ended: its server says goodbye, too.
    private func leave(_ reason: StopReason) throws {
        let clock = SystemClock()
        let end = clock.now.advanced(byMilliseconds: 2 * Limits.farewellMilliseconds)
        while let server, clock.now < end {
            if try server.turn() != nil { return }
            try server.interrupt(reason)
            if try server.turn() != nil { return }
            try network.wait(milliseconds: RoleLimits.tickMilliseconds)
        }
    }
}
