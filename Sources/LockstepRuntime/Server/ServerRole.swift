import CrashPoints
import Glibc
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A parameter server: started by itself, or in a thread of its own inside the coordinator.
enum ServerRole {
    /// Where a server is, and whom it serves.
    struct Place {
        /// TCP, or the coordinator's inproc endpoint where this server runs inside it.
        var coordinator: Endpoint
        /// Where the server may bind, to be tried in this order.
        var candidates: [Endpoint]
        /// What workers connect to in place of what was bound.
        var forOthers: @Sendable (Endpoint) throws -> Endpoint
        /// The largest push.
        var maximumFrameByteCount: Int
    }

    /// A server with its own context, with the options of the command line.
    static func run(_ options: MemberOptions, interruption: Interruption) throws -> StopReason {
        try FileDescriptorLimit.reserveServing(sockets: 4)
        try ThreadLimit.reserve(ThreadLimit.ownThreads)
        let context = try Context()
        let gatekeeper = try options.key.map { try Gatekeeper($0, in: context) }
        defer { gatekeeper?.close() }
        let address = try options.address ?? ListeningAddress(bind: Endpoint("tcp://127.0.0.1:*"))
        let place = Place(
            coordinator: options.coordinator, candidates: address.serverEndpoints,
            forOthers: { try address.endpointForOthers($0, control: nil) },
            maximumFrameByteCount: Limits.maximumFrameByteCount)
        let wakeUp = try WakeUp()
        let network = SocketTransport(
            context, wakeUp: wakeUp, gatekeeper: gatekeeper, notice: options.notice)
        let reason = try OpenServer(
            place, network, wakeUp: wakeUp, kernels: options.kernels,
            waitTimeoutMilliseconds: options.waitTimeoutMilliseconds, notice: options.notice,
            dropped: options.dropped
        ).run(interruption)
        return interruption.end(reason)
    }
}

/// A server whose ports are open, in the thread that opened them.
final class OpenServer {
    /// Where workers reach it.
    let endpoint: String
    let network: SocketTransport
    private let wakeUp: WakeUp
    private var loop: RoleLoop<ServerEngine, SystemClock>

    init(
        _ place: ServerRole.Place, _ network: SocketTransport, wakeUp: WakeUp,
        kernels: KernelVariant, waitTimeoutMilliseconds: Int,
        notice: @escaping @Sendable (String) -> Void, dropped: (@Sendable (String) -> Void)?
    ) throws {
        self.network = network
        self.wakeUp = wakeUp
        let lookup = NameLookup(place.coordinator, wakeUp: wakeUp)
        let bound = try network.bindData(
            to: place.candidates, maximumFrameByteCount: place.maximumFrameByteCount)
        try network.connect(
            .coordinator, to: place.coordinator.text,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        endpoint = try place.forOthers(bound).text
        let member = MemberDescription(
            role: .server, nonce: UInt64.random(in: .min ... .max), host: hostName,
            processID: getpid(), cores: HostResources.cores, dataEndpoint: endpoint)
        let machine = ServerMachine(
            link: MemberLink(
                member: member, coordinatorAddress: place.coordinator.text,
                waitTimeoutMilliseconds: waitTimeoutMilliseconds))
        let engine = ServerEngine(
            wire: Wire(kernels: KernelSet(kernels)), wakeUp: wakeUp, lookup: lookup, notice: notice)
        loop = RoleLoop(machine, engine, network, clock: SystemClock(), dropped: dropped)
        CrashPoint.serverOpened.pass()
    }

    /// Serves until the session ends, in a thread of its own.
    func run(_ interruption: Interruption) throws -> StopReason {
        interruption.register(wakeUp)
        let reason = try loop.run(interruption, waitingAt: network)
        CrashPoint.serverLeaving.pass()
        return network.explained(reason)
    }

    // MARK: In the thread of another role, which waits for both

    func start() throws { try loop.start() }

    /// - Returns: why it has ended, once it has.
    func turn() throws -> StopReason? { try loop.turn() }

    func interrupt(_ reason: StopReason) throws { try loop.interrupt(reason) }
}
