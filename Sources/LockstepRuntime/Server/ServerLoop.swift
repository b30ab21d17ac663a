import Glibc
import LockstepProtocol
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// Joins the server's machine, its sockets and its engine, in one thread.
final class ServerLoop {
    private let interruption: Interruption
    private let notice: @Sendable (String) -> Void
    private let wire: Wire
    private let control: Socket
    private let data: Socket
    private let wakeUp: WakeUp
    private var poller = Poller()
    private let controlMember: Poller.Member
    private let dataMember: Poller.Member
    private var machine: ServerMachine
    private var actions: [ServerAction] = []
    private var inHand = Message()
    private var peers = PeerTable()
    private var engine: ShardEngine?
    private var trainingExampleCount = 0
    private var stopReason: StopReason?
    private var lastTick: Instant = 0

    /// - Parameters:
    ///   - coordinator: TCP, or the coordinator's inproc endpoint where this server runs inside it.
    ///   - bind: where workers reach the server; port 0 lets the system choose.
    ///   - advertisedHost: what workers connect to, if not the host of `bind`.
    ///   - maximumFrameByteCount: of a push.
    init(
        coordinator: Endpoint, bind: Endpoint, advertisedHost: String?, kernels: KernelVariant,
        waitTimeoutMilliseconds: Int, maximumFrameByteCount: Int, context: Context,
        interruption: Interruption, notice: @escaping @Sendable (String) -> Void
    ) throws {
        self.interruption = interruption
        self.notice = notice
        wire = Wire(kernels: KernelSet(kernels))
        control = try Socket(.dealer, in: context)
        try control.configure(
            maximumFrameByteCount: FrameHeader.byteCount + Limits.maximumControlPayloadByteCount,
            lingerMilliseconds: SocketLimits.controlLingerMilliseconds)
        try control.set(.sendHighWaterMark, to: SocketLimits.controlMessages)
        try control.connect(to: coordinator)
        data = try Socket(.router, in: context)
        try data.configure(maximumFrameByteCount: maximumFrameByteCount, lingerMilliseconds: 0)
        try data.set(.sendHighWaterMark, to: SocketLimits.framesInFlight)
        let bound = try bindNaming(data, to: bind)
        let advertised =
            try advertisedHost.map { try Endpoint.tcp(host: $0, port: bound.port ?? 0) } ?? bound
        controlMember = poller.add(control)
        dataMember = poller.add(data)
        wakeUp = try WakeUp()
        _ = poller.add(wakeUp)
        interruption.register(wakeUp)
        let hello = Hello(
            role: .server, host: hostName, processID: getpid(),
            nonce: UInt64.random(in: .min ... .max), dataEndpoint: advertised.text)
        machine = ServerMachine(
            link: CoordinatorLink(
                hello: hello, coordinatorAddress: coordinator.text,
                waitTimeoutMilliseconds: waitTimeoutMilliseconds))
    }

    func run() throws -> StopReason {
        machine.start(now: Clock.now, into: &actions)
        while true {
            try performActions()
            if let stopReason { return stopReason }
            if let reason = interruption.reason { machine.interrupt(reason, into: &actions) }
            try performActions()
            try poller.wait(timeoutMilliseconds: tickMilliseconds)
            try receiveData()
            try receiveControl()
            let now = Clock.now
            if isTickDue(now, since: &lastTick) { machine.tick(now: now, into: &actions) }
        }
    }

    // MARK: Events

    private func receiveControl() throws {
        guard poller.events(of: controlMember).contains(.readable) else { return }
        while case .message = try control.receive(into: &inHand) {
            do throws(FrameError) {
                guard case .control(let message, let header) = try wire.decode(inHand) else {
                    continue
                }
                if case .welcome(let welcome) = message {
                    trainingExampleCount = welcome.dataset.trainingExampleCount
                }
                machine.receive(message, session: header.session, now: Clock.now, into: &actions)
            } catch {
                if case .unsupportedVersion(let version) = error {
                    machine.otherVersion(version, into: &actions)
                }
            }
            try performActions()
        }
    }

