import LockstepProtocol
import Testing
import TrainingPlan

/// A worker's runs and steps.
@Suite struct WorkerMachineTests {
    static let place = RunPlace(run: 0, generation: 0)

    // MARK: Runs

    @Test func opensRunAfterRun() {
        var worker = WorkerStage.ready()
        let (first, second) = (WorkerStage.duty(), WorkerStage.duty(run: 1))
        #expect(
            worker.assign(2, .work(Fixture.sessionInfo, first)) == [.beginRun(first)])
        #expect(worker.machine.phase == .preparing(Self.place))
        #expect(worker.assign(3, .work(Fixture.sessionInfo, first)).isEmpty)
        #expect(worker.handle(.runBegun(1)).isEmpty)
        let begun = worker.handle(.runBegun(0))
        // Servers learn where the worker is; then the first step begins.
        #expect(
            Array(begun.prefix(3)) == [
                .inquire(Fixture.address(0), leaves: .none),
                .inquire(Fixture.address(0, shard: 1), leaves: .none), WorkerStage.begins(0),
            ])
        #expect(
            WorkerMachine.statuses(begun).map(\.status.phase)
                == [.working(Self.place, WorkerProgress(step: 0, activity: .computing))])
        #expect(
            worker.assign(4, .work(Fixture.sessionInfo, second)) == [
                .endRun(0), .beginRun(second),
            ])
        // The first run is over: neither its assignment nor its engine brings it back.
        #expect(worker.assign(5, .work(Fixture.sessionInfo, first)).isEmpty)
        #expect(worker.handle(.runBegun(0)).isEmpty)
        _ = worker.handle(.runBegun(1))
        let waits = worker.assign(6, .wait(Fixture.sessionInfo))
        #expect(waits.first == .endRun(1))
        #expect(WorkerMachine.statuses(waits).map(\.status.phase) == [.ready])
        #expect(worker.assign(7, .work(Fixture.sessionInfo, second)).isEmpty)
        #expect(worker.machine.schedule == nil)
    }

    @Test func aRunThatCannotBeIsAFailure() {
        var worker = WorkerStage.ready()
        let duty = WorkerStage.duty(Fixture.impossible)
        let phases = WorkerMachine.statuses(worker.assign(2, .work(Fixture.sessionInfo, duty)))
            .map(\.status.phase)
        guard case .failed(let reason)? = phases.first else {
            Issue.record("\(phases)")
            return
        }
        #expect(reason.exitCode == .mismatch && reason.text.contains("--batch-size 1001"))
    }

    @Test func aRunEndsWithTheWorker() {
        var training = WorkerStage.training()
        #expect(training.interrupt().first == .endRun(0))
        #expect(training.handle(.nodeComputed(0, 0, WorkerStage.nodes[0])).isEmpty)
        #expect(training.weights(1, shard: 0).isEmpty)
        #expect(training.dropped == .noRun)
    }

    // MARK: The step

    @Test func aSteadyStep() {
        var worker = WorkerStage.training()
        // A node leaves for every server as soon as it is ready, and the next one is computed.
        let nodes = WorkerStage.nodes
        #expect(
            worker.handle(.nodeComputed(0, 0, nodes[0]))
                == WorkerStage.pushes(0, nodes[0]) + [.compute(0, nodes[1])])
        #expect(
            worker.handle(.nodeComputed(0, 0, nodes[1])) == WorkerStage.pushes(0, nodes[1]))
        #expect(worker.weights(1, shard: 1) == [.keepWeights(1, 1)])
        #expect(
            worker.weights(1, shard: 0) == [.keepWeights(0, 1), .adopt(1), WorkerStage.begins(1)])
        #expect(
            worker.machine.phase
                == .working(Self.place, WorkerProgress(step: 1, activity: .computing)))
        for step in (1...3).map({ Step($0) }) {
            _ = worker.compute(step)
            _ = worker.weights(step.next, shard: 0)
            #expect(worker.weights(step.next, shard: 1).last == WorkerStage.begins(step.next))
        }
        // The epoch's last step is a short one; with its weights the run is over.
        #expect(worker.handle(.nodeComputed(0, 4, LeafRange(1, 1))).count == 2)
        _ = worker.weights(5, shard: 0)
        #expect(worker.weights(5, shard: 1) == [.keepWeights(1, 5), .adopt(5)])
        #expect(
            worker.machine.phase
                == .working(Self.place, WorkerProgress(step: 5, activity: .finished)))
        #expect(
            worker.inquiries(milliseconds: 5_000).isEmpty, "there is nothing to wait for any more")
    }

    @Test func nodesOfAnotherTimeAreNotPushed() {
        var worker = WorkerStage.training()
        #expect(worker.handle(.nodeComputed(1, 0, WorkerStage.nodes[0])).isEmpty)
        #expect(worker.handle(.nodeComputed(0, 1, WorkerStage.nodes[0])).isEmpty)
        #expect(worker.handle(.nodeComputed(0, 0, LeafRange(0, 4))).isEmpty)
        // Not before its turn.
        #expect(worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[1])).isEmpty)
        #expect(worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[0])).count == 3)
        #expect(worker.handle(.nodeComputed(0, 0, WorkerStage.nodes[0])).isEmpty)
    }

    /// Others have pushed these leaves too: one server has committed before this worker is done.
    @Test func nodesGoOnlyToServersThatStillWaitForThem() {
        var worker = WorkerStage.training()
        #expect(worker.weights(1, shard: 0) == [.keepWeights(0, 1)])
        #expect(
            worker.compute(0) == [
                .push(Fixture.address(0, shard: 1), WorkerStage.nodes[0]),
                .compute(0, WorkerStage.nodes[1]),
                .push(Fixture.address(0, shard: 1), WorkerStage.nodes[1]),
            ])
        #expect(
            worker.weights(1, shard: 1) == [
                .keepWeights(1, 1), .adopt(1), WorkerStage.begins(1),
            ])
    }

    @Test func theNewestWholeStepIsAdopted() {
        var worker = WorkerStage.training()
        // Others compute these leaves too: both servers are two steps ahead by the time that the
        // first node is ready, and nobody needs the second one.
        #expect(worker.weights(1, shard: 0) == [.keepWeights(0, 1)])
        #expect(worker.weights(1, shard: 1) == [.keepWeights(1, 1)])
        #expect(worker.weights(2, shard: 1) == [.keepWeights(1, 2)])
        #expect(worker.weights(2, shard: 0) == [.keepWeights(0, 2)])
        #expect(worker.compute(0) == [.adopt(2), WorkerStage.begins(2)])
    }

    /// A worker whose leaves all belong to others still follows the steps.
    @Test func aWorkerWithoutLeavesFollows() {
        var worker = WorkerStage.ready()
        var duty = WorkerStage.duty(servers: 1)
        (duty.leaves, duty.lastLeaves) = (7..<7, 2..<2)
        _ = worker.assign(2, .work(Fixture.sessionInfo, duty))
        let begun = worker.handle(.runBegun(0))
        #expect(begun.first == .inquire(Fixture.address(0), leaves: .none))
        #expect(WorkerStage.computed(begun).isEmpty)
        #expect(worker.weights(1, shard: 0) == [.keepWeights(0, 1), .adopt(1)])
        #expect(worker.weights(2, shard: 0) == [.keepWeights(0, 2), .adopt(2)])
    }

    @Test func weightsOfAnotherTimeOrPlaceAreFencedAndCounted() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        func check(_ reason: DropReason, _ actions: [WorkerAction]) {
            #expect(actions.isEmpty, "\(reason)")
            #expect(worker.dropped == reason)
        }
        func weights(_ address: StepAddress, from server: Incarnation = 1) -> [WorkerAction] {
            worker.receive(.weights(address), incarnation: server)
        }
        check(.staleSession, worker.weights(1, shard: 0, session: 8))
        check(.staleRun, weights(Fixture.address(1, run: 1)))
        check(.staleGeneration, weights(Fixture.address(1, generation: 1)))
        check(.wrongShard, weights(Fixture.address(1, shard: 2)))
        check(.staleIncarnation, weights(Fixture.address(1), from: 2))
        check(.olderStep, weights(Fixture.address(0)))
        check(.futureStep, weights(Fixture.address(6)))
        #expect(weights(Fixture.address(1)) == [.keepWeights(0, 1)])
        check(.upToDate, weights(Fixture.address(1)))
        var ready = WorkerStage.ready()
        #expect(ready.weights(1, shard: 0).isEmpty)
        #expect(ready.dropped == .noRun)
    }

    // MARK: What is lost on the way

    /// When an inquiry is due, and what follows from its answer.
    @Test func onlyWhatIsNotHeldIsPushedAgain() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let (first, second) = (Fixture.address(0), Fixture.address(0, shard: 1))
        #expect(worker.wait(milliseconds: Limits.firstInquiryMilliseconds - 20).isEmpty)
        #expect(
            worker.wait(milliseconds: 20) == [
                .inquire(first, leaves: WorkerStage.leaves),
                .inquire(second, leaves: WorkerStage.leaves),
            ])
        #expect(worker.held(0, shard: 0, LeafBits(1, 1, 1, 1)).isEmpty)
        #expect(
            worker.held(0, shard: 1, LeafBits(1, 1, 1, 0)) == [.push(second, WorkerStage.nodes[1])])
        #expect(
            worker.held(0, shard: 1, LeafBits(0, 1, 1, 1)) == [.push(second, WorkerStage.nodes[0])])
        #expect(worker.held(0, shard: 1, LeafBits(0, 0, 0, 0)).count == 2)
        // Of a shard that has committed, and of another step.
        _ = worker.weights(1, shard: 1)
        #expect(worker.held(0, shard: 1, LeafBits(0, 0, 0, 0)).isEmpty)
        #expect(worker.dropped == .upToDate)
        #expect(worker.held(1, shard: 0, LeafBits(0, 0, 0, 0)).isEmpty)
        _ = worker.weights(1, shard: 0)
        // The next step is being computed: there is nothing to push again.
        #expect(worker.held(1, shard: 0, LeafBits(0, 0, 0, 0)).isEmpty)
    }

    /// Only the shards that are behind are asked, also those of a step that came in part.
    @Test func onlyWhoIsBehindIsAsked() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        _ = worker.weights(1, shard: 0)
        #expect(
            worker.wait(milliseconds: 200) == [
                .inquire(Fixture.address(0, shard: 1), leaves: WorkerStage.leaves)
            ])
        // Shard 1 is two steps on: of shard 0 the last weights were lost.
        _ = worker.weights(2, shard: 1)
        #expect(
            worker.inquiries(milliseconds: 400).map(\.action) == [
                .inquire(Fixture.address(0), leaves: WorkerStage.leaves)
            ])
        #expect(worker.weights(2, shard: 0).contains(.adopt(2)))
    }

    /// Times follow from the steps that were seen.
    @Test func inquiriesComeSoonWhereStepsAreFast() {
        var worker = WorkerStage.training(Fixture.configuration(epochs: 10))
        for step in 0..<4 {
            _ = worker.compute(Step(step))
            worker.pass(milliseconds: 3)
            _ = worker.weights(Step(step + 1), shard: 0)
            _ = worker.weights(Step(step + 1), shard: 1)
        }
        _ = worker.handle(.nodeComputed(0, 4, LeafRange(1, 1)))
        let times = worker.inquiries(milliseconds: 2_000).compactMap { at, action in
            if case .inquire(let address, _) = action, address.shard == 0 { at } else { nil }
        }
        // Then twice as long each time, up to half a second.
        #expect(times == [20, 60, 140, 300, 620, 1_120, 1_620])
    }

    /// However long a straggler takes, a server that answers is not behind a dead connection.
    /// A server that the coordinator hears and this worker does not is named, and not waited for
    /// without end.
    @Test func aServerThatNeverAnswersIsNamedAndGivenUp() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        var notices: [(at: Int, text: String)] = []
        var failure: (at: Int, reason: StopReason)?
        let start = worker.now
        while failure == nil, worker.now.milliseconds(since: start) < 60_000 {
            _ = worker.heartbeat()
            // The second server answers.
            _ = worker.held(0, shard: 1, LeafBits(count: 4) { _ in true })
            for (_, action) in worker.timeline(milliseconds: 20) {
                let now = worker.now.milliseconds(since: start)
                if case .notice(let text) = action { notices.append((now, text)) }
                if case .send(_, let status) = action, case .failed(let reason) = status.phase {
                    failure = (now, reason)
                }
            }
        }
        #expect(notices.count == 1 && notices.first?.text.contains("h1:29501") == true)
        #expect((10_000..<11_500).contains(notices.first?.at ?? 0), "\(notices)")
        #expect(failure?.reason.exitCode == .unavailable)
        #expect(failure?.reason.text.contains("shard 0 at tcp://h1:29501") == true)
        // As long as --wait-timeout says.
        #expect((20_000..<21_500).contains(failure?.at ?? 0), "\(failure?.at ?? 0)")
    }

    @Test func inquiriesThatAreAnsweredKeepAWorkerFromReconnecting() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        let actions = worker.inquiries(milliseconds: 120_000) { worker, address in
            worker.held(address.step, shard: address.shard.index, LeafBits(1, 1, 1, 1))
        }
        #expect(actions.count > 2 * 200)
        #expect(
            actions.allSatisfy { if case .inquire = $0.action { true } else { false } },
            "it has pushed again or reconnected")
    }

    /// A new connection after the patience, then after twice as long.
    @Test func aSilentServerLeadsToANewConnection() {
        var worker = WorkerStage.training()
        _ = worker.compute(0)
        // Server 1 answers all the time, server 2 not at all.
        // Until shortly before it is given up.
        let actions = worker.inquiries(milliseconds: 19_000) { worker, address in
            address.shard == 0 ? worker.held(0, shard: 0, LeafBits(1, 1, 1, 1)) : []
        }
        let reconnects = actions.filter { $0.action == .reconnect(1) }.map(\.at)
        #expect(!actions.contains { $0.action == .reconnect(0) })
        // 3 s and what six times 407,080 bytes take at 10 MB/s; found at the next inquiry.
        let patience = 3_244
        var (from, wait) = (0, patience)
        #expect(reconnects.count == 2)
        for at in reconnects {
            #expect(from + wait..<from + wait + 520 ~= at)
            (from, wait) = (at, 2 * wait)
        }
        // Once it is heard, the patience is the first again.
        _ = worker.held(0, shard: 1, LeafBits(1, 1, 1, 1))
        let after = worker.inquiries(milliseconds: 4_000).filter { $0.action == .reconnect(1) }
        #expect(after.count == 1)
    }

    /// A long computation is no silence of the servers.
    @Test func theServersSilenceCountsFromThePush() {
        var worker = WorkerStage.training()
        #expect(worker.inquiries(milliseconds: 60_000).isEmpty)
        _ = worker.compute(0)
        let actions = worker.inquiries(milliseconds: 3_200)
        #expect(!actions.isEmpty)
        #expect(!actions.contains { $0.action == .reconnect(0) })
    }
}
