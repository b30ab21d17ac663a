import LockstepProtocol
import TrainingPlan

/// Server and worker, as far as they are the same.
protocol MemberMachine: RoleMachine {
    init(link: MemberLink)
    static var role: Role { get }
    var link: MemberLink { get }
    var phase: MemberPhase { get }
    static func assignment(_ number: StatementNumber, _ assignment: Assignment) -> Inbound
    static func failure(_ reason: StopReason) -> Event
    static func statement(_ action: Action) -> (StatementNumber, Status)?
    static func notice(_ action: Action) -> String?
    /// What one of its role is there for, and what it is not.
    static var duty: Duty { get }
    static var foreignDuty: Duty { get }
}

extension MemberMachine {
    init() { self.init(link: Fixture.link(Self.role)) }

    /// A member that has had one assignment, to wait.
    static func joined() -> Self {
        var stage = Stage(Self())
        _ = stage.start()
        _ = stage.assign(1, .wait(Fixture.sessionInfo))
        return stage.machine
    }

    static func notices(_ actions: [Action]) -> [String] { actions.compactMap { notice($0) } }

    static func statuses(
        _ actions: [Action]
    ) -> [(number: StatementNumber, status: Status)] {
        actions.compactMap { statement($0) }
    }
}

extension Stage where Machine: MemberMachine {
    mutating func assign(
        _ number: StatementNumber, _ duty: Duty, session: SessionID = Fixture.session,
        incarnation: Incarnation = MemberLinkTests.incarnation
    ) -> [Action] {
        receive(
            Machine.assignment(number, Assignment(duty)), session: session,
            incarnation: incarnation)
    }
}

extension ServerMachine: MemberMachine {
    static var role: Role { .server }

    static func assignment(_ number: StatementNumber, _ assignment: Assignment) -> ServerInbound {
        .assignment(number, assignment)
    }

    static func failure(_ reason: StopReason) -> ServerEvent { .failed(reason) }

    static func notice(_ action: ServerAction) -> String? {
        if case .notice(let text) = action { text } else { nil }
    }

    static func statement(_ action: ServerAction) -> (StatementNumber, Status)? {
        if case .send(let number, let status) = action { (number, status) } else { nil }
    }

    static var duty: Duty { .serve(Fixture.sessionInfo, ServerStage.duty()) }
    static var foreignDuty: Duty { .work(Fixture.sessionInfo, WorkerStage.duty()) }
}

extension WorkerMachine: MemberMachine {
    static var role: Role { .worker }

    static func assignment(_ number: StatementNumber, _ assignment: Assignment) -> WorkerInbound {
        .assignment(number, assignment)
    }

    static func failure(_ reason: StopReason) -> WorkerEvent { .failed(reason) }

    static func notice(_ action: WorkerAction) -> String? {
        if case .notice(let text) = action { text } else { nil }
    }

    static func statement(_ action: WorkerAction) -> (StatementNumber, Status)? {
        if case .send(let number, let status) = action { (number, status) } else { nil }
    }

    static var duty: Duty { .work(Fixture.sessionInfo, WorkerStage.duty()) }
    static var foreignDuty: Duty { .serve(Fixture.sessionInfo, ServerStage.duty()) }
}
