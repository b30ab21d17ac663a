import LockstepProtocol
import Testing
import TrainingPlan

/// One server, incarnation 1, with workers 2, 3 and 4 on the leaves 0–2, 3–4 and 5–6.
private struct ServerScenario {
    var machine = ServerMachine(link: Fixture.link(.server, nonce: 1))
    var now: Instant = 1_000

    mutating func act(
        _ event: (inout ServerMachine, Instant, inout [ServerAction]) -> Void
    ) -> [ServerAction] {
        var actions: [ServerAction] = []
        event(&machine, now, &actions)
        return actions
    }

    mutating func receive(_ message: ControlMessage) -> [ServerAction] {
        act { $0.receive(message, session: Fixture.session, now: $1, into: &$2) }
    }

    mutating func push(
        _ firstLeaf: UInt32, _ leafCount: UInt32, from worker: Incarnation, step: Step = 0,
        run: RunIndex = 0, checksum: UInt64 = 1, peer: PeerHandle? = nil
    ) -> [ServerAction] {
        frame(
            FrameHeader(
                type: .push, session: Fixture.session, run: run, incarnation: worker, step: step,
                firstLeaf: firstLeaf, leafCount: leafCount, payloadChecksum: checksum), peer)
    }

    mutating func attach(
        _ worker: Incarnation, step: Step = 0, peer: PeerHandle? = nil
    ) -> [ServerAction] {
        frame(
            FrameHeader(
                type: .attach, session: Fixture.session, incarnation: worker, step: step), peer)
    }

    mutating func weightsRequest(_ worker: Incarnation, step: Step) -> [ServerAction] {
        frame(
            FrameHeader(
                type: .weightsRequest, session: Fixture.session, incarnation: worker, step: step),
            nil)
    }

    /// The peer handle of a worker is ten times its incarnation, unless another is given.
    mutating func frame(_ header: FrameHeader, _ peer: PeerHandle?) -> [ServerAction] {
        let peer = peer ?? PeerHandle(rawValue: header.incarnation.rawValue * 10)
        return act { $0.receive(header, from: peer, now: $1, into: &$2) }
    }

    mutating func applied(_ step: Step, run: RunIndex = 0) -> [ServerAction] {
        act { $0.applied(run, step, into: &$2) }
    }

    static func order(run: RunIndex = 0) -> PrepareRun {
        PrepareRun(
            run: run, configuration: Fixture.configuration, shard: 0, shardCount: 1,
            workers: [2, 3, 4].map { Fixture.worker($0) })
    }

    mutating func join() {
        _ = act { $0.start(now: $1, into: &$2) }
        _ = receive(Fixture.welcome(1))
    }

    mutating func prepareRun(_ run: RunIndex = 0) {
        _ = receive(.prepareRun(Self.order(run: run)))
        _ = act { $0.prepared(run, into: &$2) }
    }

    mutating func attachAll() { for worker in [2, 3, 4] as [Incarnation] { _ = attach(worker) } }

    mutating func commit(_ step: Step) {
        let root = machine.schedule?.tree(of: step).root.leafCount ?? 0
        _ = push(0, UInt32(root), from: 2, step: step)
        _ = applied(step)
    }

    static var running: ServerScenario {
        var scenario = ServerScenario()
        scenario.join()
        scenario.prepareRun()
        scenario.attachAll()
        return scenario
    }
}

