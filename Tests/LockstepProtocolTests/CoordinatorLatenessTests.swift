import LockstepProtocol
import Testing
import TrainingPlan

/// Workers whose leaves are late: these go to others, and come back after a probation.
///
/// The server is incarnation 1; worker 2 has leaves 0 to 3, worker 3 leaves 4 to 6.
@Suite struct CoordinatorLatenessTests {
    private var stage: CoordinatorStage
    private var members: Members

    init() { (stage, members) = CoordinatorStage.running() }

    private static let patience = 50

    /// A server says which leaves are late, that many milliseconds after the view has changed.
    private mutating func tellLate(
        _ leaves: Range<Int>, of step: Step = 0, after milliseconds: Int = patience
    ) -> [CoordinatorAction] {
        stage.pass(milliseconds: milliseconds)
        let lateness = Lateness(
            leaves: [LeafRange(leaves.lowerBound, leaves.count)],
            patienceMilliseconds: Self.patience)
        return stage.say(&members.servers[0], Members.serving(step, lateness: lateness))
    }

    /// When the leaves of the view change while everyone says at every heartbeat how far it is.
    private mutating func returns(
        within milliseconds: Int, workers: [MemberPhase?]
    ) -> [(at: Int, leaves: [PeerHandle: Range<Int>])] {
        var result: [(at: Int, leaves: [PeerHandle: Range<Int>])] = []
        let start = stage.now
        while stage.now.milliseconds(since: start) < milliseconds {
            var actions: [CoordinatorAction] = []
            for (index, phase) in workers.enumerated() {
                if let phase { actions += stage.say(&members.workers[index], phase) }
            }
            actions += stage.say(&members.servers[0], Members.serving(0))
            actions += stage.tick(after: 20)
            if CoordinatorStage.notices(actions).contains(where: {
                if case .entered = $0 { true } else { false }
            }) {
                result.append(
                    (stage.now.milliseconds(since: start), CoordinatorStage.leaves(actions)))
            }
        }
        return result
    }

    @Test mutating func lateLeavesGoToOthersAndComeBackAfterTheProbation() {
        let late = tellLate(4..<7)
        #expect(CoordinatorStage.notices(late) == [.late([members.workers[1].name], 0)])
        #expect(CoordinatorStage.leaves(late) == [20: 0..<7, 30: 0..<0])
        let working = Members.working(0)
        let back = returns(within: 2_000, workers: [working, working])
        #expect(back.map(\.at) == [Limits.shortestProbationMilliseconds])
        #expect(back.map(\.leaves) == [[20: 0..<4, 30: 4..<7]])
    }

