import LockstepProtocol
import Testing
import TrainingPlan

/// One worker, incarnation 3, the second of three; servers are the incarnations 10, 11, …
///
/// A step has eight leaves: 3–5 are its own, which are two nodes. The last step has two leaves.
private struct WorkerScenario {
    var machine = WorkerMachine(link: Fixture.link(.worker, nonce: 1))
    var now: Instant = 1_000

    mutating func act(
        _ event: (inout WorkerMachine, Instant, inout [WorkerAction]) -> Void
    ) -> [WorkerAction] {
        var actions: [WorkerAction] = []
        event(&machine, now, &actions)
        return actions
    }

    mutating func tick(at time: Instant) -> [WorkerAction] {
        now = time
        _ = receive(.heartbeat(Heartbeat(.running)))
        return act { $0.tick(now: $1, into: &$2) }.filter {
            if case .send(.heartbeat) = $0 { false } else { true }
        }
    }

    mutating func receive(_ message: ControlMessage) -> [WorkerAction] {
        act { $0.receive(message, session: Fixture.session, now: $1, into: &$2) }
    }

    mutating func weights(
        _ shard: ShardIndex, _ step: Step, run: RunIndex = 0, from server: Incarnation? = nil
    ) -> [WorkerAction] {
        let header = FrameHeader(
            type: .weights, session: Fixture.session, run: run,
            incarnation: server ?? Incarnation(rawValue: 10 + shard.rawValue), step: step,
            shard: shard)
        return act { $0.receive(header, now: $1, into: &$2) }
    }

    mutating func computed(_ first: Int, _ count: Int, _ step: Step) -> [WorkerAction] {
        let node = LeafRange(firstLeaf: first, leafCount: count)
        return act { $0.nodeComputed(0, step, node, now: $1, into: &$2) }
    }

    static func order(
        run: RunIndex = 0, shards: Int, workers: [Incarnation] = [2, 3, 4]
    ) -> StartRun {
        var configuration = Fixture.configuration
        configuration.microBatch = 30
        return StartRun(
            run: run, configuration: configuration,
            view: View(number: 0, workers: workers),
            servers: (0..<shards).map {
                ServerAddress(incarnation: Incarnation(10 + $0), endpoint: "tcp://s\($0):1")
            })
    }

    mutating func join() {
        _ = act { $0.start(now: $1, into: &$2) }
        _ = receive(Fixture.welcome(3))
        _ = act { $0.datasetFound(into: &$2) }
    }

    static func running(shards: Int, workers: [Incarnation] = [2, 3, 4]) -> WorkerScenario {
        var scenario = WorkerScenario()
        scenario.join()
        _ = scenario.receive(.startRun(order(shards: shards, workers: workers)))
        _ = scenario.act { $0.runBegun(0, now: $1, into: &$2) }
        return scenario
    }
}

