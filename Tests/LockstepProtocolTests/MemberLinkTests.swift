import LockstepProtocol
import Testing
import TrainingPlan

/// What servers and workers have in common: how they join, stay and leave.
@Suite struct MemberLinkTests {
    static let incarnation: Incarnation = 5
    static let lease = Limits.peerLeaseMilliseconds

    // MARK: Joining

    @Test func greetsUntilItIsAnswered() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine())
            #expect(Machine.statuses(member.start()).map(\.number) == [1])
            // Somebody waits: ten times a second.
            let statuses = Machine.statuses(member.wait(milliseconds: 1_000))
            #expect(statuses.map(\.number) == (2...11).map { StatementNumber($0) })
            #expect(
                statuses.allSatisfy {
                    $0.status
                        == Status(
                            member: Fixture.member(Machine.role), reached: 0,
                            phase: .joining(datasetBytes: 0))
                })
            #expect(member.machine.link.incarnation == .none)
            _ = member.assign(1, .wait(Fixture.sessionInfo))
            #expect(member.machine.link.incarnation == Self.incarnation)
            #expect(member.machine.link.session == Fixture.session)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func aCoordinatorThatDoesNotAnswerIsNamed() {
        func check<Machine: MemberMachine>(_: Machine.Type) throws {
            var member = Stage(Machine())
            _ = member.start()
            #expect(member.ticksToEnd(within: 60_000) == 20_000)
            let end = try #require(member.end)
            #expect(end.exitCode == .unavailable)
            #expect(end.text.contains("tcp://head:29500") && end.text.contains("20 s"))
        }
        #expect(throws: Never.self) {
            try check(ServerMachine.self)
            try check(WorkerMachine.self)
        }
    }

    @Test func whoIsRefusedLeavesWithTheReason() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine())
            _ = member.start()
            let reason = StopReason(.mismatch, "another data set")
            #expect(member.assign(1, .refused(reason), incarnation: .none).isEmpty)
            #expect(member.end == reason)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func anotherVersionOfTheCoordinatorEndsTheGreetingOnly() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine())
            _ = member.start()
            // Damaged or foreign frames change nothing.
            for error in [FrameError.headerChecksum, .wrongMagic(1), .truncated(byteCount: 3)] {
                _ = member.malformed(error)
            }
            #expect(member.end == nil)
            var joined = member
            _ = joined.assign(1, .wait(Fixture.sessionInfo))
            _ = joined.malformed(.unsupportedVersion(7))
            #expect(joined.end == nil)
            #expect(joined.machine.drops.counts[.otherVersion] == 1)
            #expect(joined.machine.drops.counts[.foreign] == 2)
            #expect(joined.machine.drops.counts[.damaged] == 1)
            _ = member.malformed(.unsupportedVersion(7))
            #expect(member.end?.exitCode == .mismatch)
            #expect(member.end?.text.contains("version 7") == true)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    // MARK: Staying

    @Test func aLostAssignmentOrStatusChangesNothing() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            // Statuses tell the newest assignment, at every heartbeat.
            let statuses = Machine.statuses(member.wait(milliseconds: 600))
            #expect(statuses.count == 1 && statuses.first?.status.reached == 1)
            // Numbers 2 to 4 are lost, 5 comes; then 4 comes late.
            _ = member.assign(5, .wait(Fixture.sessionInfo))
            #expect(member.dropped == nil)
            let before = member.machine.phase
            #expect(member.assign(4, Machine.duty).isEmpty)
            #expect(member.dropped == .staleStatement)
            #expect(member.assign(5, Machine.duty).isEmpty)
            #expect(member.dropped == .staleStatement)
            #expect(member.machine.phase == before)
            #expect(
                Machine.statuses(member.wait(milliseconds: 600)).last?.status.reached == 5)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func assignmentsOfOthersAreFencedAndCounted() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            #expect(member.assign(2, Machine.duty, session: 8).isEmpty)
            #expect(member.dropped == .staleSession)
            #expect(member.assign(2, Machine.duty, incarnation: 4).isEmpty)
            #expect(member.dropped == .staleIncarnation)
            // What is for the other role.
            #expect(member.assign(2, Machine.foreignDuty).isEmpty)
            #expect(member.dropped == .wrongType)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func heartbeatsAreRareWhileTheCoordinatorAnswersAndFrequentWhenItDoesNot() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            var quiet = 0
            for number in 2...11 {
                quiet += Machine.statuses(member.wait(milliseconds: 500)).count
                _ = member.assign(StatementNumber(number), .wait(Fixture.sessionInfo))
            }
            #expect(quiet == 10)
            _ = member.wait(milliseconds: 1_000)
            #expect(Machine.statuses(member.wait(milliseconds: 1_000)).count == 10)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// It is waited for, and told of as long as it is.
    @Test func aSilentCoordinatorIsLostAfterTheLeaseAndTheWait() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            _ = member.wait(milliseconds: Self.lease - 20)
            #expect(member.machine.link.incarnation == Self.incarnation)
            // Now it is nobody's member, and greets.
            let lost = member.tick(after: 20)
            #expect(Machine.notices(lost).count == 1)
            #expect(Machine.notices(lost).first?.contains("silent for 10 s") == true)
            Self.expectGreeting(member, Machine.statuses(lost))
            #expect(member.ticksToEnd(within: 60_000) == CoordinatorStage.waitTimeout)
            #expect(member.end?.exitCode == .lostPeer)
            #expect(member.end?.text.contains("has been silent for 30 s") == true)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func aCoordinatorThatComesBackInTimeIsJoinedAgain() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            _ = member.wait(milliseconds: Self.lease + CoordinatorStage.waitTimeout - 100)
            #expect(member.end == nil)
            _ = member.assign(1, .wait(Fixture.sessionInfo), session: 8, incarnation: 2)
            #expect(member.machine.link.incarnation == 2 && member.machine.link.session == 8)
            // The lease begins anew, and so does the wait.
            _ = member.wait(milliseconds: Self.lease + CoordinatorStage.waitTimeout - 100)
            #expect(member.end == nil)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// As a process that nobody knows: what it was given before is void.
    private static func expectGreeting<Machine: MemberMachine>(
        _ member: Stage<Machine>, _ statuses: [(number: StatementNumber, status: Status)]
    ) {
        let link = member.machine.link
        #expect(link.incarnation == .none && link.session == .none)
        #expect(
            statuses.map(\.status) == [
                Status(
                    member: Fixture.member(Machine.role), reached: 0,
                    phase: .joining(datasetBytes: 0))
            ])
    }

    /// A repeated assignment is a sign of life too.
    @Test func anOldAssignmentRenewsTheLease() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            for _ in 0..<4 {
                _ = member.wait(milliseconds: Self.lease - 100)
                _ = member.assign(1, .wait(Fixture.sessionInfo))
            }
            #expect(member.end == nil)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    // MARK: Leaving

    static let reason = StopReason(.success, "the session is over")

    @Test func leavesWhenToldToAndWaitsToBeHeard() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            let leave = Duty.leave(Farewell(reason: Self.reason, isHeard: false))
            #expect(
                Machine.statuses(member.assign(2, leave)).map(\.status.phase)
                    == [.leaving(Self.reason)])
            #expect(member.end == nil)
            #expect(member.assign(3, .leave(Farewell(reason: Self.reason, isHeard: true))).isEmpty)
            #expect(member.end == Self.reason)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// Each of the three messages of a goodbye is lost once.
    @Test func aGoodbyeOutlivesLostMessages() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            let leave = Duty.leave(Farewell(reason: Self.reason, isHeard: false))
            // The first `leave` (2) was lost. Its `leaving` is lost: it comes again, and soon.
            #expect(Machine.statuses(member.assign(3, leave)).count == 1)
            let again = Machine.statuses(member.wait(milliseconds: 200))
            #expect(again.map(\.status.phase) == [.leaving(Self.reason), .leaving(Self.reason)])
            // A `leave` that was on its way is answered too.
            #expect(
                Machine.statuses(member.assign(4, leave)).map(\.status.phase)
                    == [.leaving(Self.reason)])
            // Whoever departs takes no duty any more.
            #expect(member.assign(5, Machine.duty).isEmpty)
            #expect(member.dropped == .staleStatement)
            // `heard` was lost: it comes again with the next status.
            _ = member.assign(7, .leave(Farewell(reason: Self.reason, isHeard: true)))
            #expect(member.end == Self.reason)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func whoIsNotHeardLeavesAllTheSame() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            let ours = StopReason(.terminated, "SIGTERM")
            #expect(
                Machine.statuses(member.interrupt(ours)).map(\.status.phase) == [.leaving(ours)])
            // A second signal changes nothing.
            #expect(member.interrupt().isEmpty)
            #expect(
                member.ticksToEnd(within: 5_000) == Limits.farewellMilliseconds)
            #expect(member.end == ours)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func aSignalBeforeItHasJoinedEndsItAtOnce() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine())
            _ = member.start()
            #expect(member.interrupt().isEmpty)
            #expect(member.end == StopReason(.interrupted, "Ctrl-C"))
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    @Test func aMemberThatFailsSaysSoUntilItIsHeard() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            let reason = StopReason(.cannotWrite, "the disk is full")
            #expect(
                Machine.statuses(member.handle(Machine.failure(reason))).map(\.status.phase)
                    == [.failed(reason)])
            // The first cause counts.
            #expect(member.handle(Machine.failure(Self.reason)).isEmpty)
            #expect(
                Machine.statuses(member.wait(milliseconds: 200)).map(\.status.phase)
                    == [.failed(reason), .failed(reason)])
            _ = member.assign(2, .leave(Farewell(reason: reason, isHeard: true)))
            #expect(member.end == reason)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    // MARK: Expelled

    /// Answers to what it said as a member that is gone may come in a heap: the last one counts.
    @Test func aRefusalOfWhatItWasCounts() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            _ = member.assign(2, .rejoin(Fixture.session))
            #expect(member.end == nil)
            let other = StopReason(.lostPeer, "expelled")
            _ = member.assign(2, .refused(other), incarnation: Self.incarnation.next)
            #expect(member.end == nil)
            _ = member.assign(2, .refused(Self.reason))
            #expect(member.end == Self.reason)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// Its incarnation is not known there any more, e.g. because it was silent for too long.
    @Test func aMemberThatIsNotKnownJoinsAgain() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            let told = member.assign(2, .rejoin(Fixture.session))
            #expect(Machine.notices(told).first?.contains("joining again") == true)
            Self.expectGreeting(member, Machine.statuses(told))
            // What was sent to it before comes late.
            #expect(member.assign(3, .rejoin(Fixture.session)).isEmpty)
            #expect(member.dropped == .staleIncarnation)
            _ = member.assign(1, .wait(Fixture.sessionInfo), incarnation: 8)
            #expect(member.machine.link.incarnation == 8)
            #expect(member.assign(4, Machine.duty).isEmpty)
            #expect(member.dropped == .staleIncarnation)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// A coordinator that was started again has another session, and does not know the member.
    @Test func aMemberOfAnEarlierSessionJoinsAgain() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            // For another process, which was here before or has not joined.
            for other in [Incarnation.none, 4] {
                _ = member.assign(2, .rejoin(Fixture.session), session: 8, incarnation: other)
                #expect(member.dropped == .staleIncarnation)
            }
            // For who has this incarnation in another session.
            _ = member.assign(2, .rejoin(7), session: 8)
            #expect(member.dropped == .staleIncarnation)
            #expect(member.machine.link.incarnation == Self.incarnation)
            let told = member.assign(2, .rejoin(Fixture.session), session: 8)
            Self.expectGreeting(member, Machine.statuses(told))
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }

    /// It lets go of its run, and nobody reaches it as the one that it was.
    @Test func whoJoinsAgainLetsGoOfItsRun() {
        func check<Machine: MemberMachine>(_ stage: Stage<Machine>, _ end: Machine.Action)
        where Machine.Action: Equatable {
            var member = stage
            let told = member.assign(90, .rejoin(Fixture.session))
            #expect(told.first == end)
            #expect(member.machine.phase == .joining(datasetBytes: 0))
            // No answer comes: the coordinator that knew it so lately is not there.
            #expect(member.ticksToEnd(within: 60_000) == CoordinatorStage.waitTimeout)
            #expect(member.end?.exitCode == .unavailable)
        }
        check(ServerStage.serving(), .endRun(0))
        check(WorkerStage.training(), .endRun(0))
    }

    /// Whoever departs does not join again.
    @Test func whoLeavesIsNotKeptFromIt() {
        func check<Machine: MemberMachine>(_: Machine.Type) {
            var member = Stage(Machine.joined())
            _ = member.interrupt()
            #expect(member.assign(2, .rejoin(Fixture.session)).isEmpty)
            #expect(member.ticksToEnd(within: 5_000) == Limits.farewellMilliseconds)
        }
        check(ServerMachine.self)
        check(WorkerMachine.self)
    }
}
