import LockstepProtocol
import TrainingPlan

/// A coordinator. Its servers are the first to join, so that they have the incarnations from 1.
typealias CoordinatorStage = Stage<CoordinatorMachine>

/// A member, as the coordinator sees it.
struct Peer {
    var description: MemberDescription
    var handle: PeerHandle
    var incarnation: Incarnation = .none
    /// Of its last status.
    var number: StatementNumber = 0

    /// - Parameter place: the nonce of the server whose data endpoint it has; by default its own.
    init(_ role: Role, nonce: UInt64, inPlaceOf place: UInt64? = nil) {
        var description = Fixture.member(role, nonce: nonce)
        if let place { description.dataEndpoint = Fixture.member(role, nonce: place).dataEndpoint }
        self.description = description
        handle = PeerHandle(Int(nonce) * 10)
    }

    var name: MemberName {
        MemberName(
            role: description.role, incarnation: incarnation, host: description.host,
            processID: description.processID)
    }
}

extension Stage where Machine == CoordinatorMachine {
    /// How long a coordinator waits for members, unless it is told otherwise.
    static let waitTimeout = 20_000

    static func gathering(
        _ runs: [RunConfiguration] = [Fixture.configuration], workers: Int = 2, servers: Int = 1,
        minimumWorkers: Int = 1, maximumWorkers: Int = Limits.maximumWorkers,
        waitTimeoutMilliseconds: Int = waitTimeout, firstSteps: [Step]? = nil,
        isResumed: Bool = false, checkpointMilliseconds: Int = 0, audits: AuditRate = .none
    ) -> Self {
        var stage = Self(
            CoordinatorMachine(
                SessionPlan(
                    session: Fixture.session, dataset: Fixture.dataset,
                    dataEndpoint: Fixture.sessionInfo.dataEndpoint, runs: runs,
                    startingWorkers: workers, minimumWorkers: minimumWorkers,
                    maximumWorkers: maximumWorkers, servers: .count(servers),
                    waitTimeoutMilliseconds: waitTimeoutMilliseconds, firstSteps: firstSteps,
                    isResumed: isResumed,
                    checkpointMilliseconds: checkpointMilliseconds, audits: audits)))
        _ = stage.start()
        return stage
    }

    /// The session as members are told of it.
    var sessionInfo: Session {
        Session(
            dataset: Fixture.dataset, runCount: machine.plan.runs.count,
            dataEndpoint: Fixture.sessionInfo.dataEndpoint)
    }

    /// A coordinator and all its members, while its first run continues.
    static func running(
        _ runs: [RunConfiguration] = [Fixture.configuration], workers: Int = 2, servers: Int = 1,
        minimumWorkers: Int = 1, waitTimeoutMilliseconds: Int = waitTimeout,
        firstSteps: [Step]? = nil, checkpointMilliseconds: Int = 0, audits: AuditRate = .none
    ) -> (Self, Members) {
        var stage = gathering(
            runs, workers: workers, servers: servers, minimumWorkers: minimumWorkers,
            waitTimeoutMilliseconds: waitTimeoutMilliseconds, firstSteps: firstSteps,
            checkpointMilliseconds: checkpointMilliseconds, audits: audits)
        var members = stage.joinAll(workers: workers, servers: servers)
        _ = members.serve(0, &stage)
        for index in members.workers.indices {
            _ = stage.say(&members.workers[index], Members.working(0))
        }
        return (stage, members)
    }

    /// Everyone joins, and every worker is ready: servers are asked to prepare.
    mutating func joinAll(workers: Int, servers: Int) -> Members {
        var members = Members()
        for nonce in 1...(workers + servers) {
            var peer = Peer(nonce <= servers ? .server : .worker, nonce: UInt64(nonce))
            _ = join(&peer)
            if nonce <= servers {
                members.servers.append(peer)
            } else {
                members.workers.append(peer)
            }
        }
        for index in members.workers.indices { _ = say(&members.workers[index], .ready) }
        return members
    }

    mutating func join(_ peer: inout Peer) -> [CoordinatorAction] {
        let actions = say(&peer, .joining(datasetBytes: 0), reached: 0)
        for case .send(peer.handle, _, let incarnation, _) in actions {
            peer.incarnation = incarnation
        }
        return actions
    }

    /// A status comes.
    ///
    /// - Parameter reached: the newest assignment that it has; by default any that there is.
    mutating func say(
        _ peer: inout Peer, _ phase: MemberPhase, reached: StatementNumber = 1_000_000
    ) -> [CoordinatorAction] {
        peer.number = peer.number.next
        return receive(
            .status(
                peer.number, Status(member: peer.description, reached: reached, phase: phase)),
            from: peer.handle, incarnation: peer.incarnation)
    }

    mutating func report(_ step: Step, shard: Int = 0) -> [CoordinatorAction] {
        receive(
            .report(Fixture.address(step, shard: ShardIndex(shard))), from: 10,
            incarnation: Incarnation(shard + 1))
    }