    private func receiveData() throws {
        guard poller.events(of: dataMember).contains(.readable) else { return }
        while true {
            let sender: RoutingID
            switch try data.receiveRouted(into: &inHand) {
            case .nothing: return
            case .malformed(let peer, let frameCount):
                malformed(.truncated(byteCount: 0), from: peer, frameCount: frameCount)
                try performActions()
                continue
            case .message(let from): sender = from
            }
            let peer = peers.handle(of: sender)
            do throws(FrameError) {
                switch try wire.decode(inHand) {
                case .control(_, let header):
                    throw .payloadContent(header.type)
                case .raw(let header):
                    if header.type == .push, let engine {
                        try engine.check(inHand, header)
                    }
                    machine.receive(header, from: peer, now: Clock.now, into: &actions)
                }
            } catch {
                machine.malformed(error, from: peer, into: &actions)
            }
            try performActions()
        }
    }

    private func malformed(_ error: FrameError, from peer: RoutingID?, frameCount: Int) {
        let handle = peer.map { peers.handle(of: $0) } ?? PeerHandle(0)
        machine.malformed(error, from: handle, into: &actions)
    }

    // MARK: Actions

    private func performActions() throws {
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            try perform(action)
        }
        actions.removeAll(keepingCapacity: true)
    }

    private func perform(_ action: ServerAction) throws {
        switch action {
        case .keep(let slot): engine?.keep(&inHand, slot: slot)
        case .drop: inHand.clear()
        case .apply(let step):
            guard let engine else { return }
            let run = engine.order.run
            if let finding = engine.apply(step, machine.foldSchedule) {
                machine.diverged(run, step, finding, into: &actions)
            } else {
                machine.applied(run, step, into: &actions)
            }
        case .sendWeights(let peer, _):
            guard let engine, let routingID = peers.routingID(of: peer) else { return }
            if case .unreachable = try data.send(engine.weightsMessage(), to: routingID) {
                machine.unreachable(peer)
                peers.forget(peer)
            }
        case .reportCommitted(let step):
            if let engine { try control.post(engine.stepCommitted(step)) }
        case .sendSnapshot(let step):
            if let message = engine?.snapshot(step) { try control.post(message) }
        case .send(let message):
            try control.post(
                wire.message(
                    message, session: machine.link.session, incarnation: machine.link.incarnation))
        case .prepare(let order):
            do throws(ShardPlan.PlanError) {
                engine = try ShardEngine(
                    order, trainingExampleCount: trainingExampleCount,
                    session: machine.link.session, incarnation: machine.link.incarnation, wire: wire
                )
                machine.prepared(order.run, into: &actions)
            } catch {
                machine.failed(StopReason(.mismatch, "\(error)"), into: &actions)
            }
        case .endRun: engine = nil
        case .logMalformed(_, let error):
            notice("A frame on the data port is not ours and was ignored: \(error).")
        case .exit(let reason):
            engine = nil
            stopReason = reason
        }
    }
}

/// Binds, and names the endpoint, and where it can be known its holder, if that does not work.
func bindNaming(_ socket: borrowing Socket, to endpoint: Endpoint) throws -> Endpoint {
    do {
        return try socket.bind(to: endpoint)
    } catch let error {
        guard error.code == EADDRINUSE else {
            throw RoleError(.unavailable, "cannot bind \(endpoint.text): \(error)")
        }
        let holder = PortHolder.find(port: endpoint.port ?? 0).map { " by \($0)" } ?? ""
        throw RoleError(
            .unavailable,
            "\(endpoint.text) is in use\(holder): stop it, or give another port with --bind")
    }
}

/// The role started by itself: its own context, options of the command line.
enum ServerRole {
    static func run(_ options: MemberOptions, interruption: Interruption) throws -> StopReason {
        let context = try Context()
        let loop = try ServerLoop(
            coordinator: options.coordinator,
            bind: try options.bind ?? Endpoint("tcp://127.0.0.1:*"),
            advertisedHost: options.advertisedHost, kernels: options.kernels,
            waitTimeoutMilliseconds: options.waitTimeoutMilliseconds,
            maximumFrameByteCount: Limits.maximumFrameByteCount, context: context,
            interruption: interruption, notice: options.notice)
        return try loop.run()
    }
}
