import LockstepProtocol
import Testing
import TrainingPlan

/// Servers that are lost in a run, and the generation that continues without them.
@Suite struct CoordinatorGenerationTests {
    /// Twenty steps, evaluated after every fifth.
    private static let configuration = Fixture.configuration(epochs: 4)

    private static func running() -> (CoordinatorStage, Members) {
        var (stage, members) = CoordinatorStage.running([configuration], servers: 2)
        for step in 0..<3 { commit(Step(step), &stage) }
        return (stage, members)
    }

    /// Both shards report a step.
    @discardableResult
    private static func commit(
        _ step: Step, _ stage: inout CoordinatorStage, generation: Generation = 0,
        servers: [Incarnation] = [1, 2]
    ) -> [CoordinatorAction] {
        servers.enumerated().flatMap { shard, server in
            stage.receive(
                .report(
                    Fixture.address(step, shard: ShardIndex(shard), generation: generation)),
                from: 10, incarnation: server)
        }
    }

    /// The second server leaves, another one comes, and both serve generation 1.
    private static func replaceServer(
        _ stage: inout CoordinatorStage, _ members: inout Members
    ) -> [CoordinatorAction] {
        var actions = stage.say(&members.servers[1], .leaving(Fixture.lostCause))
        members.servers[1] = Peer(.server, nonce: 9, inPlaceOf: 2)
        actions += stage.join(&members.servers[1])
        for index in members.servers.indices {
            actions += stage.say(&members.servers[index], Members.serving(0, generation: 1))
        }
        return actions
    }

    private static func records(_ actions: [CoordinatorAction]) -> [CoordinatorAction] {
        actions.filter {
            switch $0 {
            case .keepReport, .recordStep, .evaluate, .requestPart: true
            default: false
            }
        }
    }

    private static func stageOfOverview(
        _ stage: inout CoordinatorStage
    ) -> ClusterOverview.Stage? {
        for case .sendOverview(77, let overview) in stage.receive(
            .overviewRequest, from: 77, session: .none, incarnation: .none)
        {
            return overview.stage
        }
        return nil
    }

    // MARK: Replacement

