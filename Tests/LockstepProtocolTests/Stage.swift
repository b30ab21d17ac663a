import LockstepProtocol
import TrainingPlan

/// A machine with a hand-held clock: each call gives the actions that it leads to.
struct Stage<Machine: RoleMachine> {
    typealias Action = Machine.Action

    private(set) var machine: Machine
    private(set) var now: Instant = 1_000_000
    /// Why the frame that came last was not used; nil if it was.
    private(set) var dropped: DropReason?
    /// Of the newest statement to a member.
    private var lastNumber: StatementNumber = 10

    /// How often a role's loop tells its machine that time passes, in milliseconds.
    static var tickInterval: Int { 20 }

    init(_ machine: Machine) { self.machine = machine }

    var end: StopReason? { machine.end }

    private mutating func actions(
        _ event: (inout Machine, Instant, inout [Action]) -> Void
    ) -> [Action] {
        var actions: [Action] = []
        event(&machine, now, &actions)
        return actions
    }

    mutating func start() -> [Action] { actions { $0.start(now: $1, into: &$2) } }

    mutating func receive(
        _ message: Machine.Inbound, from peer: PeerHandle? = nil,
        session: SessionID = Fixture.session, incarnation: Incarnation
    ) -> [Action] {
        let before = machine.drops.counts
        let result = actions {
            $0.receive(
                message, from: peer, session: session, incarnation: incarnation, now: $1,
                into: &$2)
        }
        dropped = DropReason.allCases.first { machine.drops.counts[$0] > before[$0] }
        return result
    }

    mutating func malformed(_ error: FrameError, from peer: PeerHandle? = nil) -> [Action] {
        actions { $0.malformed(error, from: peer, now: $1, into: &$2) }
    }

    mutating func handle(_ event: Machine.Event) -> [Action] {
        actions { $0.handle(event, now: $1, into: &$2) }
    }

    mutating func interrupt(_ reason: StopReason = StopReason(.interrupted, "Ctrl-C")) -> [Action] {
        actions { $0.interrupt(reason, now: $1, into: &$2) }
    }

    /// The number of the next statement, which is newer than those before.
    mutating func number() -> StatementNumber {
        lastNumber = lastNumber.next
        return lastNumber
    }

    /// Time passes without a tick.
    mutating func pass(milliseconds: Int) { now = now.advanced(byMilliseconds: milliseconds) }

    /// Time passes, then one tick comes.
    mutating func tick(after milliseconds: Int = 0) -> [Action] {
        pass(milliseconds: milliseconds)
        return actions { $0.tick(now: $1, into: &$2) }
    }

    /// Time passes as in a role's loop; what was done in all, and when, in milliseconds from now
    /// on.
    mutating func timeline(milliseconds: Int) -> [(at: Int, action: Action)] {
        let start = now
        var result: [(at: Int, action: Action)] = []
        while now.milliseconds(since: start) < milliseconds, end == nil {
            let rest = milliseconds - now.milliseconds(since: start)
            let actions = tick(after: min(rest, Self.tickInterval))
            result += actions.map { (now.milliseconds(since: start), $0) }
        }
        return result
    }

    mutating func wait(milliseconds: Int) -> [Action] {
        timeline(milliseconds: milliseconds).map(\.action)
    }

    /// Ticks until the role has ended.
    ///
    /// - Returns: the milliseconds that it took, rounded up to a tick; nil if it is not over by
    ///   then.
    mutating func ticksToEnd(within milliseconds: Int) -> Int? {
        let start = now
        _ = wait(milliseconds: milliseconds)
        return end == nil ? nil : now.milliseconds(since: start)
    }
}
