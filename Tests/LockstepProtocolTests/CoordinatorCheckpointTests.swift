import LockstepProtocol
import Testing
import TrainingPlan

/// Checkpoints that the coordinator makes, and those that its runs begin with.
@Suite struct CoordinatorCheckpointTests {
    /// The steps whose state servers are asked for.
    private static func wanted(_ actions: [CoordinatorAction]) -> [Step?] {
        CoordinatorStage.shardDuties(actions).map(\.checkpoint)
    }

    private static func records(_ actions: [CoordinatorAction]) -> [CoordinatorAction] {
        actions.filter {
            switch $0 {
            case .recordStep, .evaluate, .checkpoint: true
            default: false
            }
        }
    }

    /// A run whose server is asked for its state of step 5, after which weights are evaluated.
    private static func asked() -> (CoordinatorStage, Members) {
        var (stage, members) = CoordinatorStage.running(
            [Fixture.configuration(epochs: 4)], checkpointMilliseconds: 200)
        for step in 0..<3 { _ = stage.report(Step(step)) }
        let early = stage.wait(milliseconds: 180)
        #expect(Self.wanted(early).allSatisfy { $0 == nil })
        #expect(Self.wanted(stage.tick(after: 20)) == [5])
        return (stage, members)
    }

    @Test func aCheckpointComesAfterItsEvaluationAndBeforeItsStep() {
        var (stage, members) = Self.asked()
        _ = stage.say(&members.servers[0], Members.serving(3, checkpoint: 5))
        var actions = stage.report(3)
        actions += stage.report(4)
        // Steps after it wait for it.
        actions += stage.report(5)
        #expect(Self.records(actions) == [.recordStep(0, 3), .recordStep(0, 4)])
        actions += stage.tick(after: 20)
        let delivered = stage.deliverAll(actions)
        #expect(
            Self.records(delivered) == [
                .evaluate(0, 5), .checkpoint(0, 5), .recordStep(0, 5),
            ])
        // Servers need not keep it any longer, and the next one has its time.
        #expect(Self.wanted(delivered).last == .some(nil))
        #expect(Self.wanted(stage.tick(after: 180)).allSatisfy { $0 == nil })
    }

    /// A person does not wait until one is due.
    @Test func oneThatIsAskedForComesAtOnce() {
        var (stage, _) = CoordinatorStage.running(
            [Fixture.configuration(epochs: 4)], checkpointMilliseconds: 1_000_000)
        for step in 0..<3 { _ = stage.report(Step(step)) }
        #expect(Self.wanted(stage.tick(after: 20)).allSatisfy { $0 == nil })
        #expect(Self.wanted(stage.handle(.checkpointAsked)) == [5])
    }

    /// Weights to evaluate and a checkpoint come over one connection: both are asked for again over
    /// a new one, and neither takes it away from the other.
    @Test func bothTransfersShareAConnection() {
        var (stage, members) = Self.asked()
        _ = stage.say(&members.servers[0], Members.serving(3, checkpoint: 5))
        for step in 3..<5 { _ = stage.report(Step(step)) }
        let part = UInt32(Limits.partByteCount)
        let weights = BytePart(offset: UInt64(part), byteCount: 407_080 - part)
        let state = BytePart(offset: UInt64(part), byteCount: part)
        let silence = stage.timeline(milliseconds: 5_000)
        let reconnects = silence.filter { $0.action == .reconnect(0) }.map(\.at)
        #expect(reconnects == [Limits.partReconnectMilliseconds])
        for part in [weights, state] {
            let asked = silence.filter {
                $0.action
                    == .requestPart(SnapshotPart(address: Fixture.address(5), part: part))
            }
            #expect(
                asked.contains {
                    (Limits.partReconnectMilliseconds...Limits.partReconnectMilliseconds + 20)
                        .contains($0.at)
                })
        }
    }

    @Test func aStepThatAServerHasPassedIsGivenUpForALaterOne() {
        var (stage, members) = Self.asked()
        for step in 3..<7 { _ = stage.report(Step(step)) }
        stage.pass(milliseconds: 100)
        let actions = stage.say(&members.servers[0], Members.serving(7))
        #expect(Self.wanted(actions).contains { $0.map { $0 > 7 } == true })
        #expect(!Self.wanted(actions).contains(5))
    }

    @Test func everyServerHasToKeepIt() {
        var (stage, members) = CoordinatorStage.running(
            [Fixture.configuration(epochs: 2)], servers: 2, checkpointMilliseconds: 200)
        var actions = stage.wait(milliseconds: 200)
        #expect(Self.wanted(actions).suffix(2) == [2, 2])
        _ = stage.say(&members.servers[0], Members.serving(0, checkpoint: 2))
        for step in 0..<3 {
            for shard in 0..<2 { _ = stage.report(Step(step), shard: shard) }
        }
        actions = stage.tick(after: 20)
        #expect(!actions.contains { if case .requestPart = $0 { true } else { false } })
        actions = stage.say(&members.servers[1], Members.serving(3, checkpoint: 2))
        #expect(Self.records(stage.deliverAll(actions)) == [.checkpoint(0, 2), .recordStep(0, 2)])
    }

    /// On a slow link a checkpoint takes its time, in which steps go slower: no more than a tenth.
    @Test func aSlowFetchIsFollowedByALongRest() {
        var (stage, members) = Self.asked()
        _ = stage.say(&members.servers[0], Members.serving(3, checkpoint: 5))
        var actions: [CoordinatorAction] = []
        for step in 3..<6 { actions += stage.report(Step(step)) }
        actions += stage.tick(after: 20)
        stage.pass(milliseconds: 100)
        _ = stage.deliverAll(actions)
        #expect(Self.wanted(stage.wait(milliseconds: 800)).allSatisfy { $0 == nil })
        #expect(Self.wanted(stage.wait(milliseconds: 300)).contains { $0 != nil })
    }

    // MARK: What continues from one

    /// Otherwise faults that come faster than checkpoints would keep a run where it is.
    @Test func aGenerationDoesNotPutOffItsFirstCheckpoint() {
        var (stage, members) = Self.asked()
        _ = stage.say(&members.servers[0], Members.serving(3, checkpoint: 5))
        var actions: [CoordinatorAction] = []
        for step in 3..<7 { actions += stage.report(Step(step)) }
        _ = stage.deliverAll(actions + stage.tick(after: 20))
        stage.pass(milliseconds: 180)
        _ = stage.say(&members.servers[0], .leaving(Fixture.lostCause))
        var again = Peer(.server, nonce: 9)
        _ = stage.join(&again)
        let begun = stage.say(&again, Members.serving(5, generation: 1))
        #expect(Self.wanted(begun + stage.wait(milliseconds: 40)).contains { $0 != nil })
    }

    @Test func aGenerationBeginsWithTheNewestCheckpoint() {
        var (stage, members) = Self.asked()
        _ = stage.say(&members.servers[0], Members.serving(3, checkpoint: 5))
        var actions: [CoordinatorAction] = []
        for step in 3..<7 { actions += stage.report(Step(step)) }
        _ = stage.deliverAll(actions + stage.tick(after: 20))
        actions = stage.say(&members.servers[0], .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.notices(actions).contains(.fallsBack(0, to: 5)))
        var again = Peer(.server, nonce: 9)
        let duty = CoordinatorStage.shardDuties(stage.join(&again)).first
        #expect(duty?.order.firstStep == 5 && duty?.receipts.received == 5)
        // It is given what it asks for, and nothing else.
        Self.expectState(&stage, again, step: 5, generation: 1)
    }

    @Test func aRunMayBeginWithACheckpoint() {
        var (stage, members) = CoordinatorStage.running(
            [Fixture.configuration(epochs: 2)], firstSteps: [7])
        Self.expectState(&stage, members.servers[0], step: 7, generation: 0)
        #expect(stage.report(6).isEmpty)
        #expect(stage.dropped == .upToDate)
        #expect(stage.report(7) == [.keepReport(0, 7), .recordStep(0, 7)])
        let told = CoordinatorStage.duties(members.beat(&stage, milliseconds: 500))
        #expect(
            told.contains {
                if case .work(_, let duty) = $0.duty { duty.order.firstStep == 7 } else { false }
            })
    }

    private static func expectState(
        _ stage: inout CoordinatorStage, _ server: Peer, step: Step, generation: Generation
    ) {
        let part = BytePart(offset: 0, byteCount: 100)
        func ask(_ step: Step, generation: Generation) -> [CoordinatorAction] {
            stage.receive(
                .snapshotRequest(
                    SnapshotPart(
                        address: Fixture.address(step, generation: generation), part: part)),
                from: server.handle, incarnation: server.incarnation)
        }
        let wanted = SnapshotPart(
            address: Fixture.address(step, generation: generation), part: part)
        #expect(
            ask(step, generation: generation) == [
                .sendStatePart(server.handle, wanted, shardCount: 1)
            ])
        #expect(ask(step.next, generation: generation).isEmpty)
        #expect(stage.dropped == .outOfRange)
        #expect(ask(step, generation: generation.next).isEmpty)
        #expect(stage.dropped == .staleGeneration)
    }

    // MARK: Ctrl-C

    private static func interrupted() -> (CoordinatorStage, Members) {
        var (stage, members) = CoordinatorStage.running(
            [Fixture.configuration(epochs: 2)], checkpointMilliseconds: 1_000_000)
        _ = stage.report(0)
        let actions = stage.interrupt()
        #expect(CoordinatorStage.ends(actions).isEmpty && wanted(actions) == [3])
        _ = stage.say(&members.servers[0], Members.serving(1, checkpoint: 3))
        return (stage, members)
    }

    @Test func ctrlCWaitsForACheckpoint() {
        var (stage, _) = Self.interrupted()
        for step in 1..<4 { #expect(CoordinatorStage.ends(stage.report(Step(step))).isEmpty) }
        let actions = stage.deliverAll(stage.tick(after: 20))
        #expect(actions.contains(.checkpoint(0, 3)))
        #expect(CoordinatorStage.ends(actions).map(\.status) == [.interrupted])
    }

    @Test func ctrlCDoesNotWaitForLong() {
        var (stage, _) = Self.interrupted()
        let ends = stage.timeline(milliseconds: 3_000).filter {
            if case .endRun = $0.action { true } else { false }
        }
        #expect(ends.map(\.at) == [Limits.lastCheckpointMilliseconds])
    }

    @Test func aSecondCtrlCDoesNotWait() {
        var (stage, _) = Self.interrupted()
        #expect(CoordinatorStage.ends(stage.interrupt()).map(\.status) == [.interrupted])
    }
}
