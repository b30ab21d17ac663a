import Datasets
import Glibc
import Hashing
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// Joins the worker's machine, its sockets and its engine, in one thread.
///
/// The thread computes too: between two nodes it looks at its sockets, so heartbeats go on and a node
/// leaves as soon as it is ready. Compute threads beside it are the engine's team.
final class WorkerLoop {
    private let options: MemberOptions
    private let interruption: Interruption
    private let wire: Wire
    private let context: Context
    private let control: Socket
    private let wakeUp: WakeUp
    private var poller = Poller()
    private let controlMember: Poller.Member
    private let team: ThreadTeam
    private var machine: WorkerMachine
    private var actions: [WorkerAction] = []
    private var inHand = Message()
    private var stopReason: StopReason?
    private var lastTick: Instant = 0
    private let data: WorkerData
    private var engine: WorkerRunEngine?
    private var connections: [DataConnection] = []
    /// The step that is being computed, and its next node.
    private var computing: (step: Step, node: Int)?
    /// When the last node was done, in nanoseconds.
    private var waitingSince: UInt64 = 0

    init(_ options: MemberOptions, interruption: Interruption) throws {
        self.options = options
        self.interruption = interruption
        wire = Wire(kernels: KernelSet(options.kernels))
        context = try Context()
        control = try Socket(.dealer, in: context)
        try control.configure(
            maximumFrameByteCount: FrameHeader.byteCount + Limits.maximumControlPayloadByteCount,
            lingerMilliseconds: SocketLimits.controlLingerMilliseconds)
        try control.connect(to: options.coordinator)
        wakeUp = try WakeUp()
        controlMember = poller.add(control)
        _ = poller.add(wakeUp)
        interruption.register(wakeUp)
        team = ThreadTeam(count: options.threads)
        data = WorkerData(given: options.dataset, cache: options.cache, notice: options.notice)
        let hello = Hello(
            role: .worker, host: hostName, processID: getpid(),
            nonce: UInt64.random(in: .min ... .max), threads: options.threads,
            datasetSHA256: options.dataset.map { "\($0.sha256)" })
        machine = WorkerMachine(
            link: CoordinatorLink(
                hello: hello, coordinatorAddress: options.coordinator.text,
                waitTimeoutMilliseconds: options.waitTimeoutMilliseconds))
    }

    deinit { team.finish() }

    func run() throws -> StopReason {
        machine.start(now: Clock.now, into: &actions)
        while true {
            try performActions()
            if let stopReason { return stopReason }
            if let reason = interruption.reason { machine.interrupt(reason, into: &actions) }
            if computing != nil {
                computeNode()
                waitingSince = Clock.nanoseconds
            }
            try performActions()
            try waitForMessages()
            try receiveControl()
            try receiveData()
            let now = Clock.now
            if isTickDue(now, since: &lastTick) { machine.tick(now: now, into: &actions) }
        }
    }

    // MARK: Events

    /// Looks, while there is something to compute; else waits. The weights of the next step come soon as a
    /// rule: for a moment the thread stays awake and lets others run, because a halted CPU takes longer to
    /// come back than they do to come.
    private func waitForMessages() throws {
        let isAwake =
            engine != nil
            && Clock.nanoseconds - waitingSince < UInt64(Limits.awakeWaitMicroseconds) * 1_000
        if computing == nil, isAwake { sched_yield() }
        try poller.wait(
            timeoutMilliseconds: computing != nil || isAwake ? 0 : tickMilliseconds)
    }

    private func receiveControl() throws {
        guard poller.events(of: controlMember).contains(.readable) else { return }
        while true {
            switch try control.receive(into: &inHand) {
            case .nothing: return
            case .malformed: continue
            case .message: break
            }
            do throws(FrameError) {
                switch try wire.decode(inHand) {
                case .control(let message, let header):
                    machine.receive(
                        message, session: header.session, now: Clock.now, into: &actions)
                case .raw(let header):
                    machine.receive(header, now: Clock.now, into: &actions)
                }
            } catch {
                if case .unsupportedVersion(let version) = error {
                    machine.otherVersion(version, into: &actions)
                }
            }
            try performActions()
        }
    }

    private func receiveData() throws {
        for connection in connections where poller.events(of: connection.member).contains(.readable)
        {
            while case .message = try connection.socket.receive(into: &inHand) {
                guard let engine else { continue }
                do throws(FrameError) {
                    guard case .raw(let header) = try wire.decode(inHand), header.type == .weights,
                        header.shard.index < engine.plan.shardCount
                    else { continue }
                    try wire.expect(engine.plan.weightsByteCount(of: header.shard), header)
                    machine.receive(header, now: Clock.now, into: &actions)
                } catch {
                    continue
                }
                try performActions()
            }
        }
    }

