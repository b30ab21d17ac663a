import CrashPoints
import Datasets
import Glibc
import LockstepProtocol
import NeuralNetwork
import ZeroMQ

/// A worker process: a context, a connection to the coordinator, and compute threads.
enum WorkerRole {
    static func run(_ options: MemberOptions, interruption: Interruption) throws -> StopReason {
        try FileDescriptorLimit.reserve(
            FileDescriptorLimit.needed(sockets: 3 + 2, connections: 0))
        let context = try Context()
        let wakeUp = try WakeUp()
        interruption.register(wakeUp)
        let lookup = NameLookup(options.coordinator, wakeUp: wakeUp)
        let network = SocketTransport(context, wakeUp: wakeUp, key: options.key)
        try network.connect(
            .coordinator, to: options.coordinator.text,
            maximumFrameByteCount: Limits.maximumPartFrameByteCount)
        let member = MemberDescription(
            role: .worker, nonce: UInt64.random(in: .min ... .max), host: hostName,
            processID: getpid(), threads: options.threads,
            datasetSHA256: options.dataset.map { "\($0.sha256)" })
        let machine = WorkerMachine(
            link: MemberLink(
                member: member, coordinatorAddress: options.coordinator.text,
                waitTimeoutMilliseconds: options.waitTimeoutMilliseconds))
        let engine = WorkerEngine(
            wire: Wire(kernels: KernelSet(options.kernels)),
            team: ThreadTeam(count: options.threads),
            data: WorkerData(given: options.dataset, cache: options.cache, notice: options.notice),
            wakeUp: wakeUp, lookup: lookup, notice: options.notice)
        defer { engine.close() }
        var loop = RoleLoop(
            machine, engine, options.sending(network), clock: SystemClock(),
            dropped: options.dropped)
        CrashPoint.workerOpened.pass()
        let reason = try loop.run(interruption, waitingAt: network) { engine.isAwake }
        CrashPoint.workerLeaving.pass()
        return network.explained(reason)
    }
}