    /// Each time that it is late again it waits for twice as long.
    @Test mutating func theProbationDoubles() {
        let working = Members.working(0)
        for length in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            #expect(CoordinatorStage.notices(tellLate(4..<7)).count == 1)
            #expect(
                returns(within: length + 500, workers: [working, working]).map(\.at) == [length])
        }
    }

    /// Time alone is no reason: it may be stopped.
    @Test mutating func whoIsNotHeardDoesNotComeBack() {
        _ = tellLate(4..<7)
        let working = Members.working(0)
        #expect(returns(within: 3_000, workers: [working, nil]).isEmpty)
        #expect(returns(within: 100, workers: [working, working]).count == 1)
    }

    /// Nor is a sign of life from before the step that was late.
    @Test mutating func whoHasNotCaughtUpDoesNotComeBack() {
        for step in 0..<3 { _ = stage.report(Step(step)) }
        _ = tellLate(4..<7, of: 3)
        #expect(
            returns(within: 3_000, workers: [Members.working(3), Members.working(2)]).isEmpty)
        #expect(
            returns(within: 100, workers: [Members.working(3), Members.working(3)]).count == 1)
    }

    /// In an epoch's last step a worker has other leaves.
    @Test mutating func aShortStepHasOtherOwners() {
        for step in 0..<4 { _ = stage.report(Step(step)) }
        let late = tellLate(1..<2, of: 4)
        #expect(CoordinatorStage.notices(late) == [.late([members.workers[1].name], 4)])
        #expect(CoordinatorStage.leaves(late) == [20: 0..<7, 30: 0..<0])
    }

    /// A view gets as much time as the server has given the one before, however often the server
    /// says it.
    @Test mutating func aNewViewIsGivenItsTime() {
        #expect(CoordinatorStage.notices(tellLate(0..<1, after: Self.patience - 1)).isEmpty)
        #expect(CoordinatorStage.notices(tellLate(4..<5, after: 1)).count == 1)
        // Worker 2 has all leaves now.
        #expect(CoordinatorStage.notices(tellLate(4..<5, after: Self.patience - 1)).isEmpty)
        #expect(CoordinatorStage.leaves(stage.wait(milliseconds: 500))[20] == 0..<7)
    }

    /// It waits for the other shard's weights: whoever has its leaves cannot have begun.
    @Test func aServerThatIsAheadHasNobodyLate() {
        var (stage, members) = CoordinatorStage.running(servers: 2)
        var late = Lateness(leaves: [LeafRange(4, 3)], patienceMilliseconds: Self.patience)
        _ = stage.report(0, shard: 1)
        stage.pass(milliseconds: Self.patience)
        let ahead = stage.say(&members.servers[1], Members.serving(1, lateness: late))
        #expect(CoordinatorStage.notices(ahead).isEmpty)
        let behind = stage.say(&members.servers[0], Members.serving(0, lateness: late))
        #expect(CoordinatorStage.notices(behind) == [.late([members.workers[1].name], 0)])
        // What a server says of itself counts as well as its report, which may be lost.
        stage.pass(milliseconds: Limits.shortestProbationMilliseconds)
        _ = stage.say(&members.workers[1], Members.working(1))
        _ = stage.say(&members.servers[0], Members.serving(1))
        stage.pass(milliseconds: Self.patience)
        late.leaves = [LeafRange(0, 1)]
        let both = stage.say(&members.servers[1], Members.serving(1, lateness: late))
        #expect(CoordinatorStage.notices(both) == [.late([members.workers[0].name], 1)])
    }

    @Test mutating func latenessOfAnotherRunIsNone() {
        stage.pass(milliseconds: Self.patience)
        let lateness = Lateness(leaves: [LeafRange(0, 7)], patienceMilliseconds: 1)
        let elsewhere = MemberPhase.serving(
            RunPlace(run: 1, generation: 0),
            ServerProgress(step: 0, activity: .waitingForPushes, lateness: lateness))
        #expect(stage.say(&members.servers[0], elsewhere).isEmpty)
    }

    /// So it is the step that takes long. And nobody's record is changed by that.
    @Test mutating func whereEverybodyIsLateNothingChanges() {
        let working = Members.working(0)
        _ = tellLate(4..<7)
        #expect(returns(within: 600, workers: [working, working]).count == 1)
        #expect(tellLate(0..<7).isEmpty)
        #expect(CoordinatorStage.leaves(stage.wait(milliseconds: 500)) == [20: 0..<4, 30: 4..<7])
        _ = tellLate(4..<7)
        #expect(returns(within: 1_500, workers: [working, working]).map(\.at) == [1_000])
    }

    /// Better one that was late before and has caught up than nobody, though its probation is not
    /// over.
    @Test mutating func whoHasCaughtUpHelpsOutWhereNobodyElseCan() {
        _ = tellLate(4..<7)
        // It has not been heard since: it is no help, and the one that is late keeps its leaves.
        #expect(CoordinatorStage.notices(tellLate(0..<7)).isEmpty)
        _ = stage.say(&members.workers[1], Members.working(0))
        let late = tellLate(0..<7)
        #expect(
            CoordinatorStage.notices(late) == [
                .late([members.workers[0].name], 0), .entered(members.workers[1].name, 0),
            ])
        #expect(CoordinatorStage.leaves(late) == [20: 0..<0, 30: 0..<7])
    }

    /// Leaves go to others only where so many are left.
    @Test mutating func theMinimumHoldsForLateOnesToo() {
        (stage, members) = CoordinatorStage.running(minimumWorkers: 2)
        #expect(tellLate(4..<7).isEmpty)
    }
}