    /// What was asked for of weights and states comes, and what is asked for then.
    mutating func deliverAll(_ requests: [CoordinatorAction]) -> [CoordinatorAction] {
        var (all, next) = ([CoordinatorAction](), requests)
        while next.contains(where: { if case .requestPart = $0 { true } else { false } }) {
            next = deliver(next)
            all += next
        }
        return all
    }

    /// What was asked for of a shard's weights comes.
    mutating func deliver(_ requests: [CoordinatorAction]) -> [CoordinatorAction] {
        var actions: [CoordinatorAction] = []
        for case .requestPart(let part) in requests {
            actions += receive(
                .snapshotPart(part), incarnation: Incarnation(part.address.shard.index + 1))
        }
        return actions
    }

    /// What members are told.
    static func duties(_ actions: [CoordinatorAction]) -> [(to: PeerHandle, duty: Duty)] {
        actions.compactMap {
            if case .send(let peer, _, _, let assignment) = $0 {
                (peer, assignment.duty)
            } else {
                nil
            }
        }
    }

    /// What workers are told of their leaves.
    static func workDuties(_ actions: [CoordinatorAction]) -> [(to: PeerHandle, duty: WorkDuty)] {
        duties(actions).compactMap {
            if case .work(_, let work) = $0.duty { ($0.to, work) } else { nil }
        }
    }

    /// The leaves of a full step in the newest view that was told, by connection.
    static func leaves(_ actions: [CoordinatorAction]) -> [PeerHandle: Range<Int>] {
        let told = workDuties(actions)
        let newest = told.map(\.duty.view).max()
        return Dictionary(
            told.filter { $0.duty.view == newest }.map { ($0.to, $0.duty.leaves) },
            uniquingKeysWith: { $1 })
    }

    /// What servers are told of their shards.
    static func shardDuties(_ actions: [CoordinatorAction]) -> [ShardDuty] {
        duties(actions).compactMap { if case .serve(_, let duty) = $0.duty { duty } else { nil } }
    }

    /// Whose pushes count, as servers are told.
    static func pushers(_ actions: [CoordinatorAction]) -> [[Incarnation]] {
        shardDuties(actions).map(\.workers)
    }

    static func receipts(_ actions: [CoordinatorAction]) -> [Receipts] {
        shardDuties(actions).map(\.receipts)
    }

    static func ends(_ actions: [CoordinatorAction]) -> [RunEnd] {
        actions.compactMap { if case .endRun(let end) = $0 { end } else { nil } }
    }

    static func notices(_ actions: [CoordinatorAction]) -> [CoordinatorNotice] {
        actions.compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
    }

    /// What members are told to leave with; nil where they are not.
    static func farewells(_ actions: [CoordinatorAction]) -> [Farewell] {
        duties(actions).compactMap {
            if case .leave(let farewell) = $0.duty { farewell } else { nil }
        }
    }
}

/// All members of a session.
struct Members {
    var servers: [Peer] = []
    var workers: [Peer] = []

    static let place = RunPlace(run: 0, generation: 0)

    /// What a worker of the first run says.
    static func working(_ step: Step) -> MemberPhase {
        .working(place, WorkerProgress(step: step, activity: .computing))
    }

    /// What a server of the first run says.
    static func serving(
        _ step: Step, lateness: Lateness? = nil, checkpoint: Step? = nil,
        generation: Generation = 0
    ) -> MemberPhase {
        .serving(
            RunPlace(run: 0, generation: generation),
            ServerProgress(
                step: step, activity: .waitingForPushes, lateness: lateness,
                checkpoint: checkpoint))
    }

    /// Every server says that it is at a step of a run.
    mutating func serve(
        _ run: RunIndex, step: Step = 0, _ stage: inout CoordinatorStage
    ) -> [CoordinatorAction] {
        let phase = MemberPhase.serving(
            RunPlace(run: run, generation: 0),
            ServerProgress(step: step, activity: .waitingForPushes))
        return servers.indices.flatMap { stage.say(&servers[$0], phase) }
    }

    /// Every member says again what it said last, or what is given, while time passes.
    mutating func beat(
        _ stage: inout CoordinatorStage, milliseconds: Int, servers phase: MemberPhase = .ready,
        workers workerPhase: MemberPhase = .ready
    ) -> [CoordinatorAction] {
        var actions: [CoordinatorAction] = []
        for _ in 0..<(milliseconds / 500) where stage.end == nil {
            for index in servers.indices { actions += stage.say(&servers[index], phase) }
            for index in workers.indices { actions += stage.say(&workers[index], workerPhase) }
            actions += stage.wait(milliseconds: 500)
        }
        return actions
    }

    /// Every member leaves.
    mutating func leave(_ stage: inout CoordinatorStage) -> [CoordinatorAction] {
        let phase = MemberPhase.leaving(StopReason(.success, "told to"))
        return servers.indices.flatMap { stage.say(&servers[$0], phase) }
            + workers.indices.flatMap { stage.say(&workers[$0], phase) }
    }
}