@Suite struct ServerMachineTests {
    @Test func joinsAndPrepares() {
        var server = ServerScenario()
        #expect(
            server.act { $0.start(now: $1, into: &$2) }
                == [.send(.hello(Fixture.hello(.server, nonce: 1)))])
        server.now = 1_250
        #expect(
            server.act { $0.tick(now: $1, into: &$2) }
                == [.send(.hello(Fixture.hello(.server, nonce: 1)))])
        #expect(server.receive(Fixture.welcome(1)) == [])
        #expect(server.push(0, 1, from: 2) == [.drop(.noRun)])
        let order = ServerScenario.order()
        #expect(server.receive(.prepareRun(order)) == [.prepare(order)])
        #expect(server.receive(.prepareRun(order)) == [])
        #expect(server.act { $0.prepared(0, into: &$2) } == [.send(.runPrepared(0))])
        // Its answer was lost, so the order comes again.
        #expect(server.receive(.prepareRun(order)) == [.send(.runPrepared(0))])
    }

    @Test func aSteadyStep() {
        var server = ServerScenario.running
        #expect(server.push(3, 1, from: 3) == [.keep(slot: 0)])
        #expect(server.push(5, 1, from: 4) == [.keep(slot: 1)])
        #expect(server.push(6, 1, from: 4) == [.keep(slot: 2)])
        #expect(server.push(4, 1, from: 3) == [.keep(slot: 3)])
        #expect(server.push(0, 2, from: 2) == [.keep(slot: 4)])
        #expect(server.push(2, 1, from: 2) == [.keep(slot: 5), .apply(0)])
        #expect(
            server.machine.foldSchedule == [
                .load(slot: 4), .load(slot: 5), .load(slot: 0), .add, .add,
                .load(slot: 3), .load(slot: 1), .add, .load(slot: 2), .add, .add,
            ])
        #expect(
            server.applied(0) == [
                .sendWeights(to: 20, step: 1), .sendWeights(to: 30, step: 1),
                .sendWeights(to: 40, step: 1), .reportCommitted(0),
            ])
    }

    @Test func repeatedPushesAreDroppedAndLateOnesAnsweredOnce() {
        var server = ServerScenario.running
        #expect(server.push(0, 2, from: 2) == [.keep(slot: 0)])
        #expect(server.push(0, 2, from: 2) == [.drop(.covered)])
        #expect(server.push(1, 1, from: 3) == [.drop(.covered)])
        #expect(server.push(1, 2, from: 3) == [.drop(.notANode)])
        #expect(server.push(4, 9, from: 3) == [.drop(.notANode)])
        #expect(server.push(0, 0, from: 3) == [.drop(.notANode)])
        #expect(server.push(3, 1, from: 3, step: 1) == [.drop(.futureStep)])
        _ = server.push(0, 7, from: 4)
        // While the step is applied, nothing is needed.
        #expect(server.push(3, 1, from: 3) == [.drop(.covered)])
        _ = server.applied(0)
        // Two nodes of a committed step over a new connection: one answer, to where they came from.
        #expect(
            server.push(3, 1, from: 3, peer: 31) == [
                .sendWeights(to: 31, step: 1), .drop(.olderStep),
            ])
        #expect(server.push(4, 1, from: 3, peer: 31) == [.drop(.olderStep)])
        server.now = 2_000
        #expect(
            server.push(4, 1, from: 3, peer: 31) == [
                .sendWeights(to: 31, step: 1), .drop(.olderStep),
            ])
        #expect(server.machine.drops[.olderStep] == 3)
        #expect(server.machine.drops[.covered] == 3)
    }

    @Test func staleSendersAreFencedOff() {
        var server = ServerScenario.running
        #expect(server.push(0, 1, from: 7) == [.drop(.staleIncarnation)])
        #expect(server.push(0, 1, from: 2, run: 1) == [.drop(.staleRun)])
        var header = FrameHeader(type: .push, session: 8, incarnation: 2, leafCount: 1)
        #expect(server.frame(header, nil) == [.drop(.staleSession)])
        header.session = Fixture.session
        header.shard = 1
        #expect(server.frame(header, nil) == [.drop(.wrongShard)])
        header.shard = 0
        header.type = .weights
        #expect(server.frame(header, nil) == [.drop(.wrongType)])
        #expect(
            server.act { $0.receive(.endRun(0), session: 8, now: $1, into: &$2) } == [])
        #expect(server.push(0, 1, from: 2) == [.keep(slot: 0)])
    }

    @Test func otherBitsForTheSameNodeStopTheRunAndNameBoth() throws {
        var server = ServerScenario.running
        _ = server.push(3, 1, from: 3, checksum: 1)
        let actions = server.push(3, 1, from: 4, checksum: 2)
        guard case .send(.failed(let reason)) = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(actions.dropFirst() == [.drop(.conflict)])
        #expect(reason.exitCode == .internalError)
        #expect(reason.text.contains("worker 3 (host w3, process 103)"))
        #expect(reason.text.contains("worker 4 (host w4, process 104)"))
        #expect(reason.text.contains("leaf 3 of step 0"))
        #expect(server.push(0, 7, from: 2) == [.drop(.runStopped)])
    }

    @Test func aLateOrReturningWorkerGetsTheNewestWeights() {
        var server = ServerScenario()
        server.join()
        server.prepareRun()
        _ = server.attach(2)
        server.commit(0)
        #expect(server.attach(3, step: 0) == [.sendWeights(to: 30, step: 1)])
        #expect(server.attach(3, step: 0, peer: 33) == [.sendWeights(to: 33, step: 1)])
        #expect(server.attach(4, step: 1) == [])
        #expect(server.attach(9) == [.drop(.staleIncarnation)])
        #expect(server.weightsRequest(4, step: 0) == [.sendWeights(to: 40, step: 1)])
        #expect(server.weightsRequest(4, step: 1) == [.drop(.upToDate)])
        server.machine.unreachable(20)
        _ = server.push(0, 7, from: 2, step: 1)
        #expect(
            server.applied(1) == [
                .sendWeights(to: 33, step: 2), .sendWeights(to: 40, step: 2), .reportCommitted(1),
            ])
    }

    @Test func theEpochEndsWithAShortBatchAndASnapshot() {
        var server = ServerScenario.running
        for step in 0..<4 { server.commit(Step(step)) }
        // 40 examples: two leaves.
        #expect(server.push(2, 1, from: 3, step: 4) == [.drop(.notANode)])
        #expect(server.push(1, 1, from: 3, step: 4) == [.keep(slot: 0)])
        #expect(server.push(0, 1, from: 2, step: 4) == [.keep(slot: 1), .apply(4)])
        #expect(
            server.applied(4) == [
                .sendWeights(to: 20, step: 5), .sendWeights(to: 30, step: 5),
                .sendWeights(to: 40, step: 5), .reportCommitted(4), .sendSnapshot(5),
            ])
        #expect(server.push(0, 1, from: 2, step: 5) == [.drop(.runStopped)])
        // The last weights are served until the run is ended.
        #expect(
            server.push(0, 1, from: 2, step: 4) == [
                .sendWeights(to: 20, step: 5), .drop(.olderStep),
            ])
        #expect(server.receive(.endRun(0)) == [.endRun(0)])
        #expect(server.push(0, 1, from: 2, step: 4) == [.drop(.noRun)])
    }

    @Test func theNextRunNeedsNoRestart() {
        var server = ServerScenario.running
        _ = server.push(0, 7, from: 2)
        // The run is ended from outside while a step is being applied.
        #expect(server.receive(.endRun(0)) == [.endRun(0)])
        let order = ServerScenario.order(run: 1)
        #expect(server.receive(.prepareRun(order)) == [.prepare(order)])
        #expect(server.applied(0) == [])
        #expect(server.act { $0.prepared(1, into: &$2) } == [.send(.runPrepared(1))])
        #expect(server.push(0, 7, from: 2) == [.drop(.staleRun)])
        #expect(server.push(0, 7, from: 2, run: 1) == [.keep(slot: 0), .apply(0)])
        #expect(server.receive(.prepareRun(ServerScenario.order(run: 0))) == [])
    }

    @Test func aDivergedStepIsNotCommitted() {
        var server = ServerScenario.running
        server.commit(0)
        _ = server.push(0, 7, from: 2, step: 1)
        let finding = DivergenceFinding(quantity: .state, tensor: "layer 1 bias")
        #expect(
            server.act { $0.diverged(0, 1, finding, into: &$2) } == [
                .send(.diverged(Diverged(run: 0, step: 1, shard: 0, finding: finding)))
            ])
        #expect(server.applied(1) == [])
        #expect(server.push(0, 7, from: 2, step: 1) == [.drop(.runStopped)])
        #expect(server.receive(.snapshotRequest(0, 1)) == [.sendSnapshot(1)])
        #expect(server.receive(.snapshotRequest(0, 0)) == [.sendSnapshot(0)])
    }

    @Test func weightsThatAreBeingOverwrittenAreNotServed() {
        var server = ServerScenario.running
        server.commit(0)
        _ = server.push(0, 7, from: 2, step: 1)
        #expect(server.receive(.snapshotRequest(0, 1)) == [.sendSnapshot(1)])
        guard case .send(.failed) = server.receive(.snapshotRequest(0, 0)).first else {
            Issue.record("the weights of step 0 are gone")
            return
        }
    }

    @Test func leavesWhenTheSessionEnds() {
        var server = ServerScenario.running
        let end = SessionEnded(status: .completed, reason: StopReason(.success, "done"))
        #expect(
            server.receive(.sessionEnded(end)) == [
                .send(.goodbye(end.reason)), .exit(end.reason),
            ])
        server.now = 100_000
        #expect(server.act { $0.tick(now: $1, into: &$2) } == [])
    }

    @Test func junkIsToldOnceAPeer() {
        var server = ServerScenario.running
        let error = FrameError.wrongMagic(1)
        #expect(
            server.act { $0.malformed(error, from: 77, into: &$2) } == [.logMalformed(77, error)])
        #expect(server.act { $0.malformed(error, from: 77, into: &$2) } == [])
        #expect(server.machine.malformedFrames.count == 2)
    }
}
