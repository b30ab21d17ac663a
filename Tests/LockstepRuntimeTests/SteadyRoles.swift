import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A worker's loop with its real machine and engine, over any transport. The test is the
/// coordinator; no time passes, so nothing is said that is not a step's.
final class SteadyWorker {
    let engine: WorkerEngine
    let loop: LoopBox<WorkerEngine, HandClock>

    init(_ run: DigitsRun, _ network: any Transport, team: ThreadTeam) throws {
        engine = WorkerEngine(
            wire: Wire(kernels: Exchange.kernels), team: team, data: DigitsSource(run),
            wakeUp: try WakeUp(), notice: { _ in })
        let machine = WorkerMachine(
            link: MemberLink(
                member: MemberDescription(role: .worker, nonce: 1, host: "h", processID: 1),
                coordinatorAddress: "memory", waitTimeoutMilliseconds: 1_000))
        loop = LoopBox(RoleLoop(machine, engine, network, clock: HandClock()))
        try loop.start()
    }
}

/// A server's.
final class SteadyServer {
    let loop: LoopBox<ServerEngine, HandClock>

    init(_ network: any Transport) throws {
        let machine = ServerMachine(
            link: MemberLink(
                member: MemberDescription(role: .server, nonce: 1, host: "h", processID: 1),
                coordinatorAddress: "memory", waitTimeoutMilliseconds: 1_000))
        let engine = ServerEngine(
            wire: Wire(kernels: Exchange.kernels), wakeUp: try WakeUp(), notice: { _ in })
        loop = LoopBox(RoleLoop(machine, engine, network, clock: HandClock()))
        try loop.start()
    }

    /// The step whose pushes it gathers; nil while it serves no run.
    var step: Step? {
        if case .serving(_, let progress) = loop.machine.phase { progress.step } else { nil }
    }
}

/// The coordinator's statements of a session, as frames.
struct Statements {
    private let wire = Wire(kernels: Exchange.kernels)
    private var number: StatementNumber = 0

    mutating func frame(_ duty: Duty, to incarnation: Incarnation) -> [UInt8] {
        number = number.next
        return MemoryTransport.bytes(
            of: wire.message(
                .assignment(number), Assignment(duty), session: 1, incarnation: incarnation))
    }
}