    private func computeNode() {
        guard let engine, let (step, index) = computing else { return }
        let nodes = engine.nodes(of: step)
        engine.compute(nodes[index], of: step)
        computing = index + 1 < nodes.count ? (step, index + 1) : nil
        machine.nodeComputed(engine.order.run, step, nodes[index], now: Clock.now, into: &actions)
    }

    // MARK: Actions

    /// Does all actions, those included that follow from them.
    private func performActions() throws {
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            try perform(action)
        }
        actions.removeAll(keepingCapacity: true)
    }

    private func perform(_ action: WorkerAction) throws {
        switch action {
        case .compute(let step):
            engine?.begin(step)
            computing = (step, 0)
        case .push(let node, let step, let shard):
            if let message = engine?.push(node, of: step, to: shard) {
                try connections[shard.index].socket.post(message)
            }
        case .keepWeights(let shard, let step): engine?.keep(&inHand, shard, step)
        case .drop: inHand.clear()
        case .adopt(let step):
            engine?.adopt(step)
            computing = nil
        case .attach(let shard, let step): try request(.attach, shard, step)
        case .requestWeights(let shard, let step): try request(.weightsRequest, shard, step)
        case .reconnect(let shard): try reconnect(shard)
        case .send(let message):
            try control.post(
                wire.message(
                    message, session: machine.link.session, incarnation: machine.link.incarnation))
        case .findDataset(let description):
            if data.find(description) {
                machine.datasetFound(into: &actions)
            } else {
                machine.datasetMissing(now: Clock.now, into: &actions)
            }
        case .requestChunk(let chunk):
            let header = FrameHeader.datasetRequest(
                chunk, session: machine.link.session, incarnation: machine.link.incarnation)
            try control.post(wire.message(header))
        case .storeChunk(let chunk): data.store(inHand, chunk)
        case .verifyDataset: machine.datasetVerified(matches: data.verify(), into: &actions)
        case .beginRun(let order): try begin(order)
        case .endRun: endRun()
        case .exit(let reason):
            endRun()
            stopReason = reason
        }
    }

    private func begin(_ order: StartRun) throws {
        guard let examples = data.examples else { return }
        endRun()
        let newEngine: WorkerRunEngine
        do {
            newEngine = try WorkerRunEngine(
                order, incarnation: machine.link.incarnation, session: machine.link.session,
                examples: examples, trainingExampleCount: data.trainingExampleCount,
                threads: team, wire: wire)
            for server in order.servers {
                connections.append(try connect(to: server, newEngine.maximumFrameByteCount))
            }
        } catch {
            endRun()
            machine.failed(StopReason(.mismatch, "run \(order.run): \(error)"), into: &actions)
            return
        }
        engine = newEngine
        machine.runBegun(order.run, now: Clock.now, into: &actions)
    }

    private func endRun() {
        for connection in connections { poller.remove(connection.member) }
        connections = []
        engine = nil
        computing = nil
    }

    private func connect(
        to server: ServerAddress, _ maximumFrameByteCount: Int
    ) throws -> DataConnection {
        let connection = try DataConnection(
            to: Endpoint(server.endpoint), in: context,
            maximumFrameByteCount: maximumFrameByteCount, poller: &poller)
        return connection
    }

    private func reconnect(_ shard: ShardIndex) throws {
        guard let engine else { return }
        poller.remove(connections[shard.index].member)
        connections[shard.index] = try connect(
            to: engine.order.servers[shard.index], engine.maximumFrameByteCount)
    }

    private func request(_ type: MessageType, _ shard: ShardIndex, _ step: Step) throws {
        guard let engine else { return }
        let header = FrameHeader(
            type: type, session: machine.link.session, run: engine.order.run,
            incarnation: machine.link.incarnation, step: step, shard: shard)
        try connections[shard.index].socket.post(wire.message(header))
    }
}

/// A worker's connection to the server of one shard.
private final class DataConnection {
    let socket: Socket
    let member: Poller.Member

    init(
        to endpoint: Endpoint, in context: Context, maximumFrameByteCount: Int,
        poller: inout Poller
    ) throws {
        socket = try Socket(.dealer, in: context)
        try socket.configure(maximumFrameByteCount: maximumFrameByteCount, lingerMilliseconds: 0)
        // The first messages wait for the connection; a lost connection's are pushed again.
        try socket.set(.immediate, to: false)
        try socket.set(.sendHighWaterMark, to: SocketLimits.framesInFlight)
        try socket.connect(to: endpoint)
        member = poller.add(socket)
    }
}
