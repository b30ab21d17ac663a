import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A simulated process: it may be killed, and started again.
final class SimulatedProcess {
    let transport: SimulatedTransport
    let clock: SimulatedClock
    private(set) var end: StopReason?
    private(set) var failure: String?
    /// Until it is started again.
    private(set) var isDead = false
    private(set) var wasRestarted = false
    /// The next turn that is scheduled.
    var nextTurn: Microseconds = .max
    /// Computing, or suspended.
    var busyUntil: Microseconds = 0
    private let role: SimulatedRole

    static let tickMilliseconds = 20

    init(_ transport: SimulatedTransport, _ clock: SimulatedClock, _ role: SimulatedRole) {
        self.transport = transport
        self.clock = clock
        self.role = role
    }

    /// Whether it computes a node in its next turn.
    var isBusy: Bool { role.isBusy() }

    func turn() {
        do {
            end = try role.turn()
        } catch {
            failure = failure ?? "\(error)"
        }
    }

    func kill() {
        isDead = true
        nextTurn = .max
        busyUntil = 0
        transport.clear()
    }

    func restart() {
        isDead = false
        wasRestarted = true
        // A new process has new sockets.
        transport.clear()
        end = nil
        role.restart()
    }

    /// The person or the system asks it to leave.
    func interrupt() {
        do {
            try role.interrupt()
        } catch {
            failure = failure ?? "\(error)"
        }
    }
}

/// What a process of any role does.
///
/// These are closures and no subclass, because the compiler makes fast code of a generic method
/// where it is called with known types, and a table of methods hides them.
struct SimulatedRole {
    let isBusy: () -> Bool
    let turn: () throws -> StopReason?
    let interrupt: () throws -> Void
    let restart: () -> Void

    /// - Parameter make: makes what a process begins with, the first time and after each kill.
    init<Base: RoleEngine>(
        _ transport: SimulatedTransport, _ clock: SimulatedClock,
        _ make: @escaping () -> (Base.Machine, ObservedEngine<Base>)
    ) {
        let running = RunningRole(transport, clock, make)
        isBusy = { running.engine.isBusy }
        turn = { try running.turn() }
        interrupt = {
            try running.loop.interrupt(StopReason(.success, "it is time to leave"))
        }
        restart = { running.restart() }
    }
}

/// The loop of a role, and all that it starts with.
private final class RunningRole<Base: RoleEngine> {
    typealias Loop = RoleLoop<ObservedEngine<Base>, SimulatedClock>

    private let transport: SimulatedTransport
    private let clock: SimulatedClock
    private let make: () -> (Base.Machine, ObservedEngine<Base>)
    private(set) var engine: ObservedEngine<Base>
    var loop: Loop
    private var hasStarted = false

    init(
        _ transport: SimulatedTransport, _ clock: SimulatedClock,
        _ make: @escaping () -> (Base.Machine, ObservedEngine<Base>)
    ) {
        self.transport = transport
        self.clock = clock
        self.make = make
        let (machine, engine) = make()
        self.engine = engine
        loop = Loop(machine, engine, transport, clock: clock)
    }

    func turn() throws -> StopReason? {
        if !hasStarted {
            hasStarted = true
            try loop.start()
        }
        return try loop.turn()
    }

    func restart() {
        hasStarted = false
        let (machine, engine) = make()
        self.engine = engine
        loop = Loop(machine, engine, transport, clock: clock)
    }
}

/// The processes of a scenario: the coordinator first, then servers, then workers.
struct SimulatedCluster {
    private(set) var processes: [SimulatedProcess] = []

    private static let wire = Wire(
        kernels: KernelSet(KernelVariant.allCases.last(where: \.isSupported) ?? .baseline))
    /// For jobs that take long, which no simulated engine has.
    private static let wakeUp: WakeUp = {
        guard let wakeUp = try? WakeUp() else { preconditionFailure("no event descriptor") }
        return wakeUp
    }()

    private static let dataset = DatasetDescription(
        name: "simulated", sha256: "00", byteCount: 600_000,
        trainingExampleCount: SimulatedModel.exampleCount, shape: SimulatedModel.shape)

    init(_ simulation: Simulation, _ distortions: Distortions) {
        addCoordinator(simulation, distortions.coordinator)
        for shard in 0..<simulation.scenario.servers {
            addServer(simulation, shard, distortions.server)
        }
        for worker in 0..<simulation.scenario.workers {
            addWorker(simulation, worker, distortions.worker)
        }
    }

    private mutating func addCoordinator(
        _ simulation: Simulation, _ distortion: Distortion<CoordinatorMachine>
    ) {
        let scenario = simulation.scenario
        add(simulation, distortion) { [unowned simulation] in
            let (runs, firstSteps) = simulation.reporting.rest
            let session = SessionID(rawValue: UInt32(truncatingIfNeeded: simulation.takeNonce()))
            simulation.reporting.begin(session)
            let saved = simulation.reporting.saved?.state
            let machine = CoordinatorMachine(
                SessionPlan(
                    session: session,
                    dataset: Self.dataset,
                    dataEndpoint: SimulatedNetwork.endpoint(of: 0, isControl: false),
                    runs: runs, startingWorkers: scenario.workers,
                    minimumWorkers: scenario.minimumWorkers,
                    servers: scenario.workersServe ? .onWorkers : .count(scenario.servers),
                    waitTimeoutMilliseconds: 60_000, firstSteps: firstSteps,
                    checkpointMilliseconds: scenario.checkpointMilliseconds,
                    audits: scenario.audits))
            let engine = CoordinatorEngine(
                wire: Self.wire, runs: runs, reporting: simulation.reporting,
                datasetPart: { [UInt8](repeating: 7, count: Int($0.byteCount)) },
                firstState: { $0 == 0 ? saved : nil },
                notice: { [unowned simulation] in simulation.trace?.event(0, $0) })
            return (machine, engine)
        } observe: { [checks = simulation.checks, time = simulation.time] action, _, _ in
            checks.coordinatorDoes(action, at: time.now)
        }
    }

