import LockstepProtocol
import Testing
import TrainingPlan

/// A coordinator that waits for one server or two, and two workers. Servers come first, so they are
/// the incarnations 1 (and 2); everyone's peer handle is ten times the incarnation.
private struct CoordinatorScenario {
    var machine: CoordinatorMachine
    var now: Instant = 1_000
    let servers: Int

    init(servers: Int = 1, runs: Int = 1, change: (inout RunConfiguration) -> Void = { _ in }) {
        var configuration = Fixture.configuration
        change(&configuration)
        self.servers = servers
        machine = CoordinatorMachine(
            SessionPlan(
                session: Fixture.session, dataset: Fixture.dataset,
                runs: Array(repeating: configuration, count: runs), minimumWorkers: 2,
                servers: servers, waitTimeoutMilliseconds: 20_000))
        machine.start(now: now)
    }

    mutating func act(
        _ event: (inout CoordinatorMachine, Instant, inout [CoordinatorAction]) -> Void
    ) -> [CoordinatorAction] {
        var actions: [CoordinatorAction] = []
        event(&machine, now, &actions)
        return actions
    }

    mutating func receive(
        _ message: ControlMessage, from incarnation: Incarnation, peer: PeerHandle? = nil
    ) -> [CoordinatorAction] {
        let peer = peer ?? PeerHandle(rawValue: incarnation.rawValue * 10)
        return act {
            $0.receive(
                message, from: peer, session: Fixture.session, incarnation: incarnation, now: $1,
                into: &$2)
        }
    }

    mutating func hello(_ hello: Hello, peer: PeerHandle) -> [CoordinatorAction] {
        act {
            $0.receive(
                .hello(hello), from: peer, session: .none, incarnation: .none, now: $1, into: &$2)
        }
    }

    /// Someone joins, and gets the next incarnation, which is its nonce as well.
    @discardableResult
    mutating func join(_ role: Role, _ incarnation: UInt32) -> [CoordinatorAction] {
        hello(
            Fixture.hello(role, nonce: UInt64(incarnation)),
            peer: PeerHandle(rawValue: incarnation * 10))
    }

    mutating func raw(
        _ type: MessageType, _ step: Step, shard: ShardIndex = 0, run: RunIndex = 0
    ) -> [CoordinatorAction] {
        let incarnation = Incarnation(rawValue: shard.rawValue + 1)
        let header = FrameHeader(
            type: type, session: Fixture.session, run: run, incarnation: incarnation, step: step,
            shard: shard)
        return act {
            $0.receive(
                header, from: PeerHandle(rawValue: incarnation.rawValue * 10), now: $1, into: &$2)
        }
    }

    mutating func evaluated(_ step: Step, reachedTarget: Bool = false) -> [CoordinatorAction] {
        act { $0.evaluated(0, step, reachedTarget: reachedTarget, now: $1, into: &$2) }
    }

    mutating func tick(at time: Instant) -> [CoordinatorAction] {
        now = time
        return act { $0.tick(now: $1, into: &$2) }.filter {
            if case .send(_, .heartbeat) = $0 { false } else { true }
        }
    }

    /// Everyone is heard.
    mutating func hearAll(but silent: Incarnation = 0) {
        for incarnation in 1...(servers + 2) where Incarnation(incarnation) != silent {
            _ = receive(.heartbeat(Heartbeat(.computing)), from: Incarnation(incarnation))
        }
    }

    static func running(
        servers: Int = 1, runs: Int = 1, change: (inout RunConfiguration) -> Void = { _ in }
    ) -> CoordinatorScenario {
        var scenario = CoordinatorScenario(servers: servers, runs: runs, change: change)
        for server in 1...servers { scenario.join(.server, UInt32(server)) }
        for worker in (servers + 1)...(servers + 2) {
            scenario.join(.worker, UInt32(worker))
            _ = scenario.receive(.workerReady, from: Incarnation(worker))
        }
        for server in 1...servers {
            _ = scenario.receive(.runPrepared(0), from: Incarnation(server))
        }
        for worker in (servers + 1)...(servers + 2) {
            _ = scenario.receive(.viewAcknowledged(0, 0), from: Incarnation(worker))
        }
        return scenario
    }
}