    /// Its port has one holder: whoever comes there has taken its place.
    @Test func aServerThatIsStartedAgainTakesItsPlaceAtOnce() {
        var (stage, members) = Self.running()
        var again = Peer(.server, nonce: 9, inPlaceOf: 2)
        var actions = stage.join(&again)
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(members.servers[1].name, reason: "was started again"),
                .fallsBack(0, to: 0), .joined(again.name, threads: 1),
            ])
        #expect(CoordinatorStage.ends(actions).isEmpty)
        let duties = CoordinatorStage.shardDuties(actions)
        #expect(duties.map(\.order.generation) == [1, 1] && duties.map(\.shard) == [0, 1])
        #expect(duties.allSatisfy { $0.order.firstStep == 0 && $0.workers == [3, 4] })
        #expect(duties.allSatisfy { $0.receipts.received == 0 })
        // Workers learn of it when both servers are there.
        #expect(CoordinatorStage.workDuties(actions).isEmpty)
        actions = stage.say(&members.servers[0], Members.serving(0, generation: 1))
        #expect(CoordinatorStage.workDuties(actions).isEmpty)
        actions = stage.say(&again, Members.serving(0, generation: 1))
        let work = CoordinatorStage.workDuties(actions).map(\.duty)
        #expect(work.count == 2 && work.allSatisfy { $0.order.generation == 1 && $0.view == 1 })
        #expect(work.allSatisfy { $0.servers.map(\.incarnation) == [1, 5] })
        #expect(
            actions.contains {
                if case .beginRun(let start) = $0 { start.generation == 1 } else { false }
            })
    }

    @Test func whileAServerIsMissingNothingIsTrained() {
        var (stage, members) = Self.running()
        let actions = stage.say(&members.servers[1], .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.notices(actions).contains(.fallsBack(0, to: 0)))
        #expect(Self.stageOfOverview(&stage) == .waitingForServers)
        #expect(Self.commit(3, &stage, servers: [1]).isEmpty)
        #expect(stage.dropped == .staleRun)
        // Those that are left are told to wait.
        let told = CoordinatorStage.duties(stage.wait(milliseconds: 500)).map(\.duty)
        #expect(!told.isEmpty && told.allSatisfy { $0 == .wait(stage.sessionInfo) })
    }

    @Test func afterAWhileTheShardsAreCutAnewForThoseWhoAreLeft() {
        var (stage, members) = Self.running()
        var lost = members.servers.removeLast()
        _ = stage.say(&lost, .leaving(Fixture.lostCause))
        let early = members.beat(&stage, milliseconds: 2_500)
        #expect(CoordinatorStage.shardDuties(early).isEmpty)
        let duties = CoordinatorStage.shardDuties(members.beat(&stage, milliseconds: 1_000))
        #expect(duties.first?.shardCount == 1 && duties.first?.order.generation == 1)
        #expect(stage.now.milliseconds(since: 1_000_000) == 3_500)
    }

    @Test func whereNoServerComesTheSessionFails() {
        var (stage, members) = CoordinatorStage.running([Self.configuration])
        var lost = members.servers.removeLast()
        _ = stage.say(&lost, .leaving(Fixture.lostCause))
        let early = members.beat(&stage, milliseconds: CoordinatorStage.waitTimeout - 500)
        #expect(CoordinatorStage.ends(early).isEmpty)
        let late = members.beat(&stage, milliseconds: 1_000)
        #expect(CoordinatorStage.ends(late) == [RunEnd(run: 0, status: .failed, step: 0)])
        let reason = CoordinatorStage.farewells(late).first?.reason
        #expect(reason?.exitCode == .lostPeer && reason?.text.contains("--wait-timeout") == true)
    }

    /// More than the session needs stand by.
    @Test func aSpareServerTakesTheShardAtOnce() {
        var (stage, members) = Self.running()
        var spare = Peer(.server, nonce: 9)
        #expect(CoordinatorStage.shardDuties(stage.join(&spare)).isEmpty)
        let actions = stage.say(&members.servers[0], .leaving(Fixture.lostCause))
        let told = CoordinatorStage.duties(actions).filter {
            if case .serve = $0.duty { true } else { false }
        }
        #expect(told.map(\.to) == [20, 90])
    }

    // MARK: What is done again

    @Test func framesOfTheOlderGenerationAreDropped() {
        var (stage, members) = Self.running()
        _ = Self.replaceServer(&stage, &members)
        #expect(Self.commit(0, &stage, servers: [1]).isEmpty)
        #expect(stage.dropped == .staleGeneration)
        let part = SnapshotPart(
            address: Fixture.address(0), part: BytePart(offset: 0, byteCount: 4))
        #expect(stage.receive(.snapshotPart(part), incarnation: 1).isEmpty)
        #expect(stage.dropped == .staleGeneration)
        // The lost server speaks on.
        #expect(
            stage.receive(
                .report(Fixture.address(0, shard: 1, generation: 1)), from: 20, incarnation: 2
            ).isEmpty)
        #expect(stage.dropped == .staleIncarnation)
    }

    @Test func whatWasRecordedIsNotRecordedAgain() {
        var (stage, members) = Self.running()
        // One shard's report of step 3 came, and counts no more.
        #expect(Self.commit(3, &stage, servers: [1]) == [.keepReport(0, 3)])
        _ = Self.replaceServer(&stage, &members)
        for step in 0..<3 {
            let again = Self.commit(Step(step), &stage, generation: 1, servers: [1, 5])
            #expect(Self.records(again).isEmpty && stage.dropped == nil)
        }
        #expect(
            Self.commit(3, &stage, generation: 1, servers: [1, 5]) == [
                .keepReport(0, 3), .keepReport(1, 3), .recordStep(0, 3),
            ])
    }

    @Test func whatWasEvaluatedIsNotEvaluatedAgain() {
        var (stage, members) = Self.running()
        var actions: [CoordinatorAction] = []
        for step in 3..<6 { actions += Self.commit(Step(step), &stage) }
        #expect(stage.deliverAll(actions).contains(.evaluate(0, 5)))
        _ = stage.handle(.evaluated(0, 5, reachedTarget: false))
        _ = Self.replaceServer(&stage, &members)
        var again: [CoordinatorAction] = []
        for step in 0..<6 {
            again += Self.commit(Step(step), &stage, generation: 1, servers: [1, 5])
            again += stage.tick(after: 20)
        }
        #expect(Self.records(again).isEmpty)
    }

    // MARK: What comes to an end meanwhile

    /// The weights were on their way to their evaluation: the result is no other because a server
    /// was lost then.
    @Test(arguments: [(true, EndStatus.target), (false, .completed)])
    func anEvaluationThatEndsWhileAServerIsMissingCounts(reachedTarget: Bool, status: EndStatus) {
        var (stage, members) = CoordinatorStage.running()
        var actions: [CoordinatorAction] = []
        for step in 0..<5 { actions += stage.report(Step(step)) }
        #expect(stage.deliverAll(actions).contains(.evaluate(0, 5)))
        _ = stage.say(&members.servers[0], .leaving(Fixture.lostCause))
        var answers = stage.handle(.recorded(0, before: 5))
        answers += stage.handle(.evaluated(0, 5, reachedTarget: reachedTarget))
        #expect(CoordinatorStage.ends(answers) == [RunEnd(run: 0, status: status, step: 5)])
    }

    /// Ctrl-C ends the servers as well: there will be no other checkpoint.
    @Test func anInterruptDoesNotWaitForALostServer() {
        var (stage, members) = CoordinatorStage.running(checkpointMilliseconds: 1_000)
        #expect(CoordinatorStage.ends(stage.interrupt()).isEmpty)
        let actions = stage.say(&members.servers[0], .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.ends(actions).map(\.status) == [.interrupted])
    }

    @Test func anInterruptBeginsNoOtherRun() {
        var (stage, _) = CoordinatorStage.running(
            [Fixture.configuration, Fixture.configuration], checkpointMilliseconds: 100_000)
        var actions: [CoordinatorAction] = []
        for step in 0..<5 { actions += stage.report(Step(step)) }
        _ = stage.deliverAll(actions)
        _ = stage.interrupt()
        actions = stage.handle(.recorded(0, before: 5))
        actions += stage.handle(.evaluated(0, 5, reachedTarget: false))
        #expect(CoordinatorStage.ends(actions).map(\.status) == [.completed])
        #expect(CoordinatorStage.farewells(actions).count == 3)
        #expect(CoordinatorStage.shardDuties(actions).isEmpty)
    }

    /// Whoever was lost meanwhile is not waited for, and a run that nobody comes to ends in time.
    @Test func aGenerationWithoutWorkersWaitsForThem() {
        var (stage, members) = Self.running()
        _ = stage.say(&members.servers[1], .leaving(Fixture.lostCause))
        for index in members.workers.indices {
            _ = stage.say(&members.workers[index], .leaving(Fixture.lostCause))
        }
        members.workers = []
        let begun = Self.replaceServer(&stage, &members)
        #expect(CoordinatorStage.notices(begun).last == .tooFewWorkers(0, count: 0))
        let phase = Members.serving(0, generation: 1)
        let late = members.beat(
            &stage, milliseconds: CoordinatorStage.waitTimeout + 500, servers: phase)
        #expect(CoordinatorStage.ends(late).map(\.status) == [.failed])
    }
}