    private mutating func addServer(
        _ simulation: Simulation, _ shard: Int, _ distortion: Distortion<ServerMachine>
    ) {
        let process = processes.count
        add(simulation, distortion) { [unowned simulation] in
            let link = Self.link(
                simulation, .server, process,
                dataEndpoint: SimulatedNetwork.endpoint(of: process, isControl: false))
            let engine = ServerEngine(
                wire: Self.wire, wakeUp: Self.wakeUp,
                notice: { [unowned simulation] in simulation.trace?.event(process, $0) })
            return (ServerMachine(link: link), engine)
        } observe: { [unowned simulation, checks = simulation.checks] action, machine, inbound in
            checks.serverDoes(action, process, machine, inbound)
            if case .apply(let step) = action, case .serving(let place, _) = machine.phase,
                checks.isFirstShard(process)
            {
                simulation.applied(
                    simulation.reporting.number(of: place.run, in: machine.link.session), step)
            }
        }
    }

    private mutating func addWorker(
        _ simulation: Simulation, _ worker: Int, _ distortion: Distortion<WorkerMachine>
    ) {
        let process = processes.count
        add(simulation, distortion) { [unowned simulation] in
            let engine = WorkerEngine(
                wire: Self.wire, team: ThreadTeam(count: 1),
                data: SimulatedData(isMissing: simulation.scenario.datasetIsMissing),
                wakeUp: Self.wakeUp,
                notice: { [unowned simulation] in simulation.trace?.event(process, $0) })
            return (WorkerMachine(link: Self.link(simulation, .worker, process)), engine)
        } observe: { _, _, _ in
        } receives: { [checks = simulation.checks, time = simulation.time] message in
            checks.worker(process, receives: message, at: time.now)
        }
    }

    private static func link(
        _ simulation: Simulation, _ role: Role, _ process: Int, dataEndpoint: String? = nil
    ) -> MemberLink {
        // What two roles share has the number of the first.
        let own = simulation.scenario.processes(with: process).min() ?? process
        return MemberLink(
            member: MemberDescription(
                role: role, nonce: simulation.takeNonce(), host: "host \(own % 3)",
                processID: Int32(own), dataEndpoint: dataEndpoint),
            coordinatorAddress: "the coordinator", waitTimeoutMilliseconds: 60_000)
    }

    private mutating func add<Base: RoleEngine>(
        _ simulation: Simulation, _ distortion: Distortion<Base.Machine>,
        _ make: @escaping () -> (Base.Machine, Base),
        observe: @escaping (Base.Machine.Action, Base.Machine, Base.Machine.Inbound?) -> Void,
        receives: @escaping (Base.Machine.Inbound) -> Void = { _ in }
    ) {
        let process = processes.count
        let wrong = simulation.scenario.wrongWorker
        let isWrong = process == simulation.scenario.wrongProcess
        let transport = SimulatedTransport(process, simulation.network)
        let clock = SimulatedClock(
            simulation.time, offset: .milliseconds(1_000 * (process + 1)))
        let role = SimulatedRole(transport, clock) { [unowned simulation] in
            if process > 0 {
                transport.connect(
                    .coordinator, to: SimulatedNetwork.endpoint(of: 0, isControl: true),
                    maximumFrameByteCount: 0, channel: nil)
            }
            let (machine, engine) = make()
            let observed = ObservedEngine(
                engine, distortion, observe: observe, receives: receives)
            if isWrong, !simulation.isMended, let wrong {
                observed.computesWrongly(from: wrong.firstStep, Self.wire)
            }
            return (machine, observed)
        }
        processes.append(SimulatedProcess(transport, clock, role))
    }
}

/// The data set of a simulated worker: there at once, or after all its parts have come.
final class SimulatedData: WorkerDataSource {
    private let isMissing: Bool
    private var missing = IndexSetOfBytes()
    private(set) var examples: SparseExamples?
    let trainingExampleCount = SimulatedModel.exampleCount
    let shape = SimulatedModel.shape
    let isQuick = true

    init(isMissing: Bool) { self.isMissing = isMissing }

    func find(_ description: DatasetDescription) -> Bool {
        missing = IndexSetOfBytes(count: Int(description.byteCount))
        if !isMissing { examples = SimulatedModel.examples }
        return !isMissing
    }

    func store(_ message: borrowing Message, _ part: BytePart) {
        missing.remove(Int(part.offset)..<Int(part.offset) + Int(part.byteCount))
    }

    func verify() -> Bool {
        examples = missing.isEmpty ? SimulatedModel.examples : nil
        return missing.isEmpty
    }
}

/// Which bytes have not come: parts come whole, so their starts stand for them.
private struct IndexSetOfBytes {
    private var ranges: [Range<Int>] = []

    init() {}

    init(count: Int) {
        ranges = stride(from: 0, to: count, by: Limits.partByteCount).map {
            $0..<min($0 + Limits.partByteCount, count)
        }
    }

    var isEmpty: Bool { ranges.isEmpty }

    mutating func remove(_ range: Range<Int>) { ranges.removeAll { $0 == range } }
}
