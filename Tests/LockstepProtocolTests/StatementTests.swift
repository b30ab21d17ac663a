import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

/// Statuses and assignments as payloads.
@Suite struct StatementTests {
    private static func decode<Content: Statement>(
        _: Content.Type, _ bytes: some Collection<UInt8>
    ) -> Content? {
        unsafe Array(bytes).withUnsafeBytes { unsafe Content(decoding: $0) }
    }

    // MARK: Round trips

    @Test func everyPhaseComesBack() {
        var random = SeededRandom(seed: 1)
        var kinds = Set<Int>()
        for _ in 0..<4_000 {
            let status = random.status()
            #expect(Self.decode(Status.self, status.encoded()) == status)
            kinds.insert(status.phase.kind)
            #expect(!status.phase.description.isEmpty)
        }
        #expect(kinds == Set(0...6))
    }

    @Test func everyDutyComesBack() {
        var random = SeededRandom(seed: 2)
        var kinds = Set<Int>()
        for _ in 0..<4_000 {
            let assignment = random.assignment()
            #expect(Self.decode(Assignment.self, assignment.encoded()) == assignment)
            kinds.insert(assignment.duty.kind)
        }
        #expect(kinds == Set(0...5))
    }

    @Test func everyOverviewComesBack() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<2_000 {
            let overview = random.overview()
            #expect(Self.decode(ClusterOverview.self, overview.encoded()) == overview)
            let reply = ScaleReply(random.reason())
            #expect(Self.decode(ScaleReply.self, reply.encoded()) == reply)
        }
    }

    @Test func everySettingComesBack() {
        for configuration in [.everythingSet, RunConfiguration(preset: .ceSoftmax)] {
            let assignment = Assignment(
                .serve(Fixture.sessionInfo, ServerStage.duty(configuration)))
            #expect(Self.decode(Assignment.self, assignment.encoded()) == assignment)
        }
    }

    // MARK: Damage

    /// Where a frame's checksums were right all the same: nothing traps.
    @Test func everyTruncationIsRefused() {
        var random = SeededRandom(seed: 4)
        func check<Content: Statement>(_ content: Content) {
            let whole = content.encoded()
            for length in 0..<min(whole.count, 2_000) {
                #expect(Self.decode(Content.self, whole[..<length]) == nil)
            }
            #expect(Self.decode(Content.self, whole + [0]) == nil)
        }
        for _ in 0..<40 {
            check(random.status())
            check(random.assignment())
            check(random.overview())
            check(ScaleReply(random.reason()))
        }
    }

    /// What is read again is a value that can be written, of the same length.
    @Test func flippedBitsNeverTrap() {
        var random = SeededRandom(seed: 5)
        func check<Content: Statement & Equatable>(_ content: Content) {
            let whole = content.encoded()
            for bit in 0..<min(whole.count, 1_500) * 8 {
                var bytes = whole
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                guard let read = Self.decode(Content.self, bytes) else { continue }
                #expect(read.encoded() == bytes, "bit \(bit)")
            }
        }
        for _ in 0..<8 {
            check(random.status())
            check(random.assignment())
            check(random.overview())
            check(ScaleReply(random.reason()))
        }
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededRandom(seed: 6)
        for _ in 0..<30_000 {
            var bytes = random.pixels(Int.random(in: 0...200, using: &random), density: 0.7)
            if !bytes.isEmpty { bytes[0] %= 8 }
            _ = Self.decode(Status.self, bytes)
            _ = Self.decode(Assignment.self, bytes)
            _ = Self.decode(ClusterOverview.self, bytes)
            _ = Self.decode(ScaleReply.self, bytes)
        }
        // Whole statements with some other bytes come further.
        for _ in 0..<3_000 {
            var bytes = random.assignment().encoded()
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = Self.decode(Assignment.self, bytes)
        }
    }

    // MARK: Texts

    private static func status(host: String, reason: String) -> Status {
        var member = Fixture.member(.worker)
        member.host = host
        return Status(member: member, reached: 1, phase: .failed(StopReason(.badData, reason)))
    }

    /// No text that a peer sends moves the cursor of whoever reads the log.
    @Test func controlCharactersAreRefused() {
        let good = Self.status(host: "göttingen-1", reason: "?").encoded()
        guard let place = good.lastIndex(of: UInt8(ascii: "?")) else { return }
        for byte in (0..<0x20).map({ UInt8($0) }) + [0x7f] {
            var bytes = good
            bytes[place] = byte
            #expect(Self.decode(Status.self, bytes) == nil, "\(byte)")
        }
        // C1 control characters in UTF-8, and what is no UTF-8 at all.
        let two = Self.status(host: "h", reason: "é").encoded()
        #expect(Self.decode(Status.self, two) != nil)
        for (first, second): (UInt8, UInt8) in [
            (0xc2, 0x80), (0xc2, 0x9b), (0xc2, 0x9f), (0xff, 0xfe), (0xc3, 0x28), (0xc0, 0x80),
        ] {
            var bytes = two
            bytes[bytes.count - 2] = first
            bytes[bytes.count - 1] = second
            #expect(Self.decode(Status.self, bytes) == nil, "\(first) \(second)")
        }
    }

    /// A file name or an error text may hold anything; whoever writes it makes it printable.
    @Test func theWriterReplacesControlCharacters() {
        let read = Self.decode(
            Status.self,
            Self.status(host: "a\u{1b}[2Jb", reason: "x\ny\u{9b}z\u{7f}é\0").encoded())
        #expect(read == Self.status(host: "a [2Jb", reason: "x y z é "))
    }

    @Test func whatIsTooLongIsCut() {
        for text in [
            String(repeating: "x", count: 10_000), String(repeating: "é", count: 5_000),
            String(repeating: "👩‍👩‍👧‍👦", count: 1_000),
        ] {
            let read = Self.decode(
                Status.self, Self.status(host: "h", reason: text).encoded())
            guard case .failed(let reason)? = read?.phase else {
                Issue.record("it cannot be read")
                continue
            }
            #expect(text.hasPrefix(reason.text))
            #expect(reason.text.utf8.count <= Limits.maximumTextByteCount)
            #expect(reason.text.utf8.count > Limits.maximumTextByteCount - 30)
        }
    }

    @Test func overlongHostsAndEndpointsAreRefused() {
        func read(host: Int, endpoint: Int) -> Status? {
            var member = Fixture.member(.server)
            member.host = String(repeating: "h", count: host)
            member.dataEndpoint = String(repeating: "e", count: endpoint)
            return Self.decode(
                Status.self, Status(member: member, reached: 1, phase: .ready).encoded())
        }
        let (host, endpoint) = (Limits.maximumHostByteCount, Limits.maximumEndpointByteCount)
        #expect(read(host: host, endpoint: endpoint) != nil)
        #expect(read(host: host + 1, endpoint: endpoint) == nil)
        #expect(read(host: host, endpoint: endpoint + 1) == nil)
    }

    // MARK: Ranges

    @Test func valuesOutOfRangeAreRefused() {
        func check(_ phase: MemberPhase, reached: StatementNumber = 1) {
            let status = Status(member: Fixture.member(.worker), reached: reached, phase: phase)
            #expect(Self.decode(Status.self, status.encoded()) == nil, "\(phase)")
        }
        func lateness(_ ranges: Int, _ leaves: LeafRange) -> MemberPhase {
            .serving(
                Members.place,
                ServerProgress(
                    step: 0, activity: .waitingForPushes,
                    lateness: Lateness(
                        leaves: Array(repeating: leaves, count: ranges), patienceMilliseconds: 1)))
        }
        check(lateness(Limits.maximumLateRanges + 1, LeafRange(0, 1)))
        check(lateness(1, LeafRange(1, SettingLimits.maximumBatchSize)))
        let far = Step(Limits.maximumStep + 1)
        check(.serving(Members.place, ServerProgress(step: far, activity: .updating)))
        check(.working(Members.place, WorkerProgress(step: far, activity: .finished)))
        check(.ready, reached: .init(rawValue: Limits.maximumStatementNumber + 1))
        check(.ready, reached: .init(rawValue: .max))
        check(.joining(datasetBytes: UInt64(Limits.maximumDatasetByteCount) + 1))

        func check(_ change: (inout ShardDuty) -> Void) {
            var duty = ServerStage.duty()
            change(&duty)
            let bytes = Assignment(.serve(Fixture.sessionInfo, duty)).encoded()
            #expect(Self.decode(Assignment.self, bytes) == nil)
        }
        check { $0.shard = 1 }
        check { $0.shardCount = 0 }
        check { $0.shardCount = 65 }
        check { $0.order.firstStep = far }
        check { $0.receipts.recorded = far }
        check { $0.workers = Array(repeating: 1, count: Limits.maximumWorkers + 1) }
        check {
            $0.order.configuration.architecture.layers = Array(
                repeating: 1, count: SettingLimits.maximumLayers + 1)
        }

        func checkWork(_ change: (inout WorkDuty) -> Void) {
            var duty = WorkerStage.duty()
            change(&duty)
            let bytes = Assignment(.work(Fixture.sessionInfo, duty)).encoded()
            #expect(Self.decode(Assignment.self, bytes) == nil)
        }
        checkWork { $0.servers = [] }
        checkWork { $0.leaves = 0..<SettingLimits.maximumBatchSize + 1 }
        checkWork { $0.workerCount = 0 }
        checkWork { $0.workerCount = .max }
        checkWork { $0.workersOnHost = Limits.maximumWorkers + 1 }
        var session = Fixture.sessionInfo
        session.dataset.byteCount = .max
        #expect(Self.decode(Assignment.self, Assignment(.wait(session)).encoded()) == nil)
    }

    /// Every worker and every server, with texts as long as they may be.
    @Test func theLargestStatementsFitTheirLimit() {
        var session = Fixture.sessionInfo
        session.dataEndpoint = String(repeating: "e", count: Limits.maximumEndpointByteCount)
        var work = WorkerStage.duty(.everythingSet)
        work.servers = Array(
            repeating: ServerAddress(incarnation: 1, endpoint: session.dataEndpoint),
            count: SettingLimits.maximumServers)
        var shard = ServerStage.duty(.everythingSet)
        shard.workers = Array(repeating: 1, count: Limits.maximumWorkers)
        let reason = StopReason(.badData, String(repeating: "r", count: 5_000))
        let duties: [Duty] = [.work(session, work), .serve(session, shard), .refused(reason)]
        for duty in duties {
            let bytes = Assignment(duty).encoded()
            #expect(bytes.count <= Limits.maximumStatementByteCount)
            #expect(Self.decode(Assignment.self, bytes) != nil)
        }
    }

    /// Every worker and every server, each of which waits for as many leaves as it may name.
    @Test func theLargestOverviewFitsItsLimit() {
        let lateness = Lateness(
            leaves: Array(repeating: LeafRange(0, 1), count: Limits.maximumLateRanges),
            patienceMilliseconds: 1)
        func member(_ role: Role, _ phase: MemberPhase) -> MemberOverview {
            MemberOverview(
                name: MemberName(
                    role: role, incarnation: 1,
                    host: String(repeating: "h", count: Limits.maximumHostByteCount), processID: 1),
                threads: 1, phase: phase, silentMilliseconds: 1, leafCount: 1, isLate: false)
        }
        let overview = ClusterOverview(
            stage: .training, runCount: 1,
            run: RunOverview(
                index: 0, configuration: .everythingSet, generation: 1, view: 1, step: 1,
                totalSteps: 1, checkpoint: 1),
            members: Array(
                repeating: member(.server, Members.serving(3, lateness: lateness)),
                count: SettingLimits.maximumServers)
                + Array(
                    repeating: member(.worker, Members.working(3)), count: Limits.maximumWorkers),
            dataset: DatasetDescription(
                name: String(repeating: "n", count: Limits.maximumTextByteCount),
                sha256: String(repeating: "b", count: 64), byteCount: 1, trainingExampleCount: 1),
            dataEndpoints: Array(
                repeating: String(repeating: "e", count: Limits.maximumEndpointByteCount),
                count: 1 + SettingLimits.maximumServers))
        let bytes = overview.encoded()
        #expect(bytes.count <= Limits.maximumStatementByteCount)
        #expect(Self.decode(ClusterOverview.self, bytes)?.members.count == overview.members.count)
    }
}
