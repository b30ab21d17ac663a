import LockstepProtocol
import Testing
import TrainingPlan

/// What a server does about workers that come, go and are late.
@Suite struct ServerLatenessTests {
    /// The coordinator says whose pushes count.
    private static func admit(
        _ workers: [Incarnation], _ server: inout ServerStage
    ) -> [ServerAction] {
        var duty = ServerStage.duty()
        duty.workers = workers
        return server.assign(server.number(), .serve(Fixture.sessionInfo, duty))
    }

    private static func late(_ progress: [ServerProgress]) -> [Lateness] {
        progress.compactMap(\.lateness)
    }

    // MARK: Late leaves

    /// The first step has not been timed: it is given a second.
    @Test func lateLeavesAreToldAtOnceAndUntilTheyCome() {
        var server = ServerStage.serving()
        _ = server.push(Fixture.address(0), LeafRange(0, 4))
        _ = server.push(Fixture.address(0), LeafRange(5, 1), from: 4, by: 40)
        let before = server.timeline(milliseconds: Limits.firstLatenessMilliseconds - 20)
        #expect(Self.late(ServerStage.progress(before.map(\.action))).isEmpty)
        let late = Lateness(
            leaves: [LeafRange(4, 1), LeafRange(6, 1)],
            patienceMilliseconds: Limits.firstLatenessMilliseconds)
        #expect(Self.late(ServerStage.progress(server.wait(milliseconds: 20))) == [late])
        // Ten times a second, though the coordinator answers: the run waits for it.
        _ = server.acknowledge(received: 0)
        #expect(
            Self.late(ServerStage.progress(server.wait(milliseconds: 500)))
                == Array(repeating: late, count: 5))
        // One of them comes: its worker is not named any more.
        _ = server.push(Fixture.address(0), LeafRange(4, 1), from: 4, by: 40)
        let rest = Self.late(ServerStage.progress(server.wait(milliseconds: 3_000)))
        #expect(rest.count > 20 && rest.allSatisfy { $0.leaves == [LeafRange(6, 1)] })
        _ = server.push(Fixture.address(0), LeafRange(6, 1), from: 4, by: 40)
        _ = server.handle(.applied(0, 0))
        #expect(
            server.machine.phase
                == .serving(
                    RunPlace(run: 0, generation: 0),
                    ServerProgress(step: 1, activity: .waitingForPushes)))
    }

    /// Patience follows from the times of the steps before, and is short where they were.
    @Test(arguments: [(1, 50), (100, 100)])
    func patienceFollowsFromTheStepsBefore(millisecondsPerStep: Int, patience: Int) {
        let configuration = Fixture.configuration(epochs: 20)
        var server = ServerStage.serving(configuration)
        for step in 0..<60 {
            server.pass(milliseconds: millisecondsPerStep)
            _ = server.commit(Step(step))
            _ = server.acknowledge(received: Step(step + 1), snapshots: Step(step + 1))
        }
        var at = 0
        while at < 1_000, Self.late(ServerStage.progress(server.tick(after: 1))).isEmpty {
            at += 1
        }
        #expect(patience - 1...patience * 6 / 5 ~= at, "\(at) ms")
    }

    /// After a step that was late the next one is given twice the time, however long that one took:
    /// it may have been spent on a worker that is gone.
    @Test func aLateStepDoublesThePatience() {
        var server = ServerStage.serving(Fixture.configuration(epochs: 20))
        for step in 0..<60 {
            server.pass(milliseconds: 1)
            _ = server.commit(Step(step))
            _ = server.acknowledge(received: Step(step + 1), snapshots: Step(step + 1))
        }
        var patience = Limits.shortestLatenessMilliseconds
        for step in 60..<63 {
            var at = 0
            while at < 1_000, Self.late(ServerStage.progress(server.tick(after: 1))).isEmpty {
                at += 1
            }
            #expect(patience - 1...patience + 1 ~= at, "\(at) ms")
            _ = server.wait(milliseconds: 2_000)
            _ = server.commit(Step(step))
            _ = server.acknowledge(received: Step(step + 1), snapshots: Step(step + 1))
            patience *= 2
        }
    }

    /// Leaves that come slowly, one after the other, are not late: the machines are slow, or the
    /// others wait for the same.
    @Test func slowProgressIsNoLateness() {
        var server = ServerStage.serving()
        _ = server.wait(milliseconds: 900)
        _ = server.push(Fixture.address(0), LeafRange(0, 4))
        // Twice the time until the newest one.
        #expect(Self.late(ServerStage.progress(server.wait(milliseconds: 880))).isEmpty)
        #expect(
            Self.late(ServerStage.progress(server.wait(milliseconds: 40))).first
                == Lateness(leaves: [LeafRange(4, 3)], patienceMilliseconds: 1_800))
    }

    /// A server that waits for the coordinator, or has halted, waits for no worker.
    @Test func nobodyIsLateForAStepThatIsComplete() {
        var server = ServerStage.serving()
        _ = server.complete(0)
        #expect(Self.late(ServerStage.progress(server.wait(milliseconds: 3_000))).isEmpty)
        _ = server.handle(.diverged(0, 0, ServerMachineTests.finding))
        #expect(Self.late(ServerStage.progress(server.wait(milliseconds: 3_000))).isEmpty)
    }

    @Test func noMoreRangesAreNamedThanFit() {
        var configuration = Fixture.configuration
        configuration.microBatch = 1
        var server = ServerStage.serving(configuration)
        for leaf in stride(from: 0, to: 240, by: 2) {
            _ = server.push(Fixture.address(0), LeafRange(leaf, 1))
        }
        let late = Self.late(ServerStage.progress(server.wait(milliseconds: 1_000))).first
        #expect(
            late?.leaves == (0..<Limits.maximumLateRanges).map { LeafRange(2 * $0 + 1, 1) })
    }

    // MARK: Workers that come and go

    /// Whoever was expelled is heard no more, though its nodes stay: they have the bits that
    /// anyone's would have.
    @Test func pushesOfAnExpelledIncarnationAreDropped() {
        var server = ServerStage.serving()
        _ = server.push(Fixture.address(0), LeafRange(4, 1), from: 4, by: 40)
        #expect(Self.admit([3, 6], &server).isEmpty)
        #expect(server.push(Fixture.address(0), LeafRange(5, 1), from: 4, by: 40).isEmpty)
        #expect(server.dropped == .staleIncarnation)
        #expect(server.inquire(Fixture.address(0), LeafRange(4, 1), from: 4, by: 40).isEmpty)
        #expect(server.dropped == .staleIncarnation)
        // The same process by the same connection, as another one.
        #expect(
            server.inquire(Fixture.address(0), LeafRange(4, 2), from: 6, by: 40) == [
                .sendHeld(to: 40, Fixture.address(0), LeafRange(4, 2), LeafBits(1, 0))
            ])
        #expect(
            server.push(Fixture.address(0), LeafRange(5, 1), from: 6, by: 40) == [.keep(slot: 1)])
    }

    /// Those who stay are reached where they were; who has come, where it was heard first.
    @Test func weightsGoToThoseWhoAreThere() {
        var server = ServerStage.serving()
        _ = server.inquire(Fixture.address(0), .none)
        _ = server.inquire(Fixture.address(0), .none, from: 4, by: 40)
        _ = Self.admit([2, 3, 6], &server)
        _ = server.inquire(Fixture.address(0), .none, from: 6, by: 60)
        server.passReportDelay()
        #expect(
            server.commit(0) == [
                .keep(slot: 0), .apply(0), .sendWeights(to: 30, Fixture.address(1)),
                .sendWeights(to: 60, Fixture.address(1)), .sendReport(Fixture.address(0)),
            ])
    }

    // MARK: Weights on request

    private static func request(
        _ wanted: Step, at step: Step = 0, from worker: Incarnation = 3, by peer: PeerHandle = 30,
        _ server: inout ServerStage
    ) -> [ServerAction] {
        server.receive(
            .weightsRequest(Fixture.address(step), wanted: wanted), from: peer,
            incarnation: worker)
    }

    @Test func theOlderWeightsAreSentOnRequest() {
        var server = ServerStage.serving()
        for step in 0..<3 { _ = server.commit(Step(step)) }
        for (wanted, sent): (Step, Step) in [(2, 2), (3, 3)] {
            #expect(
                Self.request(wanted, from: 4, by: PeerHandle(40 + wanted.index), &server) == [
                    .sendWeights(to: PeerHandle(40 + wanted.index), Fixture.address(sent))
                ])
        }
        // What is not kept any more, or not yet: the newest.
        for (number, wanted) in [Step(0), 1, 4, 99].enumerated() {
            let peer = PeerHandle(50 + number)
            #expect(
                Self.request(wanted, from: 4, by: peer, &server) == [
                    .sendWeights(to: peer, Fixture.address(3))
                ])
        }
    }

    @Test func weightsAreSentToMembersOnly() {
        var server = ServerStage.serving()
        #expect(Self.request(0, from: 9, &server).isEmpty)
        #expect(server.dropped == .staleIncarnation)
        #expect(Self.request(0, at: 1, &server).isEmpty)
        #expect(server.dropped == .futureStep)
        let elsewhere = ServerInbound.weightsRequest(Fixture.address(0, run: 1), wanted: 0)
        #expect(server.receive(elsewhere, from: 30, incarnation: 3).isEmpty)
        #expect(server.dropped == .staleRun)
    }

    /// A fresh worker and two servers one step apart: what it asks for, they have.
    @Test func aFreshWorkerBringsTwoServersTogether() {
        var worker = WorkerStage.ready()
        var duty = WorkerStage.duty()
        (duty.view, duty.leaves, duty.lastLeaves) = (2, 0..<7, 0..<2)
        var servers = (0..<2).map { shard in
            var server = ServerStage.serving(shard: ShardIndex(shard), shardCount: 2)
            var orders = ServerStage.duty(shard: ShardIndex(shard), shardCount: 2)
            orders.workers = [3, MemberLinkTests.incarnation]
            _ = server.assign(server.number(), .serve(Fixture.sessionInfo, orders))
            return server
        }
        // Shard 1 has committed a step more than shard 0, and whoever has pushed is gone.
        for (shard, steps) in [2, 3].enumerated() {
            for step in (0..<steps).map({ Step($0) }) {
                _ = servers[shard].push(
                    Fixture.address(step, shard: ShardIndex(shard)), LeafRange(0, 7))
                _ = servers[shard].handle(.applied(0, step))
            }
        }
        var adopted: [Step] = []
        var actions = worker.assign(2, .work(Fixture.sessionInfo, duty))
        actions += worker.handle(.runBegun(0))
        for _ in 0..<200 where adopted.last != 5 {
            _ = worker.assign(worker.number(), .work(Fixture.sessionInfo, duty))
            Self.exchange(actions, &worker, &servers, &adopted)
            actions = worker.wait(milliseconds: 20)
        }
        #expect(adopted == [2, 3, 4, 5])
    }

    /// Does what a worker wants done, and what follows from that, by a network that loses nothing.
    private static func exchange(
        _ actions: [WorkerAction], _ worker: inout WorkerStage, _ servers: inout [ServerStage],
        _ adopted: inout [Step]
    ) {
        var waiting = actions
        while !waiting.isEmpty {
            let action = waiting.removeFirst()
            var answers: [ServerAction] = []
            func ask(_ shard: ShardIndex, _ message: ServerInbound) {
                answers = servers[shard.index].receive(
                    message, from: 70, incarnation: MemberLinkTests.incarnation)
            }
            switch action {
            case .requestWeights(let address, let wanted):
                ask(address.shard, .weightsRequest(address, wanted: wanted))
            case .inquire(let address, let leaves):
                ask(address.shard, .inquiry(address, leaves: leaves))
            case .push(let address, let node):
                ask(address.shard, .push(address, node, checksum: 1))
                if answers.last == .apply(address.step) {
                    answers += servers[address.shard.index].handle(.applied(0, address.step))
                }
            case .compute(let step, let node):
                waiting += worker.handle(.nodeComputed(0, step, node))
            case .adopt(let step): adopted.append(step)
            default: break
            }
            for case .sendWeights(to: 70, let address) in answers {
                waiting += worker.weights(address.step, shard: address.shard.index)
            }
        }
    }
}
