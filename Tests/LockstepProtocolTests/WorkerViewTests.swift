import LockstepProtocol
import Testing
import TrainingPlan

/// A worker that comes to a run under way, and whose leaves change while a step continues.
@Suite struct WorkerViewTests {
    /// A duty of another view.
    private static func duty(
        view: ViewNumber, _ leaves: Range<Int>, _ lastLeaves: Range<Int> = 0..<0
    ) -> WorkDuty {
        var duty = WorkerStage.duty()
        (duty.view, duty.leaves, duty.lastLeaves) = (view, leaves, lastLeaves)
        return duty
    }

    private static func place(_ view: ViewNumber) -> RunPlace {
        RunPlace(run: 0, generation: 0, view: view)
    }

    /// One that has come to a run in its third view, and waits for weights.
    private static func joining() -> (worker: WorkerStage, begun: [WorkerAction]) {
        var worker = WorkerStage.ready()
        _ = worker.assign(2, .work(Fixture.sessionInfo, duty(view: 3, 0..<0)))
        let begun = worker.handle(.runBegun(0))
        return (worker, begun)
    }

    private static func requests(_ wanted: Step) -> [WorkerAction] {
        (0..<2).map { .requestWeights(Fixture.address(0, shard: ShardIndex($0)), wanted: wanted) }
    }

    /// A new view of the run.
    private static func change(
        _ worker: inout WorkerStage, to duty: WorkDuty
    ) -> [WorkerAction] {
        worker.assign(worker.number(), .work(Fixture.sessionInfo, duty))
    }

    // MARK: Joining a run

