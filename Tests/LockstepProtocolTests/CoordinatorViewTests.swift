import LockstepProtocol
import Testing
import TrainingPlan

/// Workers that come and go while a run continues. Connections 20, 30 and so on are workers,
/// incarnations 2, 3 and so on; a step has seven leaves.
@Suite struct CoordinatorViewTests {
    /// Each member has a host of its own.
    static let thirds = LeafAssignment(leafCount: 7, workerCount: 3, nodeCost: 25).ranges

    // MARK: Workers that come

    /// It is given no leaves before it holds the data set and the weights.
    @Test func whoJoinsARunGetsLeavesOnceItHasWeights() {
        var (stage, members) = CoordinatorStage.running(servers: 2)
        for shard in 0..<2 { _ = stage.report(0, shard: shard) }
        var joiner = Peer(.worker, nonce: 9)
        let joined = stage.join(&joiner)
        #expect(CoordinatorStage.leaves(joined) == [90: 0..<0])
        // Servers know it before it pushes anything.
        #expect(CoordinatorStage.pushers(joined) == [[3, 4, 5], [3, 4, 5]])
        #expect(CoordinatorStage.leaves(stage.say(&joiner, .ready)) == [90: 0..<0])
        #expect(stage.say(&joiner, .preparing(Members.place)).isEmpty)
        let entered = stage.say(&joiner, Members.working(1))
        #expect(CoordinatorStage.notices(entered) == [.entered(joiner.name, 1)])
        #expect(
            CoordinatorStage.leaves(entered) == [
                30: Self.thirds[0], 40: Self.thirds[1], 90: Self.thirds[2],
            ])
        let duties = CoordinatorStage.workDuties(entered).map(\.duty)
        #expect(duties.allSatisfy { $0.view == 1 && $0.workerCount == 3 })
        // A short step has two leaves: not everyone has one.
        #expect(duties.map(\.lastLeaves) == [0..<1, 1..<2, 2..<2])
        // Nothing changes for those who say the same again, or that they know the new view.
        #expect(stage.say(&joiner, Members.working(1)).isEmpty)
        #expect(stage.say(&members.workers[0], Members.working(1)).isEmpty)
    }

    /// What a worker says of another run is nothing that it could compute here.
    @Test func whoWorksElsewhereGetsNoLeaves() {
        var (stage, _) = CoordinatorStage.running()
        var joiner = Peer(.worker, nonce: 9)
        _ = stage.join(&joiner)
        let elsewhere = RunPlace(run: 1, generation: 0)
        let said = stage.say(
            &joiner, .working(elsewhere, WorkerProgress(step: 3, activity: .computing)))
        #expect(CoordinatorStage.leaves(said).isEmpty)
    }

    // MARK: Workers that go

    @Test func whoLeavesHandsItsLeavesOn() {
        var (stage, members) = CoordinatorStage.running()
        _ = stage.report(0)
        let told = StopReason(.terminated, "SIGTERM")
        let actions = stage.say(&members.workers[1], .leaving(told))
        #expect(CoordinatorStage.ends(actions).isEmpty)
        #expect(CoordinatorStage.farewells(actions) == [Farewell(reason: told, isHeard: true)])
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(members.workers[1].name, reason: "left: SIGTERM")
            ])
        #expect(CoordinatorStage.leaves(actions) == [20: 0..<7])
        // Its pushes count no more, once servers hear of that.
        #expect(CoordinatorStage.pushers(stage.wait(milliseconds: 500)) == [[2]])
        #expect(stage.report(1) == [.keepReport(0, 1), .recordStep(0, 1)])
    }

    @Test func theLeavesOfALostProcessGoToOthersAtOnce() {
        var (stage, members) = CoordinatorStage.running(workers: 3)
        let actions = stage.handle(
            .lost(processID: 3, host: "h3", cause: "was killed by signal 9", failure: nil))
        #expect(CoordinatorStage.leaves(actions) == [20: 0..<4, 40: 4..<7])
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(members.workers[1].name, reason: "was killed by signal 9")
            ])
    }

    @Test func theLeavesOfASilentWorkerGoToOthersAfterItsLease() {
        var (stage, members) = CoordinatorStage.running()
        let silent = members.workers.removeLast()
        var views: [(at: Int, leaves: [PeerHandle: Range<Int>])] = []
        let start = stage.now
        while stage.now.milliseconds(since: start) < 12_000 {
            let actions = members.beat(
                &stage, milliseconds: 500, servers: Members.serving(0), workers: Members.working(0))
            let leaves = CoordinatorStage.leaves(actions)
            if leaves != views.last?.leaves {
                views.append((stage.now.milliseconds(since: start), leaves))
            }
        }
        #expect(views.map(\.leaves) == [[20: 0..<4, 30: 4..<7], [20: 0..<7]])
        #expect(views.last?.at == Limits.peerLeaseMilliseconds)
        #expect(stage.machine.memberCount == 2)
        #expect(silent.incarnation == 3)
    }

    /// Servers make room for the run meanwhile: it begins without the worker.
    @Test func whoLeavesBeforeTheFirstStepIsNoMore() {
        var stage = CoordinatorStage.gathering()
        var members = stage.joinAll(workers: 2, servers: 1)
        _ = stage.say(&members.workers[1], .leaving(Fixture.lostCause))
        var begun = members.serve(0, &stage)
        begun += stage.tick(after: 20)
        #expect(CoordinatorStage.leaves(begun) == [20: 0..<7])
    }

    // MARK: Joining again

    /// The same process: it has lost the coordinator, and comes as a new member with the nonce that
    /// it had.
    @Test func whoJoinsAgainIsAnotherMember() {
        var (stage, members) = CoordinatorStage.running()
        var again = members.workers[1]
        again.incarnation = .none
        let actions = stage.join(&again)
        #expect(again.incarnation == 4)
        #expect(
            CoordinatorStage.notices(actions) == [
                .left(
                    members.workers[1].name,
                    reason: "has lost the coordinator, and joins again"),
                .joined(again.name, threads: 1),
            ])
        #expect(CoordinatorStage.leaves(actions) == [20: 0..<7, 30: 0..<0])
        #expect(CoordinatorStage.pushers(actions) == [[2, 4]])
        // What the old one has sent comes late.
        #expect(stage.say(&members.workers[1], Members.working(0)).isEmpty)
        #expect(stage.dropped == .staleStatement)
        #expect(CoordinatorStage.leaves(stage.say(&again, Members.working(0))).count == 2)
    }

    /// An assignment to what it was before reaches it late, and it takes that for the answer to its
    /// greeting: it is told, and comes to be what it is.
    @Test func aLateAssignmentKeepsNobodyFromJoiningAgain() {
        var (stage, members) = CoordinatorStage.running()
        var worker = WorkerStage.training()
        var peer = members.workers[1]
        // It greets anew, and is member 4; then it believes to be member 3 again.
        _ = worker.assign(worker.number(), .rejoin(Fixture.session))
        peer.incarnation = .none
        _ = stage.join(&peer)
        _ = worker.assign(50, .wait(Fixture.sessionInfo), incarnation: 3)
        peer.incarnation = worker.machine.link.incarnation
        #expect(peer.incarnation == 3)
        let told = CoordinatorStage.duties(
            stage.say(&peer, .joining(datasetBytes: 0), reached: 50))
        #expect(told.map(\.duty) == [.rejoin(Fixture.session)])
        _ = worker.assign(51, .rejoin(Fixture.session), incarnation: 3)
        #expect(worker.machine.link.incarnation == .none)
        stage.pass(milliseconds: Limits.unansweredIntervalMilliseconds)
        peer.incarnation = .none
        _ = stage.join(&peer)
        #expect(peer.incarnation == 4)
    }

    // MARK: Too few

    @Test func aRunWithTooFewWorkersWaitsAndThenEnds() {
        var (stage, members) = CoordinatorStage.running(minimumWorkers: 2)
        _ = stage.report(0)
        let left = stage.say(&members.workers[1], .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.notices(left).last == .tooFewWorkers(0, count: 1))
        #expect(CoordinatorStage.leaves(left) == [20: 0..<0])
        members.workers.removeLast()
        let before = members.beat(
            &stage, milliseconds: CoordinatorStage.waitTimeout - 500, servers: Members.serving(1),
            workers: Members.working(1))
        #expect(CoordinatorStage.ends(before).isEmpty)
        #expect(CoordinatorStage.notices(before).isEmpty, "it is said once")
        let ended = members.beat(
            &stage, milliseconds: 500, servers: Members.serving(1), workers: Members.working(1))
        #expect(CoordinatorStage.ends(ended) == [RunEnd(run: 0, status: .failed, step: 1)])
        let reason = CoordinatorStage.farewells(ended).first?.reason
        #expect(reason?.exitCode == .lostPeer)
        let text = reason?.text ?? ""
        for part in ["20 s at step 1", "1 of at least 2 workers", "--wait-timeout"] {
            #expect(text.contains(part), "\(text)")
        }
    }

    /// However long it has waited: that is no standstill of the run.
    @Test(arguments: [5_000, Limits.stalledRunMilliseconds + 5_000])
    func aRunWithTooFewWorkersGoesOnWhenOneComes(milliseconds: Int) {
        var (stage, members) = CoordinatorStage.running(
            workers: 1, waitTimeoutMilliseconds: 2 * Limits.stalledRunMilliseconds)
        let left = stage.say(&members.workers[0], .leaving(Fixture.lostCause))
        #expect(CoordinatorStage.notices(left).last == .tooFewWorkers(0, count: 0))
        members.workers = []
        _ = members.beat(&stage, milliseconds: milliseconds, servers: Members.serving(0))
        var joiner = Peer(.worker, nonce: 9)
        _ = stage.join(&joiner)
        let entered = stage.say(&joiner, Members.working(0))
        #expect(CoordinatorStage.leaves(entered) == [90: 0..<7])
        members.workers = [joiner]
        let later = members.beat(
            &stage, milliseconds: 2_000, servers: Members.serving(0), workers: Members.working(0))
        #expect(CoordinatorStage.ends(entered + later).isEmpty && stage.end == nil)
    }

    // MARK: Later runs

    /// A session begins with as many as were asked for; whoever is left trains the rest.
    @Test func laterRunsStartWithThoseWhoAreLeft() {
        let runs = [Fixture.configuration, Fixture.configuration]
        var (stage, members) = CoordinatorStage.running(runs)
        _ = stage.say(&members.workers[1], .leaving(Fixture.lostCause))
        members.workers.removeLast()
        _ = CoordinatorRunTests.complete(&stage)
        _ = stage.say(&members.servers[0], .ready)
        let next = stage.say(&members.workers[0], .ready)
        #expect(CoordinatorStage.pushers(next) == [[2]])
        guard case .beginRun(let start)? = members.serve(1, &stage).first else {
            Issue.record("the second run does not begin")
            return
        }
        #expect(start.run == 1 && start.workers == [members.workers[0].name])
    }

    /// One of those who are left is still busy with the run before.
    @Test func laterRunsWaitForEverybodyWhoIsThere() {
        let runs = [Fixture.configuration, Fixture.configuration]
        var (stage, members) = CoordinatorStage.running(runs, workers: 3)
        _ = stage.say(&members.workers[2], .leaving(Fixture.lostCause))
        _ = CoordinatorRunTests.complete(&stage)
        _ = stage.say(&members.servers[0], .ready)
        #expect(CoordinatorStage.pushers(stage.say(&members.workers[0], .ready)).isEmpty)
        #expect(CoordinatorStage.pushers(stage.say(&members.workers[1], .ready)) == [[2, 3]])
    }
}
