/// What the machines of servers and workers have in common: a member's life, from its greeting to
/// its goodbye.
protocol MemberMachine: RoleMachine {
    var link: MemberLink { get set }
    /// What a status says of it.
    var phase: MemberPhase { get }

    static func send(_ number: StatementNumber, _ status: Status) -> Action
    static func notice(_ text: String) -> Action

    /// Ends the run that is open, if one is, and waits for nothing but the end.
    mutating func end(into actions: inout [Action])
    /// Ends the run that is open, if one is, and is as at the start.
    mutating func beginAnew(into actions: inout [Action])
}

extension MemberMachine {
    package mutating func start(now: Instant, into actions: inout [Action]) {
        link.open(now: now)
        report(now: now, into: &actions)
    }

    mutating func report(now: Instant, into actions: inout [Action]) {
        let (number, status) = link.status(phase, now: now)
        actions.append(Self.send(number, status))
    }

    /// It cannot continue.
    mutating func failed(_ reason: StopReason, now: Instant, into actions: inout [Action]) {
        if link.fail(reason, now: now) { depart(now: now, into: &actions) }
    }

    package mutating func interrupt(
        _ reason: StopReason, now: Instant, into actions: inout [Action]
    ) {
        if link.departure != nil { return }
        if link.leave(reason, now: now) {
            depart(now: now, into: &actions)
        } else {
            link.close(reason)
        }
    }

    /// Lets go of the run and says goodbye; the link waits until that has been heard.
    mutating func depart(now: Instant, into actions: inout [Action]) {
        end(into: &actions)
        report(now: now, into: &actions)
    }

    mutating func loseCoordinator(now: Instant, into actions: inout [Action]) {
        let phase = phase
        link.loseCoordinator(at: phase, now: now)
        rejoin(now: now, into: &actions)
    }

    /// Nobody knows it as a member any more: it lets go of the run, and joins anew.
    mutating func rejoin(now: Instant, into actions: inout [Action]) {
        beginAnew(into: &actions)
        actions.append(Self.notice(link.lostText))
        report(now: now, into: &actions)
    }
}
