import LockstepProtocol
import Testing
import TrainingPlan

/// How a server takes shards, and what it does with the frames of its workers.
@Suite struct ServerMachineTests {
    static let waiting = ServerProgress(step: 0, activity: .waitingForPushes)

    // MARK: Runs

    @Test func preparesAndServesRunAfterRun() {
        var server = ServerStage(.joined())
        let duty = ServerStage.duty()
        #expect(
            server.assign(2, .serve(Fixture.sessionInfo, duty)) == [.prepare(duty)])
        #expect(server.machine.phase == .preparing(RunPlace(run: 0, generation: 0)))
        // The same again at the heartbeat, and what another engine made room for.
        #expect(server.assign(3, .serve(Fixture.sessionInfo, duty)).isEmpty)
        #expect(server.handle(.prepared(1, reportByteCount: 8)).isEmpty)
        let statuses = ServerMachine.statuses(server.handle(.prepared(0, reportByteCount: 8)))
        #expect(
            statuses.map(\.status.phase) == [
                .serving(RunPlace(run: 0, generation: 0), Self.waiting)
            ])
        // The next run's assignment ends this one; the run before does not come back.
        let next = ServerStage.duty(run: 1)
        #expect(
            server.assign(4, .serve(Fixture.sessionInfo, next)) == [.endRun(0), .prepare(next)])
        #expect(server.assign(5, .serve(Fixture.sessionInfo, duty)).isEmpty)
        _ = server.handle(.prepared(1, reportByteCount: 8))
        #expect(server.assign(6, .wait(Fixture.sessionInfo)).first == .endRun(1))
        #expect(server.machine.phase == .ready)
        #expect(server.assign(7, .serve(Fixture.sessionInfo, next)).isEmpty)
    }

    @Test func aRunThatCannotBeIsAFailure() {
        var server = ServerStage(.joined())
        let duty = ServerStage.duty(Fixture.impossible)
        let phases = ServerMachine.statuses(server.assign(2, .serve(Fixture.sessionInfo, duty)))
            .map(\.status.phase)
        guard case .failed(let reason)? = phases.first else {
            Issue.record("\(phases)")
            return
        }
        #expect(reason.exitCode == .mismatch && reason.text.contains("--batch-size 1001"))
    }

    @Test func aRunEndsWithTheServer() {
        var preparing = ServerStage(.joined())
        _ = preparing.assign(2, .serve(Fixture.sessionInfo, ServerStage.duty()))
        #expect(preparing.interrupt().first == .endRun(0))
        var serving = ServerStage.serving()
        #expect(serving.interrupt().first == .endRun(0))
        #expect(serving.push(Fixture.address(0), LeafRange(0, 7)).isEmpty)
        #expect(serving.dropped == .noRun)
    }

    // MARK: The step

    @Test func aSteadyStep() {
        var server = ServerStage.serving()
        let first = Fixture.address(0)
        #expect(server.push(first, LeafRange(0, 4)) == [.keep(slot: 0)])
        #expect(server.push(first, LeafRange(4, 2), from: 4, by: 40) == [.keep(slot: 1)])
        #expect(
            server.push(first, LeafRange(6, 1), from: 4, by: 40) == [.keep(slot: 2), .apply(0)])
        #expect(
            server.machine.foldSchedule == [
                .load(slot: 0), .load(slot: 1), .load(slot: 2), .add, .add,
            ])
        server.passReportDelay()
        // Who waits comes first; the report is for the records.
        #expect(
            server.handle(.applied(0, 0)) == [
                .sendWeights(to: 30, Fixture.address(1)), .sendWeights(to: 40, Fixture.address(1)),
                .sendReport(first),
            ])
        for step in (1...3).map({ Step($0) }) { _ = server.commit(step) }
        server.passReportDelay()
        _ = server.tick()
        // The weights at the epoch's end are evaluated.
        #expect(
            server.commit(4) == [
                .keep(slot: 0), .apply(4), .sendWeights(to: 30, Fixture.address(5)),
                .sendWeights(to: 40, Fixture.address(5)), .sendReport(Fixture.address(4)),
                .keepSnapshot(5),
            ])
        #expect(
            server.machine.phase
                == .serving(
                    RunPlace(run: 0, generation: 0), ServerProgress(step: 5, activity: .finished)))
        #expect(server.push(Fixture.address(5), LeafRange(0, 1)).isEmpty)
        #expect(server.dropped == .halted)
    }

    @Test func appliedOfAnotherRunOrStepDoesNothing() {
        var server = ServerStage.serving()
        _ = server.complete(0)
        #expect(server.handle(.applied(1, 0)).isEmpty)
        #expect(server.handle(.applied(0, 1)).isEmpty)
        _ = server.handle(.diverged(0, 1, Self.finding))
        #expect(server.machine.phase == .serving(RunPlace(run: 0, generation: 0), Self.updating))
        server.passReportDelay()
        #expect(ServerStage.reports(server.handle(.applied(0, 0))) == [0])
        #expect(server.handle(.applied(0, 0)).isEmpty)
    }

    static let updating = ServerProgress(step: 0, activity: .updating)
    static let finding = DivergenceFinding(quantity: .gradient, tensor: "layers.1.kernel")

    @Test func framesOfAnotherTimeOrPlaceAreFencedAndCounted() {
        var server = ServerStage.serving(run: 1, shard: 1, shardCount: 2)
        func check(_ reason: DropReason, _ actions: [ServerAction]) {
            #expect(actions.isEmpty, "\(reason)")
            #expect(server.dropped == reason)
        }
        let here = Fixture.address(0, shard: 1, run: 1)
        let leaf = LeafRange(0, 1)
        check(.staleSession, server.push(here, leaf, session: 8))
        check(.staleRun, server.push(Fixture.address(0, shard: 1, run: 0), leaf))
        check(.staleRun, server.push(Fixture.address(0, shard: 1, run: 2), leaf))
        check(
            .staleGeneration,
            server.push(Fixture.address(0, shard: 1, run: 1, generation: 1), leaf))
        check(.wrongShard, server.push(Fixture.address(0, shard: 0, run: 1), leaf))
        check(.staleIncarnation, server.push(here, leaf, from: 6))
        check(.futureStep, server.push(Fixture.address(1, shard: 1, run: 1), leaf))
        check(.notANode, server.push(here, LeafRange(1, 2)))
        check(.notANode, server.push(here, LeafRange(6, 2)))
        #expect(server.push(here, leaf) == [.keep(slot: 0)])
        check(.covered, server.push(here, leaf, from: 4, by: 40))
        #expect(server.machine.drops.counts[.staleRun] == 2)
        var joining = ServerStage(.joined())
        #expect(joining.push(here, leaf).isEmpty)
        #expect(joining.dropped == .noRun)
    }

    // MARK: Where a worker is

    /// A connection was reset: what was sent to it is lost, and its successor is another one.
    @Test func aWorkerOnANewConnectionGetsTheWeightsAtOnce() {
        var server = ServerStage.serving()
        _ = server.commit(0)
        // Over the old connection they are on their way.
        #expect(
            server.inquire(Fixture.address(0), LeafRange(0, 2)) == [
                .sendHeld(to: 30, Fixture.address(0), LeafRange(0, 2), LeafBits(1, 1))
            ])
        #expect(
            server.inquire(Fixture.address(0), LeafRange(0, 2), by: 31) == [
                .sendWeights(to: 31, Fixture.address(1))
            ])
        // A push does the same, and is not used.
        #expect(
            server.push(Fixture.address(0), LeafRange(0, 4), by: 32) == [
                .sendWeights(to: 32, Fixture.address(1))
            ])
        #expect(server.dropped == .olderStep)
    }

    @Test func theBroadcastFollowsTheLastGoodFrame() {
        var server = ServerStage.serving()
        _ = server.inquire(Fixture.address(0), .none, from: 4, by: 40)
        _ = server.push(Fixture.address(0), LeafRange(0, 1), by: 31)
        // Frames that are not this run's, or of nobody here, do not count.
        _ = server.push(Fixture.address(0, generation: 1), LeafRange(0, 1), by: 32)
        _ = server.push(Fixture.address(0), LeafRange(0, 1), by: 33, session: 8)
        _ = server.push(Fixture.address(0), LeafRange(0, 1), from: 7, by: 34)
        _ = server.malformed(.payloadChecksum(.push), from: 35)
        _ = server.complete(0)
        // While it is applied the connection is reset once more, and the worker asks.
        #expect(server.inquire(Fixture.address(0), .none, by: 36).count == 1)
        server.passReportDelay()
        #expect(
            server.handle(.applied(0, 0)) == [
                .sendWeights(to: 36, Fixture.address(1)), .sendWeights(to: 40, Fixture.address(1)),
                .sendReport(Fixture.address(0)),
            ])
    }

    /// What was recorded and is played back, or claims to be ahead of the server, takes no worker's
    /// answers away.
    @Test func framesPlayedBackDoNotMoveABroadcast() {
        var server = ServerStage.serving()
        _ = server.commit(0)
        _ = server.inquire(Fixture.address(1), .none, from: 4, by: 40)
        _ = server.push(Fixture.address(1), LeafRange(0, 1))
        #expect(server.push(Fixture.address(0), LeafRange(0, 7), by: 31).isEmpty)
        #expect(server.dropped == .olderStep)
        #expect(server.inquire(Fixture.address(0), .none, by: 32).isEmpty)
        #expect(server.dropped == .olderStep)
        #expect(server.inquire(Fixture.address(2), .none, by: 33).isEmpty)
        #expect(server.dropped == .futureStep)
        #expect(server.push(Fixture.address(Step(1 << 50)), LeafRange(0, 7), by: 34).isEmpty)
        _ = server.complete(1)
        let sent = server.handle(.applied(0, 1))
        #expect(sent.contains(.sendWeights(to: 30, Fixture.address(2))))
        #expect(sent.contains(.sendWeights(to: 40, Fixture.address(2))))
    }

    @Test func nothingIsSentToAConnectionThatIsGone() {
        var server = ServerStage.serving()
        _ = server.push(Fixture.address(0), LeafRange(0, 4))
        _ = server.push(Fixture.address(0), LeafRange(4, 3), from: 4, by: 40)
        #expect(server.handle(.unreachable(30)).isEmpty)
        server.passReportDelay()
        #expect(
            server.handle(.applied(0, 0)) == [
                .sendWeights(to: 40, Fixture.address(1)), .sendReport(Fixture.address(0)),
            ])
        #expect(
            server.inquire(Fixture.address(0), LeafRange(0, 4), by: 31) == [
                .sendWeights(to: 31, Fixture.address(1))
            ])
        // The old connection, late.
        #expect(server.handle(.unreachable(30)).isEmpty)
        #expect(server.commit(1).contains(.sendWeights(to: 40, Fixture.address(2))))
    }

    /// Weights take their time on a slow link; they are not sent twice meanwhile.
    @Test func repeatedPushesAreAnsweredOnceInAWhile() {
        var server = ServerStage.serving()
        _ = server.commit(0)
        // 100 ms, and what twice 407,080 bytes take at 10 MB/s.
        let patience = 181
        var answered: [Int] = []
        for millisecond in 1...600 {
            server.pass(milliseconds: 1)
            if !server.push(Fixture.address(0), LeafRange(0, 4)).isEmpty {
                answered.append(millisecond)
            }
        }
        #expect(answered == [patience, 2 * patience, 3 * patience])
    }

    // MARK: Inquiries

    @Test func anInquiryIsAnsweredWithTheLeavesThatAreHeld() {
        var server = ServerStage.serving()
        let address = Fixture.address(0)
        _ = server.push(address, LeafRange(0, 2))
        _ = server.push(address, LeafRange(4, 1))
        #expect(
            server.inquire(address, LeafRange(0, 7)) == [
                .sendHeld(to: 30, address, LeafRange(0, 7), LeafBits(1, 1, 0, 0, 1, 0, 0))
            ])
        #expect(
            server.inquire(address, LeafRange(3, 2), from: 4, by: 40) == [
                .sendHeld(to: 40, address, LeafRange(3, 2), LeafBits(0, 1))
            ])
        // A worker that has just come asks for none.
        #expect(
            server.inquire(address, .none) == [.sendHeld(to: 30, address, .none, LeafBits())])
        // Beyond the tree nothing is covered, and there are never so many leaves.
        #expect(
            server.inquire(address, LeafRange(6, 2)) == [
                .sendHeld(to: 30, address, LeafRange(6, 2), LeafBits(0, 0))
            ])
        #expect(server.inquire(address, LeafRange(0, 8)).isEmpty)
        #expect(server.dropped == .notANode)
        #expect(server.inquire(address, LeafRange(0, 7), from: 9).isEmpty)
        #expect(server.dropped == .staleIncarnation)
    }

    /// No worker is ahead of a server whose weights it has to have first.
    @Test func anInquiryForALaterStepIsDropped() {
        var server = ServerStage.serving()
        #expect(server.inquire(Fixture.address(1), LeafRange(0, 2)).isEmpty)
        #expect(server.dropped == .futureStep)
    }

    /// Also a repeated inquiry while the answer is on its way is answered: the worker knows that
    /// the server lives.
    @Test func everyInquiryIsAnswered() {
        var server = ServerStage.serving()
        _ = server.commit(0)
        for _ in 0..<100 {
            server.pass(milliseconds: 7)
            #expect(server.inquire(Fixture.address(0), LeafRange(0, 7)).count == 1)
        }
    }
}
