import LockstepProtocol
import TrainingPlan

/// A server, incarnation 5, with workers 3 and 4, who come by connections 30 and 40.
typealias ServerStage = Stage<ServerMachine>

extension Stage where Machine == ServerMachine {
    static func duty(
        run: RunIndex = 0, _ configuration: RunConfiguration = Fixture.configuration,
        shard: ShardIndex = 0, shardCount: Int = 1,
        receipts: Receipts = Receipts(received: 0, recorded: 0, snapshots: 0)
    ) -> ShardDuty {
        ShardDuty(
            order: RunOrder(run: run, configuration: configuration), shard: shard,
            shardCount: shardCount, workers: [3, 4], receipts: receipts)
    }

    static func serving(
        run: RunIndex = 0, _ configuration: RunConfiguration = Fixture.configuration,
        shard: ShardIndex = 0, shardCount: Int = 1, reportByteCount: Int = 100
    ) -> Self {
        var stage = Self(.joined())
        let duty = duty(run: run, configuration, shard: shard, shardCount: shardCount)
        _ = stage.assign(stage.number(), .serve(Fixture.sessionInfo, duty))
        _ = stage.handle(.prepared(run, reportByteCount: reportByteCount))
        return stage
    }

    mutating func push(
        _ address: StepAddress, _ node: LeafRange, checksum: UInt64 = 1,
        from worker: Incarnation = 3, by peer: PeerHandle = 30,
        session: SessionID = Fixture.session
    ) -> [ServerAction] {
        receive(
            .push(address, node, checksum: checksum), from: peer, session: session,
            incarnation: worker)
    }

    mutating func inquire(
        _ address: StepAddress, _ leaves: LeafRange, from worker: Incarnation = 3,
        by peer: PeerHandle = 30
    ) -> [ServerAction] {
        receive(.inquiry(address, leaves: leaves), from: peer, incarnation: worker)
    }

    /// The coordinator's statement with what it has.
    mutating func acknowledge(
        received: Step, recorded: Step? = nil, snapshots: Step = 0
    ) -> [ServerAction] {
        let receipts = Receipts(
            received: received, recorded: recorded ?? received, snapshots: snapshots)
        return assign(number(), .serve(Fixture.sessionInfo, Self.duty(receipts: receipts)))
    }

    /// The root of a step comes. A step of one leaf is one of ``Fixture/longConfiguration``.
    mutating func complete(_ step: Step, leafCount: Int? = nil) -> [ServerAction] {
        push(Fixture.address(step), LeafRange(0, leafCount ?? (step.index % 5 == 4 ? 2 : 7)))
    }

    /// The root of a step comes, and is applied.
    mutating func commit(_ step: Step, leafCount: Int? = nil) -> [ServerAction] {
        let actions = complete(step, leafCount: leafCount)
        return actions + handle(.applied(0, step))
    }

    /// So much later that a report is sent at once.
    mutating func passReportDelay() { pass(milliseconds: Limits.reportDelayMilliseconds) }

    /// Whether a complete step is being applied.
    static func applies(_ actions: [ServerAction]) -> Bool {
        actions.contains { if case .apply = $0 { true } else { false } }
    }

    /// The steps whose reports are sent.
    static func reports(_ actions: [ServerAction]) -> [Step] {
        actions.compactMap { if case .sendReport(let address) = $0 { address.step } else { nil } }
    }

    /// What the phases of a server in run 0 say.
    static func progress(_ actions: [ServerAction]) -> [ServerProgress] {
        ServerMachine.statuses(actions).compactMap {
            if case .serving(_, let progress) = $0.status.phase { progress } else { nil }
        }
    }
}
