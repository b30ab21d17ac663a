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
        try FileDescriptorLimit.reserve(FileDescriptorLimit.needed(sockets: 4, connections: 256))
        let context = try Context()
        let gatekeeper = try options.key.map { try Gatekeeper($0, in: context) }
        defer { gatekeeper?.close() }
        let address = try options.address ?? ListeningAddress(bind: Endpoint("tcp://127.0.0.1:*"))
        let place = Place(
            coordinator: options.coordinator, candidates: address.serverEndpoints,
            forOthers: { try address.endpointForOthers($0, control: nil) },
            maximumFrameByteCount: Limits.maximumFrameByteCount)
        return try open(
            place, kernels: options.kernels,
            waitTimeoutMilliseconds: options.waitTimeoutMilliseconds, context: context,
            gatekeeper: gatekeeper, interruption: interruption, notice: options.notice,
            dropped: options.dropped)()
    }

    /// Opens the server's ports, in the thread that is to run it.
    ///
    /// - Returns: what serves until the session ends.
    static func open(
        _ place: Place, kernels: KernelVariant, waitTimeoutMilliseconds: Int, context: Context,
        gatekeeper: Gatekeeper?, interruption: Interruption,
        notice: @escaping @Sendable (String) -> Void,
        dropped: (@Sendable (String) -> Void)?
    ) throws -> () throws -> StopReason {
        let wakeUp = try WakeUp()
        interruption.register(wakeUp)
        let lookup = NameLookup(place.coordinator, wakeUp: wakeUp)
        let network = SocketTransport(
            context, wakeUp: wakeUp, gatekeeper: gatekeeper, notice: notice)
        let bound = try network.bindData(
            to: place.candidates, maximumFrameByteCount: place.maximumFrameByteCount)
        try network.connect(
            .coordinator, to: place.coordinator.text,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        let member = MemberDescription(
            role: .server, nonce: UInt64.random(in: .min ... .max), host: hostName,
            processID: getpid(), dataEndpoint: try place.forOthers(bound).text)
        let machine = ServerMachine(
            link: MemberLink(
                member: member, coordinatorAddress: place.coordinator.text,
                waitTimeoutMilliseconds: waitTimeoutMilliseconds))
        let engine = ServerEngine(
            wire: Wire(kernels: KernelSet(kernels)), wakeUp: wakeUp, lookup: lookup, notice: notice)
        CrashPoint.serverOpened.pass()
        return {
            var loop = RoleLoop(machine, engine, network, clock: SystemClock(), dropped: dropped)
            let reason = try loop.run(interruption, waitingAt: network)
            CrashPoint.serverLeaving.pass()
            return network.explained(reason)
        }
    }
}
