import TrainingPlan

/// A member's side of its tie to the coordinator: statuses, numbered and in time, the lease, and
/// the goodbye.
///
/// Server and worker have the same; time comes from them.
package struct MemberLink: Sendable {
    /// What is due now.
    enum Due: Hashable {
        case status
        /// The coordinator is lost: the member lets go of all that it did for it, and greets anew.
        case rejoin
        case stop(StopReason)
    }

    /// What follows from an assignment.
    enum Reception: Hashable {
        case duty(Duty)
        /// The member departs, and says so in a status.
        case depart
        /// It is not a member any more: it lets go of all that it did as one, and greets anew.
        case rejoin
        case stop(StopReason)
        case drop(DropReason)
    }

    private enum State: Hashable {
        /// With the reason, after it was open.
        case closed(StopReason?)
        /// With what to say if nobody answers, where there was a coordinator before.
        case greeting(since: Instant, lost: StopReason?)
        case joined
        /// Failed, or told or wanting to leave: waits until that has been heard.
        case departing(MemberPhase, StopReason, since: Instant)
    }

    package let member: MemberDescription
    /// As the person gave it, for messages.
    package let coordinatorAddress: String
    package let waitTimeoutMilliseconds: Int
    package private(set) var session = SessionID.none
    package private(set) var incarnation = Incarnation.none
    /// What it was before it joined anew.
    private var former = (session: SessionID.none, incarnation: Incarnation.none)
    private var state = State.closed(nil)
    private var lastNumber: StatementNumber = 0
    private var reached: StatementNumber = 0
    private var lastSent: Instant = 0
    private var lastHeard: Instant = 0
    /// What keeps the coordinator's name from being used.
    private var nameProblem: String?

    package init(
        member: MemberDescription, coordinatorAddress: String, waitTimeoutMilliseconds: Int
    ) {
        self.member = member
        self.coordinatorAddress = coordinatorAddress
        self.waitTimeoutMilliseconds = waitTimeoutMilliseconds
    }

    /// Whether the member takes part: neither greeting, departing nor gone.
    var isJoined: Bool { state == .joined }

    /// Why the member has ended, once it has.
    var end: StopReason? {
        if case .closed(let reason) = state { reason } else { nil }
    }

    /// What a status says of a member that departs, whatever it did before.
    var departure: MemberPhase? {
        if case .departing(let phase, _, _) = state { phase } else { nil }
    }

    mutating func open(now: Instant) { state = .greeting(since: now, lost: nil) }

    /// The first reason counts.
    mutating func close(_ reason: StopReason) {
        if end == nil { state = .closed(reason) }
    }

    /// The member cannot continue.
    ///
    /// - Returns: false if it was departing already.
    mutating func fail(_ reason: StopReason, now: Instant) -> Bool {
        depart(.failed(reason), reason, now: now)
    }

    /// The member leaves.
    ///
    /// - Returns: false if it was departing already.
    mutating func leave(_ reason: StopReason, now: Instant) -> Bool {
        depart(.leaving(reason), reason, now: now)
    }

    private mutating func depart(
        _ phase: MemberPhase, _ reason: StopReason, now: Instant
    ) -> Bool {
        guard state == .joined else { return false }
        state = .departing(phase, reason, since: now)
        return true
    }

    /// The status to be sent now.
    mutating func status(_ phase: MemberPhase, now: Instant) -> (StatementNumber, Status) {
        lastNumber = lastNumber.next
        lastSent = now
        return (
            lastNumber, Status(member: member, reached: reached, phase: departure ?? phase)
        )
    }

    /// Judges an assignment with what its header says; the first one makes the member one.
    mutating func receive(
        _ assignment: Assignment, _ number: StatementNumber, session itsSession: SessionID,
        incarnation receiver: Incarnation, now: Instant
    ) -> Reception {
        if case .closed = state { return .drop(.staleSession) }
        // Also by a coordinator that was started again, whose session is another one.
        switch assignment.duty {
        case .refused(let reason):
            // Also as what it was before: it may have greeted anew before this came.
            let isMeant = receiver == incarnation || isGreeting && receiver == former.incarnation
            return isMeant ? .stop(reason) : .drop(.staleIncarnation)
        case .rejoin(let refused):
            guard refused == session, receiver == incarnation, state == .joined else {
                return .drop(.staleIncarnation)
            }
            greetAnew(now: now)
            return .rejoin
        case .wait, .serve, .work, .leave: break
        }
        if isGreeting {
            // What was sent to it as the member that it is no longer comes too late.
            if itsSession == former.session, receiver == former.incarnation {
                return .drop(.staleIncarnation)
            }
            session = itsSession
            incarnation = receiver
            state = .joined
        }
        guard itsSession == session else { return .drop(.staleSession) }
        guard receiver == incarnation else { return .drop(.staleIncarnation) }
        lastHeard = now
        guard number > reached else { return .drop(.staleStatement) }
        reached = number
        guard case .leave(let farewell) = assignment.duty else {
            // Whoever departs takes no duty any more.
            return state == .joined ? .duty(assignment.duty) : .drop(.staleStatement)
        }
        if case .departing(_, let reason, _) = state, farewell.isHeard { return .stop(reason) }
        _ = leave(farewell.reason, now: now)
        return .depart
    }

    /// - Parameter isUrgent: the member waits for an answer.
    mutating func tick(now: Instant, isUrgent: Bool = false) -> Due? {
        let silence = now.milliseconds(since: lastHeard)
        var isAnswered = false
        switch state {
        case .closed: return nil
        case .greeting(let since, let lost):
            if now.milliseconds(since: since) >= waitTimeoutMilliseconds {
                return .stop(lost ?? noAnswer)
            }
        case .joined:
            if silence >= Limits.peerLeaseMilliseconds { return .rejoin }
            isAnswered = silence < 2 * Limits.heartbeatIntervalMilliseconds && !isUrgent
        case .departing(_, let reason, let since):
            if now.milliseconds(since: since) >= Limits.farewellMilliseconds {
                return .stop(reason)
            }
        }
        let interval =
            isAnswered
            ? Limits.heartbeatIntervalMilliseconds : Limits.unansweredIntervalMilliseconds
        return now.milliseconds(since: lastSent) >= interval ? .status : nil
    }

    /// A frame of another version has come from the coordinator.
    func otherVersion(_ version: UInt16) -> StopReason {
        StopReason(
            .mismatch,
            "the coordinator at \(coordinatorAddress) speaks protocol version \(version), and this "
                + "\(member.role.rawValue) speaks \(protocolVersion): start the same release "
                + "of Lockstep everywhere")
    }

    /// The coordinator's name stands for no address. It may later, so that the member continues to
    /// ask.
    ///
    /// - Returns: what to tell at once; nil if an answer has come all the same.
    mutating func unresolved(_ problem: String) -> String? {
        guard case .greeting = state else { return nil }
        nameProblem = problem
        return "the coordinator at \(coordinatorAddress): \(problem); trying again for "
            + "\(seconds(waitTimeoutMilliseconds)) s"
    }

    private var isGreeting: Bool { if case .greeting = state { true } else { false } }

    private var noAnswer: StopReason {
        let problem = nameProblem.map { " (\($0))" } ?? ""
        return StopReason(
            .unavailable,
            "no coordinator has answered at \(coordinatorAddress)\(problem) within "
                + "\(seconds(waitTimeoutMilliseconds)) s: start it, check the address, or wait "
                + "longer with --wait-timeout")
    }

    /// The coordinator is silent for too long.
    ///
    /// - Parameter phase: where the member stands, for the message if it stays lost.
    mutating func loseCoordinator(at phase: MemberPhase, now: Instant) {
        greetAnew(now: now, lost: lostCoordinator(phase))
    }

    /// The same process, as a member that is new: what it was given as the old one is void.
    private mutating func greetAnew(now: Instant, lost: StopReason? = nil) {
        former = (session, incarnation)
        session = .none
        incarnation = .none
        reached = 0
        state = .greeting(since: now, lost: lost)
    }

    /// What to tell of a member that greets anew.
    var lostText: String {
        if case .greeting(_, .some) = state {
            return "the coordinator at \(coordinatorAddress) has been silent for "
                + "\(seconds(Limits.peerLeaseMilliseconds)) s: waiting for it for "
                + "\(seconds(waitTimeoutMilliseconds)) s"
        }
        return
            "the coordinator at \(coordinatorAddress) does not know this process any more: joining "
            + "again"
    }

    private func lostCoordinator(_ phase: MemberPhase) -> StopReason {
        StopReason(
            .lostPeer,
            "the coordinator at \(coordinatorAddress) has been silent for "
                + "\(seconds(Limits.peerLeaseMilliseconds + waitTimeoutMilliseconds)) s; this "
                + "\(member.role.rawValue) was \(phase): look at the coordinator's log and start again"
        )
    }
}

/// An endpoint for a person. One with `*` is a port of the coordinator, which leaves to its members
/// by which address they reach it.
func placeText(_ endpoint: String) -> String {
    let everywhere = "tcp://*:"
    guard endpoint.hasPrefix(everywhere) else { return endpoint }
    return "port \(endpoint.dropFirst(everywhere.count)) of the coordinator's host"
}

/// Milliseconds as seconds for a person, e.g. `10` or `2.5`.
package func seconds(_ milliseconds: Int) -> String {
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    return rest < 100 ? "\(whole)" : "\(whole).\(rest / 100)"
}
