import LockstepProtocol
import Testing
import TrainingPlan

/// A run from its first report to its end.
@Suite struct CoordinatorRunTests {
    /// 407,080 bytes of weights, in two parts.
    private static func requests(of step: Step, shard: ShardIndex = 0) -> [CoordinatorAction] {
        let first = UInt32(Limits.partByteCount)
        return [
            BytePart(offset: 0, byteCount: first),
            BytePart(offset: UInt64(first), byteCount: 407_080 - first),
        ].map { .requestPart(SnapshotPart(address: Fixture.address(step, shard: shard), part: $0)) }
    }

    private static func halted(_ step: Step, _ halt: Halt) -> MemberPhase {
        .serving(
            Members.place, ServerProgress(step: step, activity: .waitingForPushes, halt: halt))
    }

    // MARK: From the first step to the last

    @Test func aRunToItsEndAndTheNext() {
        let runs = [Fixture.configuration, Fixture.configuration(epochs: 2)]
        var (stage, members) = CoordinatorStage.running(runs)
        for step in (0..<4).map({ Step($0) }) {
            #expect(stage.report(step) == [.keepReport(0, step), .recordStep(0, step)])
            #expect(stage.handle(.recorded(0, before: step.next)).isEmpty)
        }
        // The weights after the epoch's last step are fetched at once.
        let asked = stage.report(4)
        #expect(asked == [.keepReport(0, 4), .recordStep(0, 4)] + Self.requests(of: 5))
        #expect(stage.handle(.recorded(0, before: 5)).isEmpty)
        let arrived = stage.deliver(asked)
        #expect(
            arrived.filter { if case .keepPart = $0 { true } else { false } }.count == 2)
        #expect(arrived.contains(.evaluate(0, 5)))
        // The server may need the room.
        #expect(
            CoordinatorStage.receipts(arrived) == [
                Receipts(received: 5, recorded: 5, snapshots: 5)
            ])
        let ended = stage.handle(.evaluated(0, 5, reachedTarget: false))
        #expect(ended.first == .endRun(RunEnd(run: 0, status: .completed, step: 5)))
        // All are told to wait: that ends the run for them.
        #expect(
            CoordinatorStage.duties(ended).map(\.duty)
                == Array(repeating: .wait(stage.sessionInfo), count: 3))
        // They are ready again, one by one.
        _ = stage.say(&members.servers[0], .ready)
        _ = stage.say(&members.workers[0], .ready)
        let next = stage.say(&members.workers[1], .ready)
        #expect(CoordinatorStage.receipts(next).count == 1)
        let begun = members.serve(1, &stage)
        guard case .beginRun(let start)? = begun.first else {
            Issue.record("\(begun)")
            return
        }
        #expect(start.run == 1 && start.workers.count == 2)
        // What is left of the run before is void.
        #expect(stage.report(4).isEmpty)
        #expect(stage.dropped == .staleRun)
    }

    /// Members stay until its end is recorded: a coordinator that is lost before that continues
    /// with them.
    @Test func theLastRunEndsTheSession() {
        var (stage, members) = CoordinatorStage.running()
        let ended = Self.complete(&stage)
        #expect(CoordinatorStage.ends(ended).map(\.status) == [.completed])
        let unrecorded =
            ended + stage.handle(.ended(1)) + stage.handle(CoordinatorEndTests.exited(2))
            + members.beat(&stage, milliseconds: 2 * CoordinatorStage.waitTimeout)
        #expect(CoordinatorStage.farewells(unrecorded).isEmpty)
        #expect(stage.machine.memberCount == 2)
        let success = Farewell(
            reason: StopReason(.success, "the session is over: completed"), isHeard: false)
        #expect(CoordinatorStage.farewells(stage.handle(.ended(0))) == [success, success])
        members.workers.removeFirst()
        _ = members.leave(&stage)
        #expect(stage.end == StopReason(.success, "all runs are done"))
    }

    /// All steps of the fixture's run, recorded and evaluated.
    static func complete(_ stage: inout CoordinatorStage) -> [CoordinatorAction] {
        var asked: [CoordinatorAction] = []
        for step in 0..<5 { asked += stage.report(Step(step)) }
        _ = stage.handle(.recorded(0, before: 5))
        _ = stage.deliver(asked)
        return stage.handle(.evaluated(0, 5, reachedTarget: false))
    }

    @Test func aStepIsWholeWhenEveryShardHasReportedIt() {
        var (stage, _) = CoordinatorStage.running(servers: 2)
        #expect(stage.report(0, shard: 1) == [.keepReport(1, 0)])
        #expect(stage.report(1, shard: 1) == [.keepReport(1, 1)])
        #expect(stage.report(0, shard: 0) == [.keepReport(0, 0), .recordStep(0, 0)])
        #expect(stage.report(1, shard: 0) == [.keepReport(0, 1), .recordStep(0, 1)])
        func check(_ reason: DropReason, _ address: StepAddress, from server: Incarnation = 1) {
            #expect(
                stage.receive(.report(address), from: 10, incarnation: server).isEmpty, "\(reason)")
            #expect(stage.dropped == reason)
        }
        check(.upToDate, Fixture.address(1))
        check(.staleRun, Fixture.address(2, run: 1))
        check(.staleGeneration, Fixture.address(2, generation: 1))
        check(.wrongShard, Fixture.address(2), from: 2)
        check(.wrongShard, Fixture.address(2), from: 3)
    }

    // MARK: What is lost on the way

    /// A later report than the one that is wanted: the server learns at once what is missing.
    @Test func aGapIsAnsweredAtOnce() {
        var (stage, _) = CoordinatorStage.running()
        _ = stage.report(0)
        stage.pass(milliseconds: Limits.shortestInquiryMilliseconds)
        let answer = stage.report(2)
        #expect(stage.dropped == .futureStep)
        #expect(
            CoordinatorStage.receipts(answer) == [
                Receipts(received: 1, recorded: 0, snapshots: 0)
            ])
        // Not again for each of those behind it.
        #expect(stage.report(3).isEmpty)
        stage.pass(milliseconds: Limits.shortestInquiryMilliseconds)
        #expect(CoordinatorStage.receipts(stage.report(4)).count == 1)
        #expect(stage.report(1) == [.keepReport(0, 1), .recordStep(0, 1)])
        // Steps that there are not.
        _ = stage.report(5)
        #expect(stage.dropped == .futureStep)
    }

    /// Servers are told what was recorded before they run out of room for more.
    @Test func reportsAreAcknowledgedInTime() {
        var (stage, _) = CoordinatorStage.running([Fixture.longConfiguration])
        var told: [Receipts] = []
        for step in (0..<999).map({ Step($0) }) {
            _ = stage.report(step)
            told += CoordinatorStage.receipts(stage.handle(.recorded(0, before: step.next)))
        }
        #expect(told.map(\.recorded) == [256, 512, 768])
        #expect(told.map(\.received) == [256, 512, 768])
        // What was not reported is not recorded.
        #expect(stage.handle(.recorded(0, before: 5_000)).isEmpty)
        #expect(stage.handle(.recorded(1, before: 999)).isEmpty)
    }

    @Test func snapshotPartsAreAskedForAgain() {
        var (stage, members) = CoordinatorStage.running()
        var asked: [CoordinatorAction] = []
        for step in 0..<5 { asked += stage.report(Step(step)) }
        let requests = Self.requests(of: 5)
        _ = stage.deliver([requests[0]])
        // A part that was not asked for, and one that comes twice.
        #expect(stage.deliver([requests[0]]).isEmpty)
        #expect(stage.dropped == .upToDate)
        #expect(stage.deliver([Self.requests(of: 4)[1]]).isEmpty)
        let phase = MemberPhase.serving(
            Members.place, ServerProgress(step: 5, activity: .finished))
        let again = members.beat(
            &stage, milliseconds: 3_000, servers: phase, workers: .ready)
        // After 0.3, 0.9 and 2.1 s, and over the new connection.
        #expect(again.filter { $0 == requests[1] }.count == 4)
        #expect(!again.contains(requests[0]))
        #expect(again.contains(.reconnect(0)))
        #expect(stage.deliver([requests[1]]).contains(.evaluate(0, 5)))
    }

    @Test func aServerThatSendsNoWeightsIsNamed() {
        var (stage, members) = CoordinatorStage.running()
        for step in 0..<5 { _ = stage.report(Step(step)) }
        let phase = MemberPhase.serving(
            Members.place, ServerProgress(step: 5, activity: .finished))
        let actions = members.beat(&stage, milliseconds: 30_500, servers: phase)
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(members.servers[0].name, reason: "has sent no weights for 30 s"),
                .fallsBack(0, to: 0),
            ])
    }

    /// Evaluations come slower than steps: no more than two sets of weights are kept.
    @Test func weightsAreFetchedOnlyWhileThereIsRoom() {
        var (stage, _) = CoordinatorStage.running([
            Fixture.configuration(epochs: 2, evaluateEvery: 1)
        ])
        func evaluated(_ actions: [CoordinatorAction]) -> [Step] {
            actions.compactMap { if case .evaluate(_, let step) = $0 { step } else { nil } }
        }
        var asked: [CoordinatorAction] = []
        for step in 0..<4 { asked += stage.report(Step(step)) }
        var arrived = stage.deliver(asked)
        #expect(evaluated(arrived) == [1])
        arrived = stage.deliver(arrived)
        #expect(evaluated(arrived) == [2])
        // Both are still to be evaluated.
        #expect(!arrived.contains { if case .requestPart = $0 { true } else { false } })
        arrived = stage.handle(.evaluated(0, 1, reachedTarget: false))
        #expect(arrived == Self.requests(of: 3))
        #expect(evaluated(stage.deliver(arrived)) == [3])
    }

    // MARK: Ends

    /// The first evaluation at the target is the end, though the steps continued.
    @Test func theTargetEndsTheRun() {
        var (stage, _) = CoordinatorStage.running([
            Fixture.configuration(epochs: 2, evaluateEvery: 2)
        ])
        var asked: [CoordinatorAction] = []
        for step in 0..<4 { asked += stage.report(Step(step)) }
        let arrived = stage.deliver(asked)
        _ = stage.deliver(arrived)
        let ended = stage.handle(.evaluated(0, 2, reachedTarget: true))
        #expect(
            CoordinatorStage.ends(ended) == [RunEnd(run: 0, status: .target, step: 2)])
        #expect(stage.handle(.evaluated(0, 4, reachedTarget: true)).isEmpty)
    }

    /// The report of a divergence was lost with its status; the next status says the same.
    @Test func aDivergenceEndsTheRunWithTheLastFiniteWeights() {
        var (stage, members) = CoordinatorStage.running()
        for step in 0..<2 {
            _ = stage.report(Step(step))
            _ = stage.handle(.recorded(0, before: Step(step + 1)))
        }
        let finding = DivergenceFinding(quantity: .weight, tensor: "layers.0.kernel")
        let phase = Self.halted(2, .diverged(finding))
        members.servers[0].number = 90
        let asked = stage.say(&members.servers[0], phase)
        #expect(asked == Self.requests(of: 2))
        #expect(stage.say(&members.servers[0], phase).isEmpty)
        let ended = stage.deliver(asked)
        // There is nothing to evaluate: the weights are the result.
        #expect(!ended.contains(.evaluate(0, 2)))
        #expect(
            CoordinatorStage.ends(ended) == [
                RunEnd(run: 0, status: .diverged, step: 2, divergence: finding)
            ])
        #expect(stage.say(&members.servers[0], phase).isEmpty)
    }

    /// What was reached before is recorded and evaluated first: the result does not depend on which
    /// message came first.
    @Test func aDivergenceWaitsForWhatCameBeforeIt() {
        var (stage, members) = CoordinatorStage.running([
            Fixture.configuration(epochs: 2, evaluateEvery: 2)
        ])
        let finding = DivergenceFinding(quantity: .state, tensor: "layers.0.bias")
        // It overtakes the reports.
        #expect(stage.say(&members.servers[0], Self.halted(2, .diverged(finding))).isEmpty)
        #expect(stage.report(0) == [.keepReport(0, 0), .recordStep(0, 0)])
        let asked = stage.report(1)
        #expect(asked.suffix(2) == Self.requests(of: 2))
        let arrived = stage.deliver(asked)
        #expect(arrived.contains(.evaluate(0, 2)))
        #expect(CoordinatorStage.ends(arrived).isEmpty)
        #expect(stage.handle(.recorded(0, before: 2)).isEmpty)
        #expect(
            CoordinatorStage.ends(stage.handle(.evaluated(0, 2, reachedTarget: false))) == [
                RunEnd(run: 0, status: .diverged, step: 2, divergence: finding)
            ])
    }

    /// In the first step already: the initial weights are the result.
    @Test func aDivergenceOfTheFirstStep() {
        var (stage, members) = CoordinatorStage.running(servers: 2)
        let finding = DivergenceFinding(quantity: .gradient, tensor: "layers.0.kernel")
        // The other shard's part of the step was finite: it is one ahead.
        _ = stage.report(0, shard: 1)
        let asked = stage.say(&members.servers[0], Self.halted(0, .diverged(finding)))
        #expect(
            asked.compactMap { action -> StepAddress? in
                if case .requestPart(let part) = action { part.address } else { nil }
            } == [Fixture.address(0), Fixture.address(0, shard: 1)])
        #expect(
            CoordinatorStage.ends(stage.deliver(asked)) == [
                RunEnd(run: 0, status: .diverged, step: 0, divergence: finding)
            ])
    }

    /// A server that says it has halted in another run, or one that serves nothing.
    @Test func haltsOfAnotherTimeOrPlaceAreNoHalts() {
        var (stage, members) = CoordinatorStage.running()
        let conflict = Halt.conflict(
            Conflict(
                node: LeafRange(4, 2),
                votes: [.init(worker: 2, checksum: 1), .init(worker: 3, checksum: 2)]))
        let elsewhere = MemberPhase.serving(
            RunPlace(run: 1, generation: 0),
            ServerProgress(step: 1, activity: .updating, halt: conflict))
        #expect(stage.say(&members.servers[0], elsewhere).isEmpty)
        #expect(stage.say(&members.workers[0], Self.halted(1, conflict)).isEmpty)
    }

    @Test func aRunWithoutProgressIsEndedAndSaysWhoIsBehind() {
        var (stage, members) = CoordinatorStage.running()
        _ = stage.report(0)
        let working = MemberPhase.working(
            Members.place, WorkerProgress(step: 0, activity: .computing))
        let serving = MemberPhase.serving(
            Members.place, ServerProgress(step: 1, activity: .waitingForPushes))
        let actions = members.beat(
            &stage, milliseconds: Limits.stalledRunMilliseconds + 500, servers: serving,
            workers: working)
        #expect(CoordinatorStage.ends(actions) == [RunEnd(run: 0, status: .failed, step: 1)])
        let text = CoordinatorStage.farewells(actions).first?.reason.text ?? ""
        #expect(
            text.contains("furthest behind is \(members.workers[0].name), computing"), "\(text)")
    }
}
