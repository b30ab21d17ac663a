import LockstepProtocol
import Testing
import TrainingPlan

/// What a server tells the coordinator, and what it does until that has been heard.
@Suite struct ServerReportTests {
    static let place = RunPlace(run: 0, generation: 0)

    // MARK: Halts

    @Test func aDivergenceIsAStateThatIsRepeatedUntilTheRunEnds() {
        var server = ServerStage.serving()
        _ = server.commit(0)
        _ = server.complete(1)
        let halted = ServerProgress(
            step: 1, activity: .waitingForCoordinator, halt: .diverged(ServerMachineTests.finding))
        let told = server.handle(.diverged(0, 1, ServerMachineTests.finding))
        #expect(ServerStage.progress(told) == [halted])
        // Ten times a second, though the coordinator answers heartbeats: it may not have got this
        // one.
        for _ in 0..<4 {
            _ = server.acknowledge(received: 1)
            #expect(
                ServerStage.progress(server.wait(milliseconds: 500))
                    == Array(repeating: halted, count: 5))
        }
        // Nothing more is committed; the last finite weights are served.
        #expect(server.push(Fixture.address(1), LeafRange(0, 7)).isEmpty)
        #expect(server.dropped == .halted)
        let request = SnapshotPart(
            address: Fixture.address(1), part: BytePart(offset: 0, byteCount: 100))
        #expect(
            server.receive(.snapshotRequest(request), from: 50, incarnation: 0) == [
                .sendPart(to: 50, request)
            ])
        _ = server.assign(server.number(), .wait(Fixture.sessionInfo))
        #expect(server.machine.phase == .ready)
        #expect(server.wait(milliseconds: 400).isEmpty)
    }

    /// The same node with other bits from two machines: one of them computes wrongly.
    @Test func twoSumsOfOneNodeHaltTheServer() {
        var server = ServerStage.serving()
        _ = server.push(Fixture.address(0), LeafRange(0, 4), checksum: 1)
        let halted = ServerProgress(
            step: 0, activity: .waitingForPushes,
            halt: .conflict(
                Conflict(
                    node: LeafRange(0, 4),
                    votes: [
                        Conflict.Vote(worker: 3, checksum: 1),
                        Conflict.Vote(worker: 4, checksum: 2),
                    ])))
        let told = server.push(
            Fixture.address(0), LeafRange(0, 4), checksum: 2, from: 4, by: 40)
        #expect(server.dropped == .conflict)
        #expect(ServerStage.progress(told) == [halted])
        #expect(server.push(Fixture.address(0), LeafRange(4, 3), from: 4, by: 40).isEmpty)
        #expect(server.dropped == .halted)
        #expect(ServerStage.progress(server.wait(milliseconds: 300)).count == 3)
        #expect(!server.machine.phase.description.isEmpty)
    }

    // MARK: Step reports

    /// The coordinator says at its heartbeats, and no more often, what it has received.
    @Test(arguments: [1, 3, 10, 50])
    func reportsThatArriveAreSentOnce(millisecondsPerStep: Int) {
        var server = ServerStage.serving(Fixture.longConfiguration)
        var sent: [Step] = []
        var step: Step = 0
        for millisecond in 1...3_000 {
            if millisecond % millisecondsPerStep == 0 {
                sent += ServerStage.reports(server.commit(step, leafCount: 1))
                step = step.next
            }
            sent += ServerStage.reports(server.tick(after: 1))
            if millisecond % Limits.heartbeatIntervalMilliseconds == 0 {
                sent += ServerStage.reports(
                    server.acknowledge(received: Step(sent.count), snapshots: step))
            }
        }
        server.passReportDelay()
        sent += ServerStage.reports(server.tick())
        #expect(sent == (0..<step.index).map { Step($0) })
    }

    /// Each sending wakes threads of two processes: fast steps share one.
    @Test func reportsOfFastStepsGoTogether() {
        var server = ServerStage.serving(Fixture.longConfiguration)
        var sendings: [[Step]] = []
        for step in 0..<100 {
            let sent = ServerStage.reports(server.commit(Step(step), leafCount: 1))
            if !sent.isEmpty { sendings.append(sent) }
        }
        #expect(sendings.map(\.count) == [32, 32, 32])
        #expect(ServerStage.reports(server.tick()).isEmpty)
        server.passReportDelay()
        #expect(ServerStage.reports(server.tick()) == (96..<100).map { Step($0) })
    }

    @Test func aLostReportIsSentAgain() {
        var server = ServerStage.serving()
        server.passReportDelay()
        #expect(ServerStage.reports(server.commit(0)) == [0])
        // Nothing is known yet: it may be on its way.
        #expect(ServerStage.reports(server.acknowledge(received: 0)).isEmpty)
        server.pass(milliseconds: Limits.reportRetryMilliseconds)
        #expect(ServerStage.reports(server.acknowledge(received: 0)) == [0])
        // The answer is on its way; later it comes again, after longer each time.
        #expect(ServerStage.reports(server.acknowledge(received: 0)).isEmpty)
        var repeated: [Int] = []
        for millisecond in 1...4_000 {
            server.pass(milliseconds: 1)
            if !ServerStage.reports(server.acknowledge(received: 0)).isEmpty {
                repeated.append(millisecond)
            }
        }
        #expect(repeated == [200, 600, 1_400, 2_400, 3_400])
        _ = server.acknowledge(received: 1)
        server.pass(milliseconds: 2_000)
        #expect(ServerStage.reports(server.acknowledge(received: 1)).isEmpty)
    }

    /// A report is lost, those behind it are not kept: the coordinator says so at once.
    @Test func aGapIsClosedAtOnce() {
        var server = ServerStage.serving(Fixture.longConfiguration)
        for step in 0..<200 { _ = server.commit(Step(step), leafCount: 1) }
        server.passReportDelay()
        _ = server.tick()
        // Report 100 is lost; the first word of that is what was received so far.
        _ = server.acknowledge(received: 100, snapshots: 200)
        server.pass(milliseconds: Limits.reportRetryMilliseconds)
        #expect(
            ServerStage.reports(
                server.acknowledge(received: 100, snapshots: 200))
                == (100..<200).map { Step($0) })
    }

    /// A server and its coordinator, a step a millisecond: one report is lost on the way.
    @Test func aLostReportDoesNotHoldUpTheRun() {
        var server = ServerStage.serving(Fixture.longConfiguration)
        var (coordinator, _) = CoordinatorStage.running([Fixture.longConfiguration])
        var sent: [Step] = []
        var step: Step = 0
        for millisecond in 1...900 {
            var fromServer = server.tick(after: 1)
            if ServerStage.applies(server.complete(step, leafCount: 1)) {
                fromServer += server.handle(.applied(0, step))
                step = step.next
            }
            var fromCoordinator =
                millisecond % 20 == 0 ? coordinator.tick(after: 20) : []
            for report in ServerStage.reports(fromServer) {
                sent.append(report)
                if report == 100, sent.count(where: { $0 == 100 }) == 1 { continue }
                fromCoordinator += coordinator.report(report)
                fromCoordinator += coordinator.handle(.recorded(0, before: report.next))
            }
            // What it says again comes at once, and is taken with the next reports.
            for receipts in CoordinatorStage.receipts(fromCoordinator) {
                for report in ServerStage.reports(
                    server.acknowledge(received: receipts.received, recorded: receipts.recorded))
                {
                    sent.append(report)
                    _ = coordinator.report(report)
                    _ = coordinator.handle(.recorded(0, before: report.next))
                }
            }
        }
        #expect(step == 900, "it has waited for room")
        let repeated = sent.count - Set(sent).count
        #expect(1...200 ~= repeated, "\(repeated) reports were sent again")
    }

    @Test func aServerWithAFullOutboxCommitsNothingUntilItIsEmptied() {
        let configuration = Fixture.configuration(epochs: 4)
        // Four reports of a megabyte.
        var server = ServerStage.serving(configuration, reportByteCount: 1 << 20)
        for step in 0..<4 { #expect(ServerStage.applies(server.commit(Step(step)))) }
        #expect(!ServerStage.applies(server.complete(4)))
        #expect(
            server.machine.phase
                == .serving(
                    Self.place, ServerProgress(step: 4, activity: .waitingForCoordinator)))
        #expect(!ServerStage.applies(server.wait(milliseconds: 2_000)))
        // Received is not recorded: they have to be kept.
        #expect(!ServerStage.applies(server.acknowledge(received: 4, recorded: 0)))
        #expect(server.acknowledge(received: 4, recorded: 1) == [.apply(4)])
        _ = server.handle(.applied(0, 4))
        // What never was is not believed.
        #expect(!ServerStage.applies(server.complete(5)))
        #expect(
            !ServerStage.applies(server.acknowledge(received: 90, recorded: 90)))
        #expect(
            !ServerStage.applies(server.acknowledge(received: 4, recorded: 5)))
        #expect(server.acknowledge(received: 5, recorded: 5) == [.apply(5)])
    }

    // MARK: Snapshots

    @Test func aServerWithTwoUnfetchedSnapshotsCommitsNothingUntilOneIsHeld() {
        let configuration = Fixture.configuration(epochs: 3, evaluateEvery: 2)
        var server = ServerStage.serving(configuration)
        var actions: [ServerAction] = []
        for step in 0..<4 { actions += server.commit(Step(step)) }
        #expect(actions.contains(.keepSnapshot(2)) && actions.contains(.keepSnapshot(4)))
        // The weights of step 5 are evaluated too, at the epoch's end.
        #expect(!ServerStage.applies(server.complete(4)))
        #expect(!ServerStage.applies(server.wait(milliseconds: 1_000)))
        #expect(
            server.acknowledge(received: 4, snapshots: 2) == [
                .forgetSnapshot(2), .apply(4),
            ])
        #expect(server.handle(.applied(0, 4)).last == .keepSnapshot(5))
        #expect(
            server.acknowledge(received: 5, snapshots: 5) == [
                .forgetSnapshot(4), .forgetSnapshot(5),
            ])
    }

    @Test func partsOfWhatIsKeptAreServed() {
        let configuration = Fixture.configuration(epochs: 3)
        var server = ServerStage.serving(configuration)
        for step in 0..<8 { _ = server.commit(Step(step)) }
        // The snapshot, the step before and the newest one.
        for step in (0...9).map({ Step($0) }) {
            let request = SnapshotPart(
                address: Fixture.address(step), part: BytePart(offset: 262_144, byteCount: 9))
            let answer = server.receive(.snapshotRequest(request), from: 50, incarnation: 0)
            let isKept = [5, 7, 8].contains(step)
            #expect(answer == (isKept ? [.sendPart(to: 50, request)] : []), "step \(step)")
            #expect(server.dropped == (isKept ? nil : .outOfRange))
        }
        for address in [Fixture.address(8, run: 1), Fixture.address(8, shard: 1)] {
            let request = SnapshotPart(
                address: address, part: BytePart(offset: 0, byteCount: 9))
            #expect(server.receive(.snapshotRequest(request), from: 50, incarnation: 0).isEmpty)
        }
    }

    // MARK: The log

    @Test func junkIsToldOncePerConnectionAndCounted() {
        var server = ServerStage.serving()
        let error = FrameError.wrongMagic(0x2054_4547)
        #expect(server.malformed(error, from: 70).count == 1)
        #expect(server.malformed(error, from: 70).isEmpty)
        #expect(server.malformed(error, from: 71).count == 1)
        for peer in 0..<5_000 { _ = server.malformed(error, from: PeerHandle(100 + peer)) }
        #expect(server.malformed(error, from: 9_000).isEmpty)
        #expect(server.machine.drops.counts[.foreign] == 5_004)
        var notices: [String] = []
        for _ in 0...Limits.dropReportIntervalMilliseconds / 5_000 {
            notices += server.tick(after: 5_000)
                .compactMap { if case .notice(let text) = $0 { text } else { nil } }
            _ = server.acknowledge(received: 0)
        }
        #expect(notices == ["dropped frames: 5004 not frames of Lockstep"])
    }
}
