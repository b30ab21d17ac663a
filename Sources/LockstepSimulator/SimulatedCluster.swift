import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// A simulated process.
class SimulatedProcess {
    let transport: SimulatedTransport
    let clock: SimulatedClock
    fileprivate(set) var end: StopReason?
    fileprivate(set) var failure: String?
    /// The next turn that is scheduled.
    var nextTurn: Microseconds = .max
    /// Computing, or suspended.
    var busyUntil: Microseconds = 0

    static let tickMilliseconds = 20

    init(_ transport: SimulatedTransport, _ clock: SimulatedClock) {
        self.transport = transport
        self.clock = clock
    }

    /// Whether it computes a node in its next turn.
    var isBusy: Bool { false }

    func turn() {}
}

/// A simulated process with the loop of a role.
private final class SimulatedRole<Base: RoleEngine>: SimulatedProcess {
    private var loop: RoleLoop<ObservedEngine<Base>, SimulatedClock>
    private let engine: ObservedEngine<Base>
    private var hasStarted = false

    init(
        _ machine: Base.Machine, _ engine: ObservedEngine<Base>, _ transport: SimulatedTransport,
        _ clock: SimulatedClock
    ) {
        loop = RoleLoop(machine, engine, transport, clock: clock)
        self.engine = engine
        super.init(transport, clock)
    }

    override var isBusy: Bool { engine.isBusy }

    override func turn() {
        do {
            if !hasStarted {
                hasStarted = true
                try loop.start()
            }
            end = try loop.turn()
        } catch {
            failure = failure ?? "\(error)"
        }
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
        let machine = CoordinatorMachine(
            SessionPlan(
                session: SessionID(rawValue: UInt32(truncatingIfNeeded: scenario.seed) | 1),
                dataset: Self.dataset,
                dataEndpoint: SimulatedNetwork.endpoint(of: 0, isControl: false),
                runs: scenario.runs, minimumWorkers: scenario.workers, servers: scenario.servers,
                waitTimeoutMilliseconds: 60_000))
        let engine = CoordinatorEngine(
            wire: Self.wire, runs: scenario.runs, reporting: simulation.reporting,
            datasetPart: { [UInt8](repeating: 7, count: Int($0.byteCount)) },
            notice: { [unowned simulation] in simulation.trace?.event(0, $0) })
        add(simulation, machine, engine, distortion) { [unowned simulation] action, _, _ in
            simulation.checks.coordinatorDoes(action)
        }
    }

    private mutating func addServer(
        _ simulation: Simulation, _ shard: Int, _ distortion: Distortion<ServerMachine>
    ) {
        let process = processes.count
        let link = link(
            simulation, .server, process,
            dataEndpoint: SimulatedNetwork.endpoint(of: process, isControl: false))
        let engine = ServerEngine(
            wire: Self.wire, wakeUp: Self.wakeUp,
            notice: { [unowned simulation] in simulation.trace?.event(process, $0) })
        add(simulation, ServerMachine(link: link), engine, distortion) {
            [unowned simulation] action, machine, inbound in
            simulation.checks.serverDoes(action, process, machine, inbound)
            if case .apply(let step) = action, case .serving(let place, _) = machine.phase,
                simulation.checks.isFirstShard(process)
            {
                simulation.applied(place.run, step)
            }
        }
    }

    private mutating func addWorker(
        _ simulation: Simulation, _ worker: Int, _ distortion: Distortion<WorkerMachine>
    ) {
        let process = processes.count
        let engine = WorkerEngine(
            wire: Self.wire, team: ThreadTeam(count: 1),
            data: SimulatedData(isMissing: simulation.scenario.datasetIsMissing),
            wakeUp: Self.wakeUp,
            notice: { [unowned simulation] in simulation.trace?.event(process, $0) })
        add(
            simulation, WorkerMachine(link: link(simulation, .worker, process)), engine,
            distortion
        ) { _, _, _ in }
    }

    private func link(
        _ simulation: Simulation, _ role: Role, _ process: Int, dataEndpoint: String? = nil
    ) -> MemberLink {
        MemberLink(
            member: MemberDescription(
                role: role, nonce: UInt64(process), host: "host \(process % 3)",
                processID: Int32(process), dataEndpoint: dataEndpoint),
            coordinatorAddress: "the coordinator", waitTimeoutMilliseconds: 60_000)
    }

    private mutating func add<Base: RoleEngine>(
        _ simulation: Simulation, _ machine: Base.Machine, _ engine: Base,
        _ distortion: Distortion<Base.Machine>,
        observe: @escaping (Base.Machine.Action, Base.Machine, Base.Machine.Inbound?) -> Void
    ) {
        let process = processes.count
        let transport = SimulatedTransport(process, simulation.network)
        let clock = SimulatedClock(
            simulation.time, offset: .milliseconds(1_000 * (process + 1)))
        if process > 0 {
            transport.connect(
                .coordinator, to: SimulatedNetwork.endpoint(of: 0, isControl: true),
                maximumFrameByteCount: 0)
        }
        processes.append(
            SimulatedRole(
                machine, ObservedEngine(engine, distortion, observe: observe), transport, clock))
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
