import LockstepProtocol
import Testing
import TrainingPlan

/// Who joins, who does not, and who is taken for lost.
@Suite struct CoordinatorJoinTests {
    // MARK: Joining

    @Test func membersJoinInTheOrderInWhichTheyCome() {
        var stage = CoordinatorStage.gathering()
        var server = Peer(.server, nonce: 1)
        #expect(
            stage.join(&server) == [
                .send(10, 1, 1, Assignment(.wait(stage.sessionInfo))),
                .notice(.joined(server.name, threads: 1)),
            ])
        var worker = Peer(.worker, nonce: 2)
        #expect(
            stage.join(&worker) == [
                .send(20, 1, 2, Assignment(.wait(stage.sessionInfo))),
                .notice(.joined(worker.name, threads: 1)),
            ])
        #expect(stage.machine.memberCount == 2)
        #expect(
            stage.say(&worker, .ready) == [
                .notice(.ready(worker.name)),
                .send(20, 2, 2, Assignment(.wait(stage.sessionInfo))),
            ])
        #expect(stage.say(&worker, .ready).isEmpty)
    }

    /// Its first assignment is lost: the process is known by its nonce and gets the same number
    /// again.
    @Test func aLostAssignmentIsRepeated() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        worker.incarnation = .none
        // The answer is on its way: not at once.
        #expect(stage.say(&worker, .joining(datasetBytes: 0), reached: 0).isEmpty)
        stage.pass(milliseconds: Limits.unansweredIntervalMilliseconds)
        #expect(
            stage.say(&worker, .joining(datasetBytes: 0), reached: 0) == [
                .send(20, 2, 1, Assignment(.wait(stage.sessionInfo)))
            ])
        // A new connection has nothing on its way.
        worker.handle = 21
        #expect(
            stage.say(&worker, .joining(datasetBytes: 0), reached: 0) == [
                .send(21, 3, 1, Assignment(.wait(stage.sessionInfo)))
            ])
        #expect(stage.machine.memberCount == 1)
    }

    @Test func aLostOrLateStatusChangesNothing() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        // Two are lost; `ready` comes, then the two before it come late, one of them twice.
        worker.number = 3
        #expect(
            CoordinatorStage.notices(stage.say(&worker, .ready)) == [.ready(worker.name)])
        for number: StatementNumber in [1, 2, 2] {
            worker.number = number
            #expect(stage.say(&worker, .joining(datasetBytes: 9)).isEmpty)
            #expect(stage.dropped == .staleStatement)
        }
        worker.number = 4
        #expect(stage.say(&worker, .ready).isEmpty)
        #expect(stage.dropped == nil)
    }

    @Test func everyMemberIsToldAtEveryHeartbeat() {
        var stage = CoordinatorStage.gathering(workers: 3)
        var members = stage.joinAll(workers: 2, servers: 1)
        let told = CoordinatorStage.duties(members.beat(&stage, milliseconds: 5_000))
        for peer in members.servers + members.workers {
            #expect(told.filter { $0.to == peer.handle }.count == 10)
        }
    }

    // MARK: Refusals

    @Test func whoDoesNotFitIsToldWhy() {
        var stage = CoordinatorStage.gathering(servers: 1)
        var server = Peer(.server, nonce: 1)
        _ = stage.join(&server)
        func check(
            _ exitCode: ExitCode, _ word: String, _ role: Role = .worker,
            _ change: (inout MemberDescription) -> Void = { _ in }
        ) {
            var description = Fixture.member(role, nonce: 8)
            change(&description)
            let actions = stage.receive(
                .status(
                    1,
                    Status(
                        member: description, reached: 0, phase: .joining(datasetBytes: 0))),
                from: 80, session: .none, incarnation: .none)
            guard actions.count == 2,
                case .send(80, 1, Incarnation.none, let assignment) = actions[0],
                case .refused(let reason) = assignment.duty
            else {
                Issue.record("\(word): \(actions)")
                return
            }
            #expect(actions[1] == .notice(.refused(description, reason)))
            #expect(reason.exitCode == exitCode && reason.text.contains(word), "\(reason.text)")
        }
        check(.mismatch, "arithmetic version 77") { $0.arithmeticVersion = 77 }
        check(.mismatch, "without --data") { $0.datasetSHA256 = "ab" }
        check(.mismatch, "where workers reach it", .server) { $0.dataEndpoint = nil }
        _ = stage.interrupt()
        check(.unavailable, "the session is over")
        #expect(stage.machine.memberCount == 1)
        var crowded = CoordinatorStage.gathering(servers: 1)
        for nonce in 1...SettingLimits.maximumServers {
            var spare = Peer(.server, nonce: UInt64(nonce))
            _ = crowded.join(&spare)
        }
        swap(&stage, &crowded)
        check(.unavailable, "64 servers already, which is the most", .server) {
            $0 = Fixture.member(.server, nonce: 65)
        }
        #expect(stage.machine.memberCount == SettingLimits.maximumServers)
        // The same data set is not an obstacle, and a server may be replaced before the run.
        var open = CoordinatorStage.gathering(servers: 1)
        var first = Peer(.server, nonce: 1)
        _ = open.join(&first)
        _ = open.say(&first, .leaving(Fixture.lostCause))
        var second = Peer(.server, nonce: 2)
        _ = open.join(&second)
        #expect(open.machine.memberCount == 1 && second.incarnation == 2)
    }

    @Test(arguments: [2, Limits.maximumWorkers])
    func noMoreWorkersThanTheLimit(maximum: Int) {
        var stage = CoordinatorStage.gathering(workers: maximum, maximumWorkers: maximum)
        var workers = (1...maximum).map { Peer(.worker, nonce: UInt64($0)) }
        for index in workers.indices { _ = stage.join(&workers[index]) }
        var last = Peer(.worker, nonce: 5_000)
        guard case .refused(let reason)? = CoordinatorStage.duties(stage.join(&last)).first?.duty
        else {
            Issue.record("it was not refused")
            return
        }
        #expect(reason.exitCode == .unavailable)
        #expect(reason.text.contains("\(maximum) workers") && reason.text.contains("--max-workers"))
        #expect(stage.machine.memberCount == maximum)
        // Where one leaves there is room for another.
        _ = stage.say(&workers[0], .leaving(Fixture.lostCause))
        _ = stage.join(&last)
        #expect(last.incarnation == Incarnation(maximum + 1))
    }

    /// Also one of another session: the coordinator was started again.
    @Test func whoIsNotKnownIsToldToJoinAgain() {
        var stage = CoordinatorStage.gathering()
        let status = Status(
            member: Fixture.member(.worker), reached: 41,
            phase: .working(Members.place, WorkerProgress(step: 3, activity: .computing)))
        for (session, reason) in [
            (Fixture.session, DropReason.staleIncarnation), (8, .staleSession),
        ] {
            let actions = stage.receive(
                .status(7, status), from: 70, session: session, incarnation: 6)
            // Newer than what it has reached, or it would not listen.
            guard actions.count == 1, case .send(70, 42, 6, let assignment) = actions[0],
                assignment.duty == .rejoin(session)
            else {
                Issue.record("\(actions)")
                return
            }
            #expect(stage.dropped == reason)
        }
        #expect(stage.machine.memberCount == 0)
    }

    @Test func aMemberUnderAnotherNumberIsFencedAndCounted() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        // A late word of what it was before is no news; one that it has just said is answered.
        worker.incarnation = 4
        worker.number = 0
        #expect(stage.say(&worker, .ready).isEmpty)
        #expect(stage.dropped == .staleStatement)
        #expect(
            stage.say(&worker, .ready, reached: 7) == [
                .send(20, 8, 4, Assignment(.rejoin(Fixture.session)))
            ])
        #expect(stage.dropped == .staleIncarnation)
        _ = stage.receive(.report(Fixture.address(0)), from: 1, session: 8, incarnation: 1)
        #expect(stage.dropped == .staleSession)
        _ = stage.receive(.report(Fixture.address(0)), from: 1, incarnation: 9)
        #expect(stage.dropped == .staleIncarnation)
        _ = stage.receive(.report(Fixture.address(0)), from: 1, incarnation: 1)
        #expect(stage.dropped == .staleRun)
    }

    /// Spans of a member are kept under its name; those of others are not.
    @Test func aTraceIsKeptForMembersOnly() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        #expect(
            stage.receive(.traceEvents, from: 20, incarnation: worker.incarnation)
                == [.keepTrace(worker.name)])
        #expect(
            stage.receive(
                .traceEvents, from: 20, session: 8, incarnation: worker.incarnation
            ).isEmpty)
        #expect(stage.dropped == .staleSession)
        #expect(stage.receive(.traceEvents, from: 20, incarnation: 9).isEmpty)
        #expect(stage.dropped == .staleIncarnation)
    }

    /// Left, and not heard that this was heard: it is told again, though nobody knows it any more.
    @Test func whoHasLeftIsToldThatThisWasHeard() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        let heard = Farewell(reason: Fixture.lostCause, isHeard: true)
        let actions = stage.say(&worker, .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.farewells(actions) == [heard])
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(worker.name, reason: "left: \(Fixture.lostCause.text)")
            ])
        for phase in [MemberPhase.leaving(Fixture.lostCause), .failed(Fixture.lostCause)] {
            #expect(
                stage.say(&worker, phase, reached: 3) == [
                    .send(20, 4, 1, Assignment(.leave(heard)))
                ])
        }
        #expect(stage.machine.memberCount == 0)
    }

    // MARK: Leases

    @Test func aSilentMemberIsExpelledAfterTheLease() {
        var stage = CoordinatorStage.gathering(workers: 3)
        var silent = Peer(.worker, nonce: 1)
        _ = stage.join(&silent)
        var talking = Peer(.worker, nonce: 2)
        _ = stage.join(&talking)
        var left: [(at: Int, notice: CoordinatorNotice)] = []
        for half in 1...24 {
            _ = stage.say(&talking, .joining(datasetBytes: UInt64(half)))
            for (at, action) in stage.timeline(milliseconds: 500) {
                if case .notice(let notice) = action {
                    left.append((half * 500 - 500 + at, notice))
                }
            }
        }
        #expect(left.map(\.at) == [Limits.peerLeaseMilliseconds])
        #expect(
            left.map(\.notice) == [
                .left(silent.name, reason: "has been silent for 10 s")
            ])
        // It speaks again: it is told, and joins as another one.
        #expect(
            CoordinatorStage.duties(stage.say(&silent, .ready)).map(\.duty) == [
                .rejoin(Fixture.session)
            ])
        #expect(stage.machine.memberCount == 1)
        silent.incarnation = .none
        _ = stage.join(&silent)
        #expect(silent.incarnation == 3 && stage.machine.memberCount == 2)
    }

    @Test func aProcessThatIsKnownToBeGoneIsRemovedAtOnce() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        #expect(stage.handle(.lost(processID: 2, host: "h3", cause: "", failure: nil)).isEmpty)
        #expect(stage.handle(.lost(processID: 3, host: "h2", cause: "", failure: nil)).isEmpty)
        let cause = "was killed by signal 9"
        #expect(
            stage.handle(.lost(processID: 2, host: "h2", cause: cause, failure: nil)) == [
                .notice(.left(worker.name, reason: cause))
            ])
    }

    // MARK: The data set

    /// Also for a command that is not a member, and for nobody of another session.
    @Test func partsOfTheDataSetAreForTheSession() {
        var stage = CoordinatorStage.gathering()
        var worker = Peer(.worker, nonce: 2)
        _ = stage.join(&worker)
        func ask(
            _ offset: UInt64, _ count: UInt32, _ incarnation: Incarnation = 1,
            session: SessionID = Fixture.session
        ) -> [CoordinatorAction] {
            stage.receive(
                .datasetRequest(BytePart(offset: offset, byteCount: count)), from: 900,
                session: session, incarnation: incarnation)
        }
        let end = Fixture.dataset.byteCount
        for (offset, count): (UInt64, UInt32) in [(0, 9), (end - 9, 9), (end, 0)] {
            #expect(
                ask(offset, count) == [
                    .sendDatasetPart(900, BytePart(offset: offset, byteCount: count))
                ])
        }
        for (offset, count): (UInt64, UInt32) in [(end - 9, 10), (end + 1, 0), (.max, 9)] {
            #expect(ask(offset, count).isEmpty)
            #expect(stage.dropped == .outOfRange)
        }
        #expect(ask(0, 9, .none) == ask(0, 9))
        #expect(ask(0, 9, session: 77).isEmpty)
        #expect(stage.dropped == .staleSession)
    }

    // MARK: Junk

    @Test func aProcessOfAnotherVersionLearnsTheVersionOnce() {
        var stage = CoordinatorStage.gathering()
        let error = FrameError.unsupportedVersion(1)
        #expect(
            stage.malformed(error, from: 5) == [.notice(.malformed(5, error)), .sendVersion(5)])
        #expect(stage.malformed(error, from: 5).isEmpty)
        #expect(stage.malformed(.notOneFrame, from: 6) == [.notice(.malformed(6, .notOneFrame))])
        #expect(stage.malformed(.headerChecksum).isEmpty)
        #expect(stage.machine.drops.counts[.otherVersion] == 2)
    }
}
