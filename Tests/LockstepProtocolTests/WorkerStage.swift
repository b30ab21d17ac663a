import LockstepProtocol
import TrainingPlan

/// A worker, incarnation 5, with servers 1 and 2: the second of two workers.
typealias WorkerStage = Stage<WorkerMachine>

extension Stage where Machine == WorkerMachine {
    /// Leaves 3 to 6 of a full step, and leaf 1 of an epoch's last.
    static func duty(
        run: RunIndex = 0, _ configuration: RunConfiguration = Fixture.configuration,
        servers: Int = 2
    ) -> WorkDuty {
        WorkDuty(
            order: RunOrder(run: run, configuration: configuration), view: 0, leaves: 3..<7,
            lastLeaves: 1..<2,
            servers: (1...servers).map {
                ServerAddress(incarnation: Incarnation($0), endpoint: "tcp://h\($0):29501")
            }, workerCount: 2, workersOnHost: 1)
    }

    /// Its nodes of a full step, and the leaves of them.
    static let nodes = [LeafRange(3, 1), LeafRange(4, 3)]
    static let leaves = LeafRange(3, 4)

    /// How a step begins: with the first of its nodes.
    static func begins(_ step: Step) -> WorkerAction {
        .compute(step, step.index % 5 == 4 ? LeafRange(1, 1) : nodes[0])
    }

    /// A node goes to both servers.
    static func pushes(_ step: Step, _ node: LeafRange) -> [WorkerAction] {
        [.push(Fixture.address(step), node), .push(Fixture.address(step, shard: 1), node)]
    }

    /// A worker that holds the data set.
    static func ready() -> Self {
        var stage = Self(.joined())
        _ = stage.handle(.datasetFound)
        return stage
    }

    static func training(
        run: RunIndex = 0, _ configuration: RunConfiguration = Fixture.configuration,
        servers: Int = 2
    ) -> Self {
        var stage = ready()
        let duty = duty(run: run, configuration, servers: servers)
        _ = stage.assign(stage.number(), .work(Fixture.sessionInfo, duty))
        _ = stage.handle(.runBegun(run))
        return stage
    }

    mutating func weights(
        _ step: Step, shard: Int, from server: Incarnation? = nil,
        session: SessionID = Fixture.session
    ) -> [WorkerAction] {
        receive(
            .weights(Fixture.address(step, shard: ShardIndex(shard))), session: session,
            incarnation: server ?? Incarnation(shard + 1))
    }

    mutating func held(_ step: Step, shard: Int, _ bits: LeafBits) -> [WorkerAction] {
        receive(
            .held(
                Fixture.address(step, shard: ShardIndex(shard)), leaves: Self.leaves, isHeld: bits),
            incarnation: Incarnation(shard + 1))
    }

    /// All nodes of a full step are computed.
    mutating func compute(_ step: Step) -> [WorkerAction] {
        var actions: [WorkerAction] = []
        for node in Self.nodes { actions += handle(.nodeComputed(0, step, node)) }
        return actions
    }

    /// What is to be computed.
    static func computed(_ actions: [WorkerAction]) -> [LeafRange] {
        actions.compactMap { if case .compute(_, let node) = $0 { node } else { nil } }
    }

    /// The coordinator's heartbeat: nothing new.
    mutating func heartbeat() -> [WorkerAction] {
        assign(number(), .work(Fixture.sessionInfo, Self.duty()))
    }

    /// What a worker asks its servers, with the times, while the coordinator's heartbeats continue.
    mutating func inquiries(
        milliseconds: Int, answer: (inout Self, StepAddress) -> [WorkerAction] = { _, _ in [] }
    ) -> [(at: Int, action: WorkerAction)] {
        var result: [(at: Int, action: WorkerAction)] = []
        let start = now
        while now.milliseconds(since: start) < milliseconds {
            _ = heartbeat()
            var next = timeline(milliseconds: 20)
            for (_, action) in next {
                if case .inquire(let address, _) = action {
                    next += answer(&self, address).map { (0, $0) }
                }
            }
            for (_, action) in next {
                switch action {
                case .inquire, .reconnect, .push:
                    result.append((now.milliseconds(since: start), action))
                default: break
                }
            }
        }
        return result
    }
}