    @Test func whoComesToARunAsksForWeightsAndWaitsForLeaves() {
        var (worker, begun) = Self.joining()
        let duty = Self.duty(view: 3, 0..<0)
        #expect(Array(begun.prefix(3)) == Self.requests(0) + [.changeView(duty)])
        // It has nothing to compute with yet, and says so.
        #expect(worker.machine.phase == .preparing(Self.place(3)))
        #expect(worker.weights(9, shard: 0).isEmpty, "the run has but five steps")
        #expect(worker.weights(3, shard: 0) == [.keepWeights(0, 3)])
        let adopted = worker.weights(3, shard: 1)
        #expect(adopted.prefix(2) == [.keepWeights(1, 3), .adopt(3)])
        #expect(WorkerStage.computed(adopted).isEmpty)
        // The coordinator learns at once that it can compute.
        #expect(
            WorkerMachine.statuses(adopted).map(\.status.phase) == [
                .working(
                    Self.place(3), WorkerProgress(step: 3, activity: .waitingForWeights))
            ])
        let share = Self.duty(view: 4, 4..<7, 1..<2)
        #expect(
            Self.change(&worker, to: share) == [.changeView(share), .compute(3, LeafRange(4, 3))])
        #expect(
            worker.handle(.nodeComputed(0, 3, LeafRange(4, 3)))
                == WorkerStage.pushes(3, LeafRange(4, 3)))
    }

    /// Leaves may come before weights: nothing is computed with the initial ones.
    @Test func nothingIsComputedWithoutWeights() {
        var (worker, _) = Self.joining()
        let share = Self.duty(view: 4, 4..<7, 1..<2)
        #expect(Self.change(&worker, to: share) == [.changeView(share)])
        #expect(worker.machine.phase == .preparing(Self.place(4)))
        _ = worker.weights(2, shard: 0)
        #expect(worker.weights(2, shard: 1).contains(.compute(2, LeafRange(4, 3))))
    }

    /// Before the first step there are no others than the initial weights.
    @Test func whoComesBeforeTheFirstStepHasItsWeights() {
        var worker = WorkerStage.ready()
        _ = worker.assign(2, .work(Fixture.sessionInfo, Self.duty(view: 0, 0..<0)))
        let begun = worker.handle(.runBegun(0))
        #expect(begun.first == .inquire(Fixture.address(0), leaves: .none))
        #expect(
            worker.machine.phase
                == .working(
                    Self.place(0), WorkerProgress(step: 0, activity: .waitingForWeights)))
        // In a later view of the same step others have them too, but it cannot know the step.
        let (_, later) = Self.joining()
        #expect(Array(later.prefix(2)) == Self.requests(0))
    }

    @Test func weightsThatAreLostAreAskedForAgain() {
        var (worker, _) = Self.joining()
        #expect(
            worker.wait(milliseconds: Limits.firstInquiryMilliseconds) == Self.requests(1))
        // Half of them come: only the others are missing.
        _ = worker.weights(2, shard: 0)
        let missing = WorkerAction.requestWeights(Fixture.address(0, shard: 1), wanted: 1)
        #expect(worker.wait(milliseconds: 400).filter { $0 == missing }.count == 1)
        #expect(worker.weights(2, shard: 1).contains(.adopt(2)))
    }

    /// One server has committed a step that the other one has not, and every worker that held the
    /// older weights is gone: the one that is ahead is asked for them.
    @Test func serversThatAreAStepApartAreAskedForTheOlderWeights() {
        var (worker, _) = Self.joining()
        #expect(worker.weights(2, shard: 0) == [.keepWeights(0, 2)])
        #expect(worker.weights(3, shard: 1) == [.keepWeights(1, 3)])
        let asked = worker.wait(milliseconds: Limits.firstInquiryMilliseconds)
        let older = WorkerAction.requestWeights(Fixture.address(0, shard: 1), wanted: 2)
        #expect(asked.contains(older))
        let adopted = worker.weights(2, shard: 1)
        #expect(adopted.prefix(2) == [.keepWeights(1, 2), .adopt(2)])
        // It computes for the server that is behind, and for that one only.
        let share = Self.duty(view: 4, 0..<7, 0..<2)
        #expect(Self.change(&worker, to: share).last == .compute(2, LeafRange(0, 7)))
        #expect(
            worker.handle(.nodeComputed(0, 2, LeafRange(0, 7))) == [
                .push(Fixture.address(2), LeafRange(0, 7))
            ])
        #expect(
            worker.weights(3, shard: 0) == [
                .keepWeights(0, 3), .adopt(3), .compute(3, LeafRange(0, 7)),
            ])
    }

    // MARK: A new view

    /// The others' leaves of the step in progress, though its own were pushed already.
    @Test func leavesOfOthersAreComputedInTheSameStep() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let all = Self.duty(view: 1, 0..<7, 0..<2)
        // The root holds what is there already: computing it whole is one node, and one push.
        #expect(Self.change(&worker, to: all) == [.changeView(all), .compute(0, LeafRange(0, 7))])
        #expect(
            worker.handle(.nodeComputed(0, 0, LeafRange(0, 7)))
                == WorkerStage.pushes(0, LeafRange(0, 7)))
        _ = worker.weights(1, shard: 0)
        #expect(worker.weights(1, shard: 1).last == .compute(1, LeafRange(0, 7)))
    }

    /// What it has computed of the new leaves already is not computed again.
    @Test func leavesThatWereComputedAreNotComputedAgain() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let fewer = Self.duty(view: 1, 4..<7, 1..<2)
        #expect(Self.change(&worker, to: fewer) == [.changeView(fewer)])
        let more = Self.duty(view: 2, 2..<7, 1..<2)
        let nodes = ReductionTree(leafCount: 7).maximalNodes(covering: 2..<7)
        #expect(nodes == [LeafRange(2, 2), LeafRange(4, 3)])
        #expect(Self.change(&worker, to: more).last == .compute(0, LeafRange(2, 2)))
        #expect(
            WorkerStage.computed(worker.handle(.nodeComputed(0, 0, LeafRange(2, 2)))).isEmpty)
    }

    /// It finishes the node that it is at: the bits are good whoever computes them.
    @Test func aNodeInWorkIsFinishedAndPushed() {
        var worker = WorkerStage.training()
        let other = Self.duty(view: 1, 0..<2, 0..<1)
        #expect(Self.change(&worker, to: other) == [.changeView(other)])
        let node = WorkerStage.nodes[0]
        #expect(
            worker.handle(.nodeComputed(0, 0, node))
                == WorkerStage.pushes(0, node) + [.compute(0, LeafRange(0, 2))])
    }

    @Test func aViewWithoutLeavesLeavesNothingToDo() {
        var worker = WorkerStage.training()
        let none = Self.duty(view: 1, 0..<0)
        _ = Self.change(&worker, to: none)
        #expect(
            worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[0]))
                == WorkerStage.pushes(0, WorkerStage.nodes[0]))
        // It follows all the same, and may be asked to compute again at any time.
        _ = worker.weights(1, shard: 0)
        #expect(worker.weights(1, shard: 1) == [.keepWeights(1, 1), .adopt(1)])
        let all = Self.duty(view: 2, 0..<7, 0..<2)
        #expect(Self.change(&worker, to: all).last == .compute(1, LeafRange(0, 7)))
    }

    @Test func anOlderViewChangesNothing() {
        var worker = WorkerStage.training()
        let newest = Self.duty(view: 5, 3..<7, 1..<2)
        _ = Self.change(&worker, to: newest)
        for view: ViewNumber in [0, 4, 5] {
            #expect(Self.change(&worker, to: Self.duty(view: view, 0..<7)).isEmpty)
        }
        guard case .working(let place, _) = worker.machine.phase else {
            Issue.record("\(worker.machine.phase)")
            return
        }
        #expect(place == Self.place(5))
    }

    /// The newest view counts by the time that there is room for the run.
    @Test func aViewThatComesWhileTheRunIsOpened() {
        var worker = WorkerStage.ready()
        _ = worker.assign(2, .work(Fixture.sessionInfo, Self.duty(view: 3, 0..<0)))
        let share = Self.duty(view: 4, 4..<7, 1..<2)
        #expect(Self.change(&worker, to: share).isEmpty)
        #expect(worker.handle(.runBegun(0)).contains(.changeView(share)))
    }

    // MARK: Inquiries

    /// The answer to an inquiry from before a new view speaks of fewer leaves than were computed
    /// since.
    @Test func aStaleAnswerSpeaksOfWhatItWasAskedFor() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let all = Self.duty(view: 1, 0..<7, 0..<2)
        _ = Self.change(&worker, to: all)
        _ = worker.handle(.nodeComputed(0, 0, LeafRange(0, 7)))
        // Leaf 3 was lost; the root was not asked for.
        #expect(
            worker.held(0, shard: 0, LeafBits(0, 1, 1, 1)) == [
                .push(Fixture.address(0), WorkerStage.nodes[0])
            ])
        // From now on it asks for all that it has computed.
        let asked = worker.inquiries(milliseconds: Limits.firstInquiryMilliseconds).map(\.action)
        #expect(asked.contains(.inquire(Fixture.address(0), leaves: LeafRange(0, 7))))
    }

    /// While another node is in work nothing is pushed again: the next inquiry asks for all of
    /// them.
    @Test func answersWaitForTheNodeInWork() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        _ = Self.change(&worker, to: Self.duty(view: 1, 0..<7, 0..<2))
        #expect(worker.held(0, shard: 0, LeafBits(0, 0, 0, 0)).isEmpty)
        #expect(worker.dropped == .upToDate)
    }

    // MARK: Joining again

    /// What was there of the run before is void, and comes anew.
    @Test func whoJoinsAgainAsksForTheWeights() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        _ = worker.assign(worker.number(), .rejoin(Fixture.session))
        _ = worker.assign(1, .wait(Fixture.sessionInfo), incarnation: 8)
        _ = worker.handle(.datasetFound)
        let duty = Self.duty(view: 2, 0..<0)
        #expect(
            worker.assign(2, .work(Fixture.sessionInfo, duty), incarnation: 8) == [
                .beginRun(duty)
            ])
        // Nodes of the run that it has let go of are no news.
        #expect(worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[0])).isEmpty)
        #expect(Array(worker.handle(.runBegun(0)).prefix(2)) == Self.requests(0))
        #expect(worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[0])).isEmpty)
    }
}
