import LockstepProtocol
import Testing
import TrainingPlan

/// How a worker gets the session's data set.
@Suite struct WorkerDatasetTests {
    private static func part(_ index: Int) -> BytePart {
        let offset = index * Limits.partByteCount
        let end = min(offset + Limits.partByteCount, Int(Fixture.dataset.byteCount))
        return BytePart(offset: UInt64(offset), byteCount: UInt32(end - offset))
    }

    /// 2,500,000 bytes.
    private static let partCount = 10

    private static func requests(_ actions: [WorkerAction]) -> [BytePart] {
        actions.compactMap { if case .requestPart(let part) = $0 { part } else { nil } }
    }

    private static func fetching() -> WorkerStage {
        var worker = WorkerStage(.joined())
        _ = worker.handle(.datasetMissing)
        return worker
    }

    @Test func oneThatIsHereIsNotFetched() {
        var worker = WorkerStage(WorkerMachine())
        _ = worker.start()
        #expect(
            worker.assign(1, .wait(Fixture.sessionInfo)) == [.findDataset(Fixture.dataset)])
        // A run that continues already does not hurry it.
        #expect(worker.assign(2, WorkerMachine.duty).isEmpty)
        let found = worker.handle(.datasetFound)
        #expect(WorkerMachine.statuses(found).map(\.status.phase) == [.ready])
        #expect(worker.handle(.datasetMissing).isEmpty)
        #expect(worker.assign(3, WorkerMachine.duty) == [.beginRun(WorkerStage.duty())])
    }

    /// A worker that comes while a run continues is told to work or to wait.
    @Test func theFirstAssignmentMayBeWork() {
        var worker = WorkerStage(WorkerMachine())
        _ = worker.start()
        #expect(worker.assign(1, WorkerMachine.duty) == [.findDataset(Fixture.dataset)])
    }

    @Test func itComesInPartsAFewAtATime() {
        var worker = WorkerStage(.joined())
        let asked = worker.handle(.datasetMissing)
        #expect(asked.first == .connectDataset(endpoint: "tcp://head:29501"))
        #expect(Self.requests(asked) == (0..<Limits.partsInFlight).map(Self.part))
        for index in 0..<Self.partCount {
            worker.pass(milliseconds: 30)
            let actions = worker.receive(.datasetPart(Self.part(index)), incarnation: 0)
            let next = index + Limits.partsInFlight
            var expected: [WorkerAction] = [.storePart(Self.part(index))]
            if next < Self.partCount { expected.append(.requestPart(Self.part(next))) }
            if index == Self.partCount - 1 { expected.append(.verifyDataset) }
            #expect(actions == expected)
        }
        #expect(worker.machine.phase == .joining(datasetBytes: Fixture.dataset.byteCount))
        let verified = worker.handle(.datasetVerified(matches: true))
        #expect(WorkerMachine.statuses(verified).map(\.status.phase) == [.ready])
    }

    @Test func statusesSayHowFarItIs() {
        var worker = Self.fetching()
        _ = worker.receive(.datasetPart(Self.part(1)), incarnation: 0)
        #expect(
            WorkerMachine.statuses(worker.wait(milliseconds: 600)).last?.status.phase
                == .joining(datasetBytes: UInt64(Limits.partByteCount)))
    }

    @Test func aLostPartIsAskedForAgain() {
        var worker = Self.fetching()
        for index in [0, 2, 3] {
            worker.pass(milliseconds: 50)
            _ = worker.receive(.datasetPart(Self.part(index)), incarnation: 0)
        }
        for index in 4...6 {
            _ = worker.receive(.datasetPart(Self.part(index)), incarnation: 0)
        }
        // Part 1 took the longest first time to be missed.
        let again = Self.requests(worker.wait(milliseconds: Limits.firstPartRetryMilliseconds))
        #expect(again.contains(Self.part(1)))
        #expect(!again.contains(Self.part(0)))
        // It comes twice: once is enough.
        _ = worker.receive(.datasetPart(Self.part(1)), incarnation: 0)
        #expect(worker.dropped == nil)
        #expect(worker.receive(.datasetPart(Self.part(1)), incarnation: 0).isEmpty)
        #expect(worker.dropped == .upToDate)
    }

    @Test func partsThatWereNotAskedForAreNotKept() {
        var worker = Self.fetching()
        for part in [
            Self.part(4), BytePart(offset: 0, byteCount: 9),
            BytePart(offset: 1, byteCount: 262_144),
        ] {
            #expect(worker.receive(.datasetPart(part), incarnation: 0).isEmpty)
            #expect(worker.dropped == .upToDate)
        }
        #expect(
            worker.receive(.datasetPart(Self.part(0)), session: 8, incarnation: 0).isEmpty)
        #expect(worker.dropped == .staleSession)
    }

    @Test func aDeadConnectionIsMadeAnewAndThenGivenUp() {
        var worker = Self.fetching()
        var reconnects: [Int] = []
        var failure: StopReason?
        for half in 1...70 {
            _ = worker.assign(worker.number(), .wait(Fixture.sessionInfo))
            for action in worker.wait(milliseconds: 500) {
                if case .connectDataset = action { reconnects.append(half * 500) }
                if case .send(_, let status) = action, case .failed(let reason) = status.phase {
                    failure = failure ?? reason
                    #expect(half * 500 == Limits.transferStallMilliseconds)
                }
            }
            if failure != nil { break }
        }
        #expect(reconnects == [3_000, 9_000, 21_000])
        #expect(failure?.exitCode == .lostPeer)
        #expect(failure?.text.contains("tcp://head:29501") == true)
    }

    @Test func otherDataThanWasAnnouncedIsAFailure() {
        var worker = Self.fetching()
        for index in 0..<Self.partCount {
            _ = worker.receive(.datasetPart(Self.part(index)), incarnation: 0)
        }
        let phases = WorkerMachine.statuses(worker.handle(.datasetVerified(matches: false)))
            .map(\.status.phase)
        guard case .failed(let reason)? = phases.first else {
            Issue.record("\(phases)")
            return
        }
        #expect(reason.exitCode == .mismatch && reason.text.contains("d5"))
    }
}
