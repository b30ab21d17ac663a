import LockstepProtocol
import Testing
import TrainingPlan

/// How a session ends: by itself, by a person, or because a member is lost.
@Suite struct CoordinatorEndTests {
    static let ctrlC = StopReason(.interrupted, "Ctrl-C")
    static let told = StopReason(.success, "the session is over: interrupted")

    // MARK: Ctrl-C

    @Test func ctrlCWithNobodyThere() {
        var stage = CoordinatorStage.gathering()
        #expect(stage.interrupt().isEmpty)
        #expect(stage.end == Self.ctrlC)
    }

    @Test func ctrlCWhileGathering() {
        var stage = CoordinatorStage.gathering(workers: 3)
        var members = stage.joinAll(workers: 2, servers: 1)
        let actions = stage.interrupt()
        #expect(CoordinatorStage.ends(actions).isEmpty)
        #expect(
            CoordinatorStage.farewells(actions)
                == Array(repeating: Farewell(reason: Self.told, isHeard: false), count: 3))
        #expect(stage.end == nil)
        _ = members.leave(&stage)
        #expect(stage.end == Self.ctrlC)
    }

    @Test func ctrlCWhilePreparing() {
        var stage = CoordinatorStage.gathering()
        _ = stage.joinAll(workers: 2, servers: 1)
        #expect(
            CoordinatorStage.ends(stage.interrupt()) == [
                RunEnd(run: 0, status: .interrupted, step: 0)
            ])
    }

    @Test func ctrlCWhileARunGoesOn() {
        var (stage, members) = CoordinatorStage.running()
        _ = stage.report(0)
        let actions = stage.interrupt()
        #expect(actions.first == .endRun(RunEnd(run: 0, status: .interrupted, step: 1)))
        #expect(
            CoordinatorStage.farewells(actions).map(\.reason) == [Self.told, Self.told, Self.told])
        // The run's frames are void from now on.
        #expect(stage.report(1).isEmpty)
        #expect(stage.handle(.recorded(0, before: 1)).isEmpty)
        _ = members.leave(&stage)
        #expect(stage.end == Self.ctrlC)
    }

    /// A second one changes nothing, and the first did not wait for long.
    @Test func ctrlCWhileClosing() {
        var (stage, members) = CoordinatorStage.running()
        _ = stage.interrupt()
        _ = stage.wait(milliseconds: 500)
        #expect(stage.interrupt(StopReason(.terminated, "SIGTERM")).isEmpty)
        var notices: [CoordinatorNotice] = []
        _ = stage.say(&members.workers[0], .leaving(Self.told))
        while stage.end == nil, stage.now < 1_005_000 {
            notices += CoordinatorStage.notices(stage.wait(milliseconds: 20))
        }
        #expect(stage.now == 1_001_000)
        #expect(stage.end == Self.ctrlC)
        #expect(
            notices == [
                .withoutGoodbye(members.servers[0].name), .withoutGoodbye(members.workers[1].name),
            ])
    }

    /// After a whole session a member that is silent is waited for as long as a lease.
    @Test func aSilentMemberDoesNotHoldUpTheEnd() {
        var (stage, _) = CoordinatorStage.running()
        _ = CoordinatorRunTests.complete(&stage)
        _ = stage.handle(.ended(0))
        #expect(stage.ticksToEnd(within: 60_000) == Limits.peerLeaseMilliseconds)
        #expect(stage.end?.exitCode == .success)
    }

    /// It is waited for from when it was heard last, and not from the end on.
    @Test func aMemberThatWasSilentBeforeTheEndIsWaitedForLess() {
        var (stage, members) = CoordinatorStage.running()
        for _ in 0..<40 {
            _ = stage.tick(after: 100)
            _ = stage.say(&members.servers[0], Members.serving(0))
            _ = stage.say(&members.workers[0], Members.working(0))
        }
        _ = CoordinatorRunTests.complete(&stage)
        _ = stage.handle(.ended(0))
        _ = stage.say(&members.servers[0], .leaving(Self.told))
        _ = stage.say(&members.workers[0], .leaving(Self.told))
        var notices: [CoordinatorNotice] = []
        let closedAt = stage.now
        while stage.end == nil, stage.now.milliseconds(since: closedAt) < 20_000 {
            notices += CoordinatorStage.notices(stage.wait(milliseconds: 100))
        }
        #expect(stage.now.milliseconds(since: closedAt) <= Limits.peerLeaseMilliseconds - 4_000)
        #expect(notices == [.withoutGoodbye(members.workers[1].name)])
    }

    // MARK: Goodbye

    /// `leave`, `leaving` and `heard` are each lost once.
    @Test func aGoodbyeOutlivesLostMessages() {
        var stage = CoordinatorStage.gathering(workers: 3)
        var members = stage.joinAll(workers: 2, servers: 1)
        _ = stage.interrupt(Self.ctrlC)
        // All of the first ones are lost; they come again, ten times a second.
        let again = CoordinatorStage.duties(stage.wait(milliseconds: 200))
        #expect(again.count == 6)
        #expect(
            again.allSatisfy { $0.duty == .leave(Farewell(reason: Self.told, isHeard: false)) })
        // The first `leaving` (a status) is lost, the second one comes.
        members.workers[0].number = members.workers[0].number.next
        let heard = Farewell(reason: Self.told, isHeard: true)
        let answer = stage.say(&members.workers[0], .leaving(Self.told))
        #expect(CoordinatorStage.farewells(answer) == [heard])
        #expect(stage.machine.memberCount == 2)
        // `heard` is lost: `leaving` comes once more, and is answered once more.
        #expect(
            CoordinatorStage.farewells(stage.say(&members.workers[0], .leaving(Self.told)))
                == [heard])
        #expect(stage.machine.memberCount == 2)
        _ = members.leave(&stage)
        #expect(stage.end == Self.ctrlC)
        // Nothing is answered any more.
        #expect(stage.say(&members.workers[0], .leaving(Self.told)).isEmpty)
        #expect(stage.tick(after: 1_000).isEmpty)
    }

    // MARK: Members that fail or go

    /// Others do its work; whoever fails as the last one ends the session with its reason, because
    /// whoever came would fail alike.
    @Test func theLastWorkerThatFailsEndsTheSessionWithItsReason() {
        var (stage, members) = CoordinatorStage.running()
        let full = StopReason(.cannotWrite, "the disk is full")
        let first = stage.say(&members.workers[1], .failed(full))
        #expect(CoordinatorStage.ends(first).isEmpty)
        #expect(CoordinatorStage.leaves(first) == [20: 0..<7])
        let cause = "cannot continue: the disk is full"
        #expect(
            CoordinatorStage.notices(first) == [.left(members.workers[1].name, reason: cause)])
        let actions = stage.say(&members.workers[0], .failed(full))
        #expect(CoordinatorStage.ends(actions).map(\.status) == [.failed])
        // It is heard; the others learn who it was.
        let reason = StopReason(.cannotWrite, "\(members.workers[0].name) \(cause)")
        #expect(
            CoordinatorStage.farewells(actions) == [
                Farewell(reason: full, isHeard: true), Farewell(reason: reason, isHeard: false),
            ])
        members.workers = []
        _ = members.leave(&stage)
        #expect(stage.end == reason)
    }

    /// Who only waits may come and go.
    @Test func aMemberThatTheRunDoesNotNeedMayGo() {
        var (stage, _) = CoordinatorStage.running()
        var late = Peer(.worker, nonce: 9)
        _ = stage.join(&late)
        for phase in [MemberPhase.failed(Fixture.lostCause), .leaving(Fixture.lostCause)] {
            var spare = Peer(.worker, nonce: 8)
            _ = stage.join(&spare)
            let actions = stage.say(&spare, phase)
            #expect(CoordinatorStage.ends(actions).isEmpty)
            #expect(CoordinatorStage.notices(actions).count == 1)
        }
        let gone = stage.handle(
            .lost(processID: 9, host: "h9", cause: "exited with code 1", failure: nil))
        #expect(gone == [.notice(.left(late.name, reason: "exited with code 1"))])
        #expect(stage.report(0).count == 2)
    }

    @Test func anEngineThatCannotGoOnEndsTheSession() {
        var (stage, members) = CoordinatorStage.running()
        let full = StopReason(.cannotWrite, "cannot write metrics.jsonl")
        let actions = stage.handle(.failed(full))
        #expect(CoordinatorStage.ends(actions).map(\.status) == [.failed])
        #expect(CoordinatorStage.farewells(actions).map(\.reason) == [full, full, full])
        #expect(stage.handle(.failed(Fixture.lostCause)).isEmpty)
        _ = members.leave(&stage)
        #expect(stage.end == full)
    }

    /// A member of an earlier session that has missed its end: this coordinator was started again
    /// meanwhile.
    @Test func whoHasMissedTheEndIsToldOfIt() {
        var (stage, _) = CoordinatorStage.running()
        _ = stage.interrupt()
        var member = Peer(.worker, nonce: 77)
        member.incarnation = 3
        member.number = 40
        let told = stage.say(&member, Members.working(5))
        let duties = CoordinatorStage.duties(told).map(\.duty)
        #expect(duties.count == 1)
        guard case .refused(let reason)? = duties.first else {
            Issue.record("\(duties)")
            return
        }
        #expect(reason.exitCode == .success)
    }

    // MARK: Processes of the coordinator

    /// A run that has not begun will not get what it waits for.
    @Test(arguments: [false, true])
    func aProcessThatIsGoneBeforeTheRunEndsTheSession(hasJoined: Bool) {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        if hasJoined { _ = stage.join(&worker) }
        _ = stage.handle(Self.exited(2))
        #expect(stage.end == Fixture.lostCause)
    }

    /// Nobody else comes to a session of its own processes: there is nothing to wait for.
    @Test func theLastProcessThatIsGoneEndsTheSession() {
        var (stage, _) = CoordinatorStage.running()
        let first = stage.handle(Self.exited(2))
        #expect(CoordinatorStage.ends(first).isEmpty)
        #expect(CoordinatorStage.leaves(first) == [30: 0..<7])
        let second = stage.handle(Self.exited(3))
        #expect(CoordinatorStage.ends(second) == [RunEnd(run: 0, status: .failed, step: 0)])
        #expect(CoordinatorStage.farewells(second).map(\.reason) == [Fixture.lostCause])
    }

    static func exited(_ nonce: Int32) -> CoordinatorEvent {
        .lost(
            processID: nonce, host: "h\(nonce)", cause: "was killed by signal 9",
            failure: Fixture.lostCause)
    }

    /// Whoever has failed already is told, not expelled.
    @Test func aFailureThatWasNotHeardIsHeardAgain() {
        var (stage, members) = CoordinatorStage.running()
        let full = StopReason(.cannotWrite, "the disk is full")
        _ = stage.say(&members.workers[1], .failed(full))
        let again = stage.say(&members.workers[1], .failed(full))
        #expect(CoordinatorStage.farewells(again) == [Farewell(reason: full, isHeard: true)])
    }
}
