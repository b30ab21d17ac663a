public import LockstepProtocol
import TrainingPlan
public import ZeroMQ

/// What a role's machine decides, done: the floats, files and messages of a role.
public protocol RoleEngine: AnyObject {
    associatedtype Machine: RoleMachine

    /// Reads a frame: checks its payload against checksum and configuration, and its type against
    /// the port. Of another session than `machine`'s it checks no payload: the machine drops it.
    func decode(
        _ message: borrowing Message, from port: Port, for machine: Machine
    ) throws(FrameError) -> (Machine.Inbound, FrameHeader)

    /// Does what a machine has decided.
    ///
    /// - Parameter inHand: the message that was received last, to be taken where the action says
    ///   so.
    func perform(
        _ action: Machine.Action, for machine: Machine, _ inHand: inout Message,
        over network: any Transport) throws

    /// The next thing that it has done or found.
    func nextEvent() -> Machine.Event?

    /// Whether there is work for this thread, a piece of which `work` does.
    var isBusy: Bool { get }
    func work()
}

/// Joins a role's machine, its engine and its sockets: what comes goes to the machine, and what
/// that decides is done.
///
/// One turn takes no more than a bounded number of messages, so that no flood of them keeps the
/// clock from ticking, or the engine from its work.
///
/// It is `@inlinable`, and what it names `public`, so that the simulator's loops are compiled for
/// its engines and its clock, and not for any. `package` does not do: the compiler sees no body of
/// it in another module.
public struct RoleLoop<Engine: RoleEngine, Time: Clock>: ~Copyable {
    @usableFromInline package private(set) var machine: Engine.Machine
    @usableFromInline let engine: Engine
    @usableFromInline let network: any Transport
    @usableFromInline var clock: AwakeClock<Time>
    @usableFromInline var actions: [Engine.Machine.Action] = []
    @usableFromInline var inHand = Message()
    @usableFromInline var lastTick: Instant = 0
    /// Told of each frame that is not used; nil where nobody wants to know.
    @usableFromInline let dropped: ((String) -> Void)?

    @inlinable package init(
        _ machine: Engine.Machine, _ engine: Engine, _ network: any Transport, clock: Time,
        dropped: ((String) -> Void)? = nil
    ) {
        self.machine = machine
        self.engine = engine
        self.network = network
        self.clock = AwakeClock(clock)
        self.dropped = dropped
    }

    @inlinable package mutating func start() throws {
        lastTick = clock.now()
        machine.start(now: lastTick, into: &actions)
        try performActions()
    }

    @inlinable package mutating func interrupt(_ reason: StopReason) throws {
        machine.interrupt(reason, now: clock.now(), into: &actions)
        try performActions()
    }

    /// Does what there is to be done now; waits for nothing.
    ///
    /// - Returns: why the role has ended, once it has.
    @inlinable package mutating func turn() throws -> StopReason? {
        if engine.isBusy { engine.work() }
        try performActions()
        try receive()
        let now = clock.now()
        if now.milliseconds(since: lastTick) >= RoleLimits.tickMilliseconds {
            lastTick = now
            machine.tick(now: now, into: &actions)
            try performActions()
        }
        return machine.end
    }

    @inlinable mutating func receive() throws {
        for _ in 0..<RoleLimits.messagesPerTurn {
            guard let arrival = try network.receive(into: &inHand), machine.end == nil else {
                return
            }
            switch arrival {
            case .junk(let peer):
                tell(.notOneFrame, peer)
                machine.malformed(.notOneFrame, from: peer, now: clock.now(), into: &actions)
            case .frame(let port): receive(from: port)
            }
            try performActions()
        }
    }

    @inlinable mutating func receive(from port: Port) {
        let now = clock.now()
        do throws(FrameError) {
            let (message, header) = try engine.decode(inHand, from: port, for: machine)
            let before = dropped == nil ? nil : machine.drops.counts
            machine.receive(
                message, from: port.peer, session: header.session,
                incarnation: header.incarnation, now: now, into: &actions)
            if let before { tell(header, port, dropsBefore: before) }
        } catch {
            tell(error, port.peer)
            machine.malformed(error, from: port.peer, now: now, into: &actions)
        }
    }

    @usableFromInline func tell(_ error: FrameError, _ peer: PeerHandle?) {
        dropped?("dropped a frame from \(Self.name(peer)): \(error)")
    }

    @usableFromInline func tell(_ header: FrameHeader, _ port: Port, dropsBefore: DropCounts) {
        guard let reason = machine.drops.counts.reasons(since: dropsBefore) else { return }
        dropped?(
            "dropped \(header.type) from \(Self.name(port.peer)), session \(header.session), "
                + "incarnation \(header.incarnation): \(reason)")
    }

    private static func name(_ peer: PeerHandle?) -> String {
        peer.map { "connection \($0)" } ?? "a connection of this process"
    }

    /// Does all actions, those included that follow from what the engine has done.
    @inlinable mutating func performActions() throws {
        while true {
            if !actions.isEmpty {
                for action in actions {
                    try engine.perform(action, for: machine, &inHand, over: network)
                }
                actions.removeAll(keepingCapacity: true)
            }
            guard let event = engine.nextEvent() else { return }
            machine.handle(event, now: clock.now(), into: &actions)
        }
    }
}

extension RoleLoop {
    /// Turns until the role has ended.
    ///
    /// - Parameters:
    ///   - sockets: the transport, to wait at.
    ///   - isAwake: whether to look again at once, though there is nothing to do.
    ///   - neighbour: does what another role of this thread has to do, with the reason where both
    ///     are asked to leave.
    mutating func run(
        _ interruption: Interruption, waitingAt sockets: SocketTransport,
        isAwake: () -> Bool = { false }, beside neighbour: (StopReason?) throws -> Void = { _ in }
    ) throws -> StopReason {
        try start()
        var interruptions = 0
        while true {
            // Once for each request: a machine takes another one for impatience.
            var request: StopReason?
            if let reason = interruption.reason, case let count = interruption.count,
                count > interruptions
            {
                interruptions = count
                request = reason
                try interrupt(reason)
            }
            let wasBusy = engine.isBusy
            if let end = try turn() { return end }
            try neighbour(request)
            // What has come in this turn is worked on at once.
            if engine.isBusy, !wasBusy { continue }
            if engine.isBusy {
                try sockets.wait(milliseconds: 0)
            } else if isAwake() {
                try sockets.lookAgain(isAwake)
            } else {
                try sockets.wait(milliseconds: RoleLimits.tickMilliseconds)
            }
        }
    }
}
