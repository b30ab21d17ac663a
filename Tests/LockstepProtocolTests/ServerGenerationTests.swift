import LockstepProtocol
import Testing
import TrainingPlan

/// A server that begins with a checkpoint, and one that keeps its state for the next.
@Suite struct ServerGenerationTests {
    private static func duty(
        generation: Generation = 0, firstStep: Step = 0, checkpoint: Step? = nil
    ) -> ShardDuty {
        var duty = ServerStage.duty(
            receipts: Receipts(received: firstStep, recorded: firstStep, snapshots: 0))
        duty.order.generation = generation
        duty.order.firstStep = firstStep
        duty.checkpoint = checkpoint
        return duty
    }

    private static func assign(_ stage: inout ServerStage, _ duty: ShardDuty) -> [ServerAction] {
        stage.assign(stage.number(), .serve(Fixture.sessionInfo, duty))
    }

    private static func requests(_ actions: [ServerAction]) -> [SnapshotPart] {
        actions.compactMap { if case .requestState(let part) = $0 { part } else { nil } }
    }

    /// A server that has made room for generation 2, and has asked for its first parts.
    private static func preparing() -> (ServerStage, [SnapshotPart]) {
        var stage = ServerStage.serving()
        let duty = Self.duty(generation: 2, firstStep: 2)
        let actions = Self.assign(&stage, duty)
        #expect(actions == [.endRun(0), .prepare(duty)])
        let asked = stage.handle(.prepared(0, reportByteCount: 100))
        #expect(asked.first == .connectCheckpoint(endpoint: Fixture.sessionInfo.dataEndpoint))
        return (stage, Self.requests(asked))
    }

    /// All parts come.
    private static func load(
        _ stage: inout ServerStage, _ parts: [SnapshotPart]
    ) -> [ServerAction] {
        var (waiting, all) = (parts, [ServerAction]())
        while !waiting.isEmpty {
            let part = waiting.removeFirst()
            let actions = stage.receive(.snapshotPart(part), incarnation: .none)
            #expect(actions.first == .storeState(part))
            waiting += Self.requests(actions)
            all += actions
        }
        return all
    }

    @Test func aGenerationBeginsWhenItsStateHasCome() {
        var (stage, parts) = Self.preparing()
        #expect(parts.count == Limits.partsInFlight)
        #expect(
            parts.allSatisfy { $0.address == Fixture.address(2, generation: 2) })
        #expect(stage.machine.phase == .preparing(RunPlace(run: 0, generation: 2)))
        // Nothing is taken before.
        #expect(stage.push(Fixture.address(2, generation: 2), LeafRange(0, 7)).isEmpty)
        #expect(stage.dropped == .noRun)
        let loaded = Self.load(&stage, parts)
        // Weights and the two vectors of Adam.
        let stored = loaded.compactMap {
            if case .storeState(let part) = $0 { Int(part.part.byteCount) } else { nil }
        }
        #expect(stored.reduce(0, +) == 3 * 407_080)
        #expect(loaded.contains(.adoptState(2)))
        #expect(ServerStage.progress(loaded).map(\.step) == [2])
        #expect(
            stage.push(Fixture.address(2, generation: 2), LeafRange(0, 7)) == [
                .keep(slot: 0), .apply(2),
            ])
    }

    @Test func partsOfAnotherCheckpointAreDropped() {
        var (stage, parts) = Self.preparing()
        for address in [
            Fixture.address(2, generation: 1), Fixture.address(3, generation: 2),
            Fixture.address(2, shard: 1, generation: 2),
        ] {
            let other = SnapshotPart(address: address, part: parts[0].part)
            #expect(stage.receive(.snapshotPart(other), incarnation: .none).isEmpty)
            #expect(stage.dropped == .upToDate)
        }
        _ = stage.receive(.snapshotPart(parts[0]), session: 8, incarnation: .none)
        #expect(stage.dropped == .staleSession)
    }

    @Test func framesAndDutiesOfTheOlderGenerationAreDropped() {
        var (stage, parts) = Self.preparing()
        _ = Self.load(&stage, parts)
        #expect(stage.push(Fixture.address(2, generation: 1), LeafRange(0, 7)).isEmpty)
        #expect(stage.dropped == .staleGeneration)
        #expect(Self.assign(&stage, Self.duty(generation: 1, firstStep: 1)).isEmpty)
        #expect(stage.machine.phase.description.contains("step 2"))
        // Of the run as it was before.
        #expect(stage.handle(.applied(0, 2)).isEmpty)
    }

    @Test func aCoordinatorThatSendsNoStateIsNamed() {
        var (stage, _) = Self.preparing()
        for _ in 0..<62 where stage.machine.phase.description.contains("prepar") {
            _ = stage.wait(milliseconds: 500)
            _ = Self.assign(&stage, Self.duty(generation: 2, firstStep: 2))
        }
        guard
            case .failed(let reason)? = ServerMachine.statuses(stage.wait(milliseconds: 200))
                .last?.status.phase
        else {
            Issue.record("it has not failed")
            return
        }
        #expect(reason.exitCode == .lostPeer && reason.text.contains("tcp://head:29501"))
    }

    // MARK: State that is kept

    @Test func theStateOfAWantedStepIsKeptUntilItIsWantedNoMore() {
        var stage = ServerStage.serving()
        _ = stage.commit(0)
        let told = ServerStage.progress(Self.assign(&stage, Self.duty(checkpoint: 3)))
        #expect(told.map(\.checkpoint) == [3])
        #expect(!stage.commit(1).contains(.keepState(2)))
        #expect(stage.commit(2).contains(.keepState(3)))
        // Again and again the same is wanted.
        #expect(Self.assign(&stage, Self.duty(checkpoint: 3)).isEmpty)
        _ = stage.commit(3)
        let part = SnapshotPart(
            address: Fixture.address(3), part: BytePart(offset: 500_000, byteCount: 9))
        func request() -> [ServerAction] {
            stage.receive(.snapshotRequest(part), from: 70, incarnation: .none)
        }
        #expect(request() == [.sendPart(to: 70, part)])
        // Step 4 is the newest: that of step 2 is kept no more, nor is that of step 3 after the
        // next word.
        #expect(Self.assign(&stage, Self.duty()).first == .forgetState)
        _ = stage.commit(4, leafCount: 2)
        #expect(request().isEmpty)
        #expect(stage.dropped == .outOfRange)
    }

    @Test func aStepThatIsPassedIsNotPromised() {
        var stage = ServerStage.serving()
        for step in 0..<3 { _ = stage.commit(Step(step)) }
        // The coordinator learns of it at once.
        let told = ServerStage.progress(Self.assign(&stage, Self.duty(checkpoint: 2)))
        #expect(told.map(\.checkpoint) == [nil] && told.map(\.step) == [3])
        // The current one is there to be kept, unless the next is being made of it.
        var applying = stage
        #expect(Self.assign(&stage, Self.duty(checkpoint: 3)).first == .keepState(3))
        _ = applying.complete(3)
        let refused = ServerStage.progress(Self.assign(&applying, Self.duty(checkpoint: 3)))
        #expect(refused.map(\.checkpoint) == [nil])
    }
}