@Suite struct WorkerMachineTests {
    @Test func joinsFetchesNothingAndBegins() {
        var worker = WorkerScenario()
        #expect(
            worker.act { $0.start(now: $1, into: &$2) }
                == [.send(.hello(Fixture.hello(.worker, nonce: 1)))])
        #expect(worker.receive(Fixture.welcome(3)) == [.findDataset(Fixture.dataset)])
        #expect(worker.receive(Fixture.welcome(3)) == [])
        #expect(worker.act { $0.datasetFound(into: &$2) } == [.send(.workerReady)])
        let order = WorkerScenario.order(shards: 2)
        #expect(
            worker.receive(.startRun(order)) == [
                .send(.viewAcknowledged(0, 0)), .beginRun(order),
            ])
        #expect(worker.receive(.startRun(order)) == [.send(.viewAcknowledged(0, 0))])
        #expect(
            worker.act { $0.runBegun(0, now: $1, into: &$2) } == [
                .attach(0, 0), .attach(1, 0), .compute(0),
            ])
        #expect(worker.machine.nodes(of: 0).map(\.description) == ["leaf 3", "leaves 4–5"])
    }

    @Test func fetchesTheDataSetInParts() {
        // 2,500,000 bytes: two parts of 1 MiB and a rest.
        let parts = [
            DatasetChunk(offset: 0, byteCount: 1 << 20),
            DatasetChunk(offset: 1 << 20, byteCount: 1 << 20),
            DatasetChunk(offset: 2 << 20, byteCount: 402_848),
        ]
        var worker = WorkerScenario()
        _ = worker.act { $0.start(now: $1, into: &$2) }
        _ = worker.receive(Fixture.welcome(3))
        #expect(
            worker.act { $0.datasetMissing(now: $1, into: &$2) }
                == parts.map { .requestChunk($0) })
        func chunk(_ part: DatasetChunk) -> [WorkerAction] {
            let header = FrameHeader(
                type: .datasetChunk, session: Fixture.session, step: Step(rawValue: part.offset),
                leafCount: part.byteCount, payloadByteCount: UInt64(part.byteCount))
            return worker.act { $0.receive(header, now: $1, into: &$2) }
        }
        #expect(chunk(parts[2]) == [.storeChunk(parts[2])])
        #expect(chunk(parts[2]) == [.drop(.upToDate)])
        #expect(chunk(parts[0]) == [.storeChunk(parts[0])])
        // The one in the middle was lost.
        #expect(worker.tick(at: 2_999) == [])
        #expect(worker.tick(at: 3_000) == [.requestChunk(parts[1])])
        #expect(chunk(parts[1]) == [.storeChunk(parts[1]), .verifyDataset])
        var spoilt = worker
        #expect(
            worker.act { $0.datasetVerified(matches: true, into: &$2) } == [.send(.workerReady)])
        let actions = spoilt.act { $0.datasetVerified(matches: false, into: &$2) }
        guard case .exit(let reason) = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(reason.exitCode == .mismatch && reason.text.contains("synthetic-digits"))
    }

    @Test func aTransferThatStallsEnds() {
        var worker = WorkerScenario()
        _ = worker.act { $0.start(now: $1, into: &$2) }
        _ = worker.receive(Fixture.welcome(3))
        _ = worker.act { $0.datasetMissing(now: $1, into: &$2) }
        #expect(worker.tick(at: 30_999).count == 3)
        guard case .exit(let reason) = worker.tick(at: 31_000).last else {
            Issue.record("still waiting")
            return
        }
        #expect(reason.exitCode == .lostPeer)
    }

    @Test func aSteadyStepOverTwoShards() {
        var worker = WorkerScenario.running(shards: 2)
        let third = LeafRange(firstLeaf: 3, leafCount: 1)
        let fourth = LeafRange(firstLeaf: 4, leafCount: 2)
        #expect(
            worker.computed(3, 1, 0) == [.push(third, 0, to: 0), .push(third, 0, to: 1)])
        #expect(worker.computed(3, 1, 0) == [])
        #expect(
            worker.computed(4, 2, 0) == [.push(fourth, 0, to: 0), .push(fourth, 0, to: 1)])
        #expect(worker.weights(1, 1) == [.keepWeights(1, 1)])
        #expect(worker.weights(1, 1) == [.drop(.covered)])
        #expect(worker.weights(0, 1) == [.keepWeights(0, 1), .adopt(1), .compute(1)])
        #expect(worker.weights(0, 1) == [.drop(.olderStep)])
    }

    @Test func silenceIsAnsweredByPushingAgainThenOverNewConnections() {
        var worker = WorkerScenario.running(shards: 2)
        let nodes = [LeafRange(firstLeaf: 3, leafCount: 1), LeafRange(firstLeaf: 4, leafCount: 2)]
        // Computing may take as long as it does.
        #expect(worker.tick(at: 5_000) == [])
        _ = worker.computed(3, 1, 0)
        _ = worker.computed(4, 2, 0)
        _ = worker.weights(0, 1)
        #expect(worker.tick(at: 5_999) == [])
        let again: [WorkerAction] = nodes.map { .push($0, 0, to: 1) }
        #expect(worker.tick(at: 6_000) == again)
        #expect(worker.tick(at: 7_999) == [])
        #expect(worker.tick(at: 8_000) == [.reconnect(1), .attach(1, 0)] + again)
        #expect(worker.tick(at: 11_999) == [])
        #expect(worker.tick(at: 12_000) == [.reconnect(1), .attach(1, 0)] + again)
        #expect(worker.tick(at: 20_000).count == 4)
        // The back-off stays at eight seconds.
        #expect(worker.tick(at: 27_999) == [])
        #expect(worker.tick(at: 28_000).count == 4)
        #expect(worker.weights(1, 1) == [.keepWeights(1, 1), .adopt(1), .compute(1)])
        _ = worker.computed(3, 1, 1)
        _ = worker.computed(4, 2, 1)
        #expect(worker.tick(at: 28_999) == [])
        #expect(worker.tick(at: 29_000).count == 4)
    }

    @Test func newerWeightsAreAdoptedOnlyWhenWhole() {
        var worker = WorkerScenario.running(shards: 2)
        // Others have computed its leaves; it is still at the first node of step 0.
        #expect(worker.weights(0, 1) == [.keepWeights(0, 1)])
        #expect(worker.weights(0, 2) == [.keepWeights(0, 2)])
        #expect(worker.weights(1, 1) == [.keepWeights(1, 1)])
        #expect(worker.weights(0, 3) == [.keepWeights(0, 3)])
        #expect(worker.weights(1, 2) == [.keepWeights(1, 2)])
        // The servers have gone on: nothing is pushed, and what is whole is adopted at the end.
        #expect(worker.computed(3, 1, 0) == [])
        #expect(worker.computed(4, 2, 0) == [.adopt(2), .compute(2)])
        #expect(worker.weights(1, 3) == [.keepWeights(1, 3)])
        #expect(worker.computed(3, 1, 0) == [])
    }

    @Test func weightsLostOnTheWayAreAskedForThoughNewerThanItsOwn() {
        // Idle in step 4, so the servers go on without it; it lost step 4 of shard 0 and step 5 of
        // shard 1, and holds nothing whole.
        var worker = WorkerScenario.running(shards: 2, workers: [7, 8, 3])
        for step in (0..<3).map({ Step($0) }) {
            for node in worker.machine.nodes(of: step) {
                _ = worker.computed(node.firstLeaf, node.leafCount, step)
            }
            _ = worker.weights(0, step.next)
            _ = worker.weights(1, step.next)
        }
        let nodes = worker.machine.nodes(of: 3)
        for node in nodes { _ = worker.computed(node.firstLeaf, node.leafCount, 3) }
        #expect(worker.weights(1, 4) == [.keepWeights(1, 4)])
        #expect(worker.weights(0, 5) == [.keepWeights(0, 5)])
        #expect(worker.tick(at: 2_000) == nodes.map { .push($0, 3, to: 1) })
        #expect(worker.weights(1, 5) == [.keepWeights(1, 5), .adopt(5)])
    }

    @Test func aWorkerWithoutLeavesFollowsAndAsks() {
        // Of two leaves in the last step none is the third worker's.
        var worker = WorkerScenario.running(shards: 1, workers: [7, 8, 3])
        for step in 0..<4 {
            for node in worker.machine.nodes(of: Step(step)) {
                _ = worker.computed(node.firstLeaf, node.leafCount, Step(step))
            }
            let following: [WorkerAction] = step < 3 ? [.compute(Step(step + 1))] : []
            #expect(
                worker.weights(0, Step(step + 1)) == [
                    .keepWeights(0, Step(step + 1)), .adopt(Step(step + 1)),
                ] + following)
        }
        #expect(worker.machine.nodes(of: 4) == [])
        #expect(worker.tick(at: 2_000) == [.requestWeights(0, 4)])
        #expect(
            worker.tick(at: 4_000) == [.reconnect(0), .attach(0, 4), .requestWeights(0, 4)])
        // The end: nothing to compute, nothing to ask for.
        #expect(worker.weights(0, 5) == [.keepWeights(0, 5), .adopt(5)])
        #expect(worker.tick(at: 60_000) == [])
        #expect(worker.weights(0, 6) == [.drop(.futureStep)])
    }

    @Test func staleWeightsAreVoid() {
        var worker = WorkerScenario.running(shards: 1)
        #expect(worker.weights(0, 1, from: 9) == [.drop(.staleIncarnation)])
        #expect(worker.weights(0, 1, run: 1) == [.drop(.staleRun)])
        #expect(worker.weights(1, 1) == [.drop(.wrongShard)])
        #expect(worker.weights(0, 0) == [.drop(.olderStep)])
        #expect(worker.machine.drops[.staleIncarnation] == 1)
    }

    @Test func theNextRunNeedsNoRestart() {
        var worker = WorkerScenario.running(shards: 1)
        #expect(worker.receive(.endRun(0)) == [.endRun(0)])
        #expect(worker.weights(0, 1) == [.drop(.noRun)])
        #expect(worker.computed(3, 1, 0) == [])
        // A repeated order of the run that is over.
        #expect(worker.receive(.startRun(WorkerScenario.order(shards: 1))) == [])
        let order = WorkerScenario.order(run: 1, shards: 1)
        #expect(
            worker.receive(.startRun(order)) == [
                .send(.viewAcknowledged(1, 0)), .beginRun(order),
            ])
        #expect(worker.weights(0, 1, run: 1) == [.drop(.noRun)])
        #expect(
            worker.act { $0.runBegun(1, now: $1, into: &$2) } == [.attach(0, 0), .compute(0)])
        #expect(worker.computed(3, 1, 0) == [])
    }

    @Test func noCoordinatorInTimeEndsNamingAddressAndSeconds() {
        var worker = WorkerScenario()
        _ = worker.act { $0.start(now: $1, into: &$2) }
        worker.now = 20_999
        #expect(
            worker.act { $0.tick(now: $1, into: &$2) }
                == [.send(.hello(Fixture.hello(.worker, nonce: 1)))])
        worker.now = 21_000
        guard case .exit(let reason) = worker.act({ $0.tick(now: $1, into: &$2) }).first else {
            Issue.record("still waiting")
            return
        }
        #expect(reason.exitCode == .unavailable)
        #expect(reason.text.contains("tcp://head:29500") && reason.text.contains("20 s"))
    }

    @Test func aSilentCoordinatorEndsNamingItSinceWhenAndTheStep() {
        var worker = WorkerScenario.running(shards: 1)
        worker.now = 10_999
        #expect(
            worker.act { $0.tick(now: $1, into: &$2) } == [
                .send(.heartbeat(Heartbeat(.computing, run: 0, step: 0)))
            ])
        worker.now = 11_000
        guard case .exit(let reason) = worker.act({ $0.tick(now: $1, into: &$2) }).first else {
            Issue.record("still waiting")
            return
        }
        #expect(reason.exitCode == .lostPeer)
        #expect(
            reason.text.contains("tcp://head:29500") && reason.text.contains("10 s")
                && reason.text.contains("step 0 of run 0"))
    }

    @Test(arguments: [ExitCode.mismatch, .refusedByKey, .unavailable])
    func aRefusalIsTheEnd(_ exitCode: ExitCode) {
        var worker = WorkerScenario()
        _ = worker.act { $0.start(now: $1, into: &$2) }
        let reason = StopReason(exitCode, "no")
        #expect(worker.receive(.refused(reason)) == [.exit(reason)])
        #expect(worker.receive(.refused(reason)) == [])
    }

    @Test func anotherReleaseIsTheEnd() {
        var worker = WorkerScenario()
        _ = worker.act { $0.start(now: $1, into: &$2) }
        guard case .exit(let reason) = worker.act({ $0.otherVersion(2, into: &$2) }).first else {
            Issue.record("still waiting")
            return
        }
        #expect(reason.exitCode == .mismatch)
    }

    @Test func anInterruptedWorkerSaysGoodbye() {
        var worker = WorkerScenario.running(shards: 1)
        let reason = StopReason(.interrupted, "interrupted")
        #expect(
            worker.act { $0.interrupt(reason, into: &$2) } == [
                .send(.goodbye(reason)), .exit(reason),
            ])
        #expect(worker.act { $0.interrupt(reason, into: &$2) } == [])
    }
}