/// The reason of the first session's end among the actions.
private func sessionEnd(_ actions: [CoordinatorAction]) -> SessionEnded? {
    for case .send(_, .sessionEnded(let end)) in actions { return end }
    return nil
}

private func runEnd(_ actions: [CoordinatorAction]) -> RunEnd? {
    for case .runEnded(let end) in actions { return end }
    return nil
}

@Suite struct CoordinatorMachineTests {
    @Test func gathersPreparesAndStarts() {
        var head = CoordinatorScenario()
        let server = MemberName(role: .server, incarnation: 1, host: "h1", processID: 1)
        let workers = [2, 3].map {
            MemberName(
                role: .worker, incarnation: Incarnation($0), host: "h\($0)", processID: Int32($0))
        }
        let welcome = Welcome(session: Fixture.session, incarnation: 1, dataset: Fixture.dataset)
        #expect(
            head.join(.server, 1) == [
                .send(10, .welcome(welcome)), .notice(.joined(server, threads: 1)),
            ])
        // The welcome was lost: the same incarnation again, without another member.
        #expect(head.join(.server, 1) == [.send(10, .welcome(welcome))])
        head.join(.worker, 2)
        head.join(.worker, 3)
        #expect(head.receive(.workerReady, from: 2) == [.notice(.ready(workers[0]))])
        let prepare = ControlMessage.prepareRun(
            PrepareRun(
                run: 0, configuration: Fixture.configuration, shard: 0, shardCount: 1,
                workers: workers))
        #expect(
            head.receive(.workerReady, from: 3) == [
                .notice(.ready(workers[1])), .send(10, prepare),
            ])
        #expect(head.tick(at: 1_999) == [])
        #expect(head.tick(at: 2_000) == [.send(10, prepare)])
        let start = ControlMessage.startRun(
            StartRun(
                run: 0, configuration: Fixture.configuration,
                view: View(number: 0, workers: [2, 3]),
                servers: [ServerAddress(incarnation: 1, endpoint: "tcp://h1:29501")]))
        #expect(
            head.receive(.runPrepared(0), from: 1) == [
                .runStarted(0, workers: workers, servers: [server]), .send(20, start),
                .send(30, start),
            ])
        #expect(head.receive(.runPrepared(0), from: 1) == [])
        _ = head.receive(.viewAcknowledged(0, 0), from: 3)
        #expect(head.tick(at: 3_000) == [.send(20, start)])
        _ = head.receive(.viewAcknowledged(0, 0), from: 2)
        #expect(head.tick(at: 4_000) == [])
    }

    @Test func aWholeRunOverTwoShards() {
        var head = CoordinatorScenario.running(servers: 2)
        for step in (0..<5).map({ Step($0) }) {
            // Now one of them is the last to report, now the other.
            let (first, last): (ShardIndex, ShardIndex) = step.index < 3 ? (1, 0) : (0, 1)
            #expect(
                head.raw(.stepCommitted, step, shard: first) == [.keepReport(0, first, step)])
            #expect(
                head.raw(.stepCommitted, step, shard: last) == [
                    .keepReport(0, last, step), .recordStep(0, step),
                ])
        }
        #expect(head.raw(.stepCommitted, 4) == [.drop(.olderStep)])
        #expect(head.raw(.snapshot, 4) == [.drop(.upToDate)])
        #expect(head.raw(.snapshot, 5, shard: 1) == [.keepSnapshot(0, 1, 5)])
        #expect(head.raw(.snapshot, 5, shard: 1) == [.drop(.upToDate)])
        #expect(
            head.raw(.snapshot, 5, shard: 0) == [.keepSnapshot(0, 0, 5), .evaluate(0, 5)])
        let end = SessionEnded(
            status: .completed, reason: StopReason(.success, "the session is over: completed"))
        #expect(
            head.evaluated(5) == [
                .runEnded(RunEnd(run: 0, status: .completed, step: 5)),
                .send(10, .endRun(0)), .send(20, .endRun(0)), .send(30, .endRun(0)),
                .send(40, .endRun(0)), .send(10, .sessionEnded(end)),
                .send(20, .sessionEnded(end)), .send(30, .sessionEnded(end)),
                .send(40, .sessionEnded(end)),
            ])
        for member in [1, 2, 3] as [Incarnation] {
            #expect(head.receive(.goodbye(end.reason), from: member) == [])
        }
        #expect(head.tick(at: 1_250) == [.send(40, .sessionEnded(end))])
        #expect(
            head.receive(.goodbye(end.reason), from: 4) == [
                .exit(StopReason(.success, "all runs are done"))
            ])
        #expect(head.tick(at: 99_000) == [])
    }

    /// One shard may be a step ahead of the other.
    @Test func aStepIsRecordedOnceEveryShardHasReportedIt() {
        var head = CoordinatorScenario.running(servers: 2)
        #expect(head.raw(.stepCommitted, 0, shard: 0) == [.keepReport(0, 0, 0)])
        #expect(head.raw(.stepCommitted, 1, shard: 0) == [.keepReport(0, 0, 1)])
        #expect(head.raw(.stepCommitted, 1, shard: 0) == [.drop(.olderStep)])
        #expect(
            head.raw(.stepCommitted, 0, shard: 1) == [.keepReport(0, 1, 0), .recordStep(0, 0)])
        #expect(
            head.raw(.stepCommitted, 1, shard: 1) == [.keepReport(0, 1, 1), .recordStep(0, 1)])
    }

    @Test func goodbyesAreNotWaitedForLongerThanASecond() {
        var head = CoordinatorScenario.running()
        let reason = StopReason(.interrupted, "interrupted")
        let actions = head.act { $0.interrupt(reason, now: $1, into: &$2) }
        #expect(runEnd(actions) == RunEnd(run: 0, status: .interrupted, step: 0))
        #expect(sessionEnd(actions)?.reason.exitCode == .success)
        _ = head.receive(.goodbye(reason), from: 1)
        _ = head.receive(.goodbye(reason), from: 2)
        #expect(head.tick(at: 1_999).count == 1)
        let silent = MemberName(role: .worker, incarnation: 3, host: "h3", processID: 3)
        #expect(head.tick(at: 2_000) == [.notice(.withoutGoodbye(silent)), .exit(reason)])
    }

    @Test func runsFollowEachOtherAndTakeInWhoCameMeanwhile() {
        var head = CoordinatorScenario.running(runs: 2)
        let late = head.join(.worker, 4)
        guard case .send(40, .welcome(let welcome)) = late.first else {
            Issue.record("\(late)")
            return
        }
        #expect(welcome.currentRun == 0)
        _ = head.receive(.workerReady, from: 4)
        for step in 0..<5 { _ = head.raw(.stepCommitted, Step(step)) }
        _ = head.raw(.snapshot, 5)
        let actions = head.evaluated(5)
        #expect(runEnd(actions)?.status == .completed)
        guard case .send(10, .prepareRun(let order)) = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(order.run == 1)
        #expect(order.workers.map(\.incarnation) == [2, 3, 4])
        #expect(head.raw(.stepCommitted, 0) == [.drop(.staleRun)])
        _ = head.receive(.runPrepared(1), from: 1)
        #expect(head.raw(.stepCommitted, 0, run: 1) == [.keepReport(1, 0, 0), .recordStep(1, 0)])
    }

    @Test func aWorkerThatLeavesOutsideItsRunIsNoLoss() {
        var head = CoordinatorScenario.running()
        head.join(.worker, 4)
        let name = MemberName(role: .worker, incarnation: 4, host: "h4", processID: 4)
        #expect(
            head.receive(.goodbye(StopReason(.interrupted, "bye")), from: 4) == [
                .notice(.left(name, reason: "left: bye"))
            ])
    }

    @Test func aSilentWorkerEndsTheSessionNamed() throws {
        var head = CoordinatorScenario.running()
        for step in 0..<3 { _ = head.raw(.stepCommitted, Step(step)) }
        head.now = 10_500
        head.hearAll(but: 3)
        #expect(head.tick(at: 10_999) == [])
        let actions = head.tick(at: 11_000)
        #expect(runEnd(actions) == RunEnd(run: 0, status: .failed, step: 3))
        let end = try #require(sessionEnd(actions))
        #expect(end.status == .failed && end.reason.exitCode == .lostPeer)
        for part in ["worker 3 (host h3, process 3)", "10 s", "after step 2", "run 0 (mse-tanh)"] {
            #expect(end.reason.text.contains(part), "\(part) in \(end.reason.text)")
        }
        // Its frames are void from now on, and it is told so.
        guard case .send(30, .refused(let reason)) = head.receive(.workerReady, from: 3).first
        else {
            Issue.record("an expelled worker was heard")
            return
        }
        #expect(reason.exitCode == .lostPeer)
        _ = head.receive(.goodbye(end.reason), from: 1)
        #expect(head.receive(.goodbye(end.reason), from: 2) == [.exit(end.reason)])
    }

    @Test(arguments: [Incarnation(1), Incarnation(2)])
    func aMemberThatLeavesOrFailsEndsTheSession(_ incarnation: Incarnation) throws {
        var head = CoordinatorScenario.running()
        var other = head
        let left = try #require(
            sessionEnd(head.receive(.goodbye(StopReason(.interrupted, "bye")), from: incarnation)))
        #expect(left.reason.exitCode == .lostPeer)
        #expect(left.reason.text.contains("host h\(incarnation)"))
        let failed = try #require(
            sessionEnd(
                other.receive(.failed(StopReason(.internalError, "bits")), from: incarnation)))
        #expect(failed.reason.exitCode == .internalError)
        #expect(failed.reason.text.contains("bits"))
    }

    @Test func aChildThatExitedIsLostAtOnce() throws {
        var head = CoordinatorScenario.running()
        let actions = head.act {
            $0.lost(processID: 3, host: "h3", cause: "was killed by signal 9", now: $1, into: &$2)
        }
        let end = try #require(sessionEnd(actions))
        #expect(end.reason.text.contains("worker 3 (host h3, process 3) was killed by signal 9"))
    }

    @Test func tooFewInTimeSaysHowManyOfHowMany() throws {
        var head = CoordinatorScenario()
        head.join(.worker, 1)
        head.now = 20_000
        _ = head.receive(.heartbeat(Heartbeat(.waitingForRun)), from: 1)
        #expect(head.tick(at: 20_999) == [])
        let actions = head.tick(at: 21_000)
        let end = try #require(sessionEnd(actions))
        #expect(end.reason.exitCode == .unavailable)
        #expect(end.reason.text.contains("1 of 2 workers and 0 of 1 servers"))
        #expect(head.receive(.goodbye(end.reason), from: 1) == [.exit(end.reason)])
    }

    @Test func nobodyInTimeEndsAtOnce() {
        var head = CoordinatorScenario()
        guard case .exit(let reason) = head.tick(at: 21_000).last else {
            Issue.record("still waiting")
            return
        }
        #expect(reason.exitCode == .unavailable)
    }

    @Test func whoDoesNotFitIsRefused() throws {
        var head = CoordinatorScenario()
        head.join(.server, 1)
        var hellos: [(Hello, ExitCode)] = []
        func add(_ role: Role, _ exitCode: ExitCode, _ change: (inout Hello) -> Void) {
            var hello = Fixture.hello(role, nonce: 50 + UInt64(hellos.count))
            change(&hello)
            hellos.append((hello, exitCode))
        }
        add(.worker, .mismatch) { $0.protocolVersion += 1 }
        add(.worker, .mismatch) { $0.arithmeticVersion = 2 }
        add(.worker, .mismatch) { $0.datasetSHA256 = "d6" }
        add(.server, .mismatch) { $0.dataEndpoint = nil }
        add(.server, .mismatch) { _ in }
        for (hello, exitCode) in hellos {
            let actions = head.hello(hello, peer: 500)
            guard case .send(500, .refused(let reason)) = actions.first else {
                Issue.record("\(hello) was not refused")
                continue
            }
            #expect(reason.exitCode == exitCode)
        }
        var right = Fixture.hello(.worker, nonce: 60)
        right.datasetSHA256 = Fixture.dataset.sha256
        guard case .send(500, .welcome) = head.hello(right, peer: 500).first else {
            Issue.record("the right data set was refused")
            return
        }
    }

    @Test func anotherReleaseIsToldSoOnce() {
        var head = CoordinatorScenario()
        let error = FrameError.unsupportedVersion(2)
        let actions = head.act { $0.malformed(error, from: 5, into: &$2) }
        #expect(actions.first == .notice(.malformed(5, error)))
        #expect(
            actions.last == .send(5, .refused(StopReason(.mismatch, "\(error)"))))
        #expect(head.act { $0.malformed(error, from: 5, into: &$2) } == [])
        #expect(
            head.act { $0.malformed(.wrongMagic(1), from: 6, into: &$2) }
                == [.notice(.malformed(6, .wrongMagic(1)))])
    }

    @Test func partsOfTheDataSetWithinItsBounds() {
        var head = CoordinatorScenario()
        head.join(.worker, 1)
        func request(_ offset: UInt64, _ byteCount: UInt32) -> [CoordinatorAction] {
            let header = FrameHeader.datasetRequest(
                DatasetChunk(offset: offset, byteCount: byteCount), session: Fixture.session,
                incarnation: 1)
            return head.act { $0.receive(header, from: 10, now: $1, into: &$2) }
        }
        #expect(
            request(2_400_000, 100_000) == [
                .sendChunk(10, DatasetChunk(offset: 2_400_000, byteCount: 100_000))
            ])
        #expect(request(2_400_000, 100_001) == [.drop(.outOfRange)])
        #expect(request(.max, 1) == [.drop(.outOfRange)])
        #expect(request(0, (1 << 20) + 1) == [.drop(.outOfRange)])
    }

    @Test func theFirstEvaluationAtTheTargetIsTheResult() {
        var head = CoordinatorScenario.running {
            ($0.epochs, $0.targetAccuracy) = (3, 0.9)
        }
        for step in 0..<12 { _ = head.raw(.stepCommitted, Step(step)) }
        _ = head.raw(.snapshot, 5)
        _ = head.raw(.snapshot, 10)
        #expect(head.evaluated(5) == [])
        // Two more steps have been committed since; they are no part of the run.
        #expect(
            runEnd(head.evaluated(10, reachedTarget: true))
                == RunEnd(run: 0, status: .target, step: 10))
    }

    @Test func aDivergedRunEndsWithTheLastFiniteWeights() {
        var head = CoordinatorScenario.running(servers: 2)
        for step in 0..<3 {
            _ = head.raw(.stepCommitted, Step(step), shard: 0)
            _ = head.raw(.stepCommitted, Step(step), shard: 1)
        }
        let report = Diverged(
            run: 0, step: 3, shard: 1, finding: .init(quantity: .gradient, tensor: "layer 0 kernel")
        )
        #expect(
            head.receive(.diverged(report), from: 2) == [
                .send(10, .snapshotRequest(0, 3)), .send(20, .snapshotRequest(0, 3)),
            ])
        #expect(head.receive(.diverged(report), from: 2) == [])
        #expect(head.raw(.snapshot, 3, shard: 0) == [.keepSnapshot(0, 0, 3)])
        #expect(head.tick(at: 2_000) == [.send(20, .snapshotRequest(0, 3))])
        let actions = head.raw(.snapshot, 3, shard: 1)
        #expect(actions.first == .keepSnapshot(0, 1, 3))
        #expect(
            runEnd(actions)
                == RunEnd(run: 0, status: .diverged, step: 3, divergence: report))
    }

    @Test func anEvaluationBeforeTheDivergenceIsWaitedFor() {
        var head = CoordinatorScenario.running { ($0.epochs, $0.targetAccuracy) = (3, 0.9) }
        for step in 0..<7 { _ = head.raw(.stepCommitted, Step(step)) }
        _ = head.raw(.snapshot, 5)
        let report = Diverged(
            run: 0, step: 7, shard: 0, finding: .init(quantity: .weight, tensor: "layer 0 bias"))
        _ = head.receive(.diverged(report), from: 1)
        #expect(runEnd(head.raw(.snapshot, 7)) == nil)
        var below = head
        #expect(
            runEnd(head.evaluated(5, reachedTarget: true))
                == RunEnd(run: 0, status: .target, step: 5))
        #expect(runEnd(below.evaluated(5))?.status == .diverged)
    }

    @Test func lostReportsAreNotPassedOver() throws {
        var head = CoordinatorScenario.running()
        _ = head.raw(.stepCommitted, 0)
        let end = try #require(sessionEnd(head.raw(.stepCommitted, 2)))
        #expect(end.reason.exitCode == .lostPeer && end.reason.text.contains("from step 1"))
    }

    @Test func aRunThatStandsStillEndsNamingWhoIsBehind() throws {
        var head = CoordinatorScenario.running()
        var actions: [CoordinatorAction] = []
        for second in stride(from: 5, through: 305, by: 5) {
            head.now = Instant(second * 1_000)
            _ = head.receive(.heartbeat(Heartbeat(.waitingForPushes, run: 0, step: 4)), from: 1)
            _ = head.receive(.heartbeat(Heartbeat(.waitingForWeights, run: 0, step: 4)), from: 2)
            _ = head.receive(.heartbeat(Heartbeat(.computing, run: 0, step: 3)), from: 3)
            actions = head.tick(at: head.now)
            if !actions.isEmpty { break }
        }
        let end = try #require(sessionEnd(actions))
        #expect(end.reason.text.contains("worker 3 (host h3, process 3), computing at step 3"))
        #expect(head.now == 305_000)
    }

    @Test func aMemberMayComeOverANewConnection() {
        var head = CoordinatorScenario.running()
        _ = head.receive(.heartbeat(Heartbeat(.computing)), from: 2, peer: 21)
        let actions = head.act {
            $0.interrupt(StopReason(.interrupted, ""), now: $1, into: &$2)
        }
        let peers = actions.compactMap { action -> PeerHandle? in
            if case .send(let peer, .sessionEnded) = action { peer } else { nil }
        }
        #expect(peers == [10, 21, 30])
    }

    @Test func heartbeatsGoToAllTwiceASecond() {
        var head = CoordinatorScenario.running()
        let beat = ControlMessage.heartbeat(Heartbeat(.running, run: 0, step: 0))
        func beats(at time: Instant) -> [CoordinatorAction] {
            head.now = time
            return head.act { $0.tick(now: $1, into: &$2) }
        }
        #expect(beats(at: 1_000) == [.send(10, beat), .send(20, beat), .send(30, beat)])
        #expect(beats(at: 1_499) == [])
        #expect(beats(at: 1_500).count == 3)
    }
}
