import Glibc
import LockstepProtocol
import Testing
import TrainingPlan

/// The wait for members, and how runs begin.
@Suite struct CoordinatorGatheringTests {
    // MARK: The wait

    @Test func nobodyComes() {
        var stage = CoordinatorStage.gathering()
        #expect(stage.ticksToEnd(within: 60_000) == 20_000)
        #expect(stage.end?.exitCode == .unavailable)
        let text = stage.end?.text ?? ""
        #expect(text.contains("after 20 s, 0 of 2 workers are ready and 0 of 1 servers"), "\(text)")
    }

    /// Of a run that had begun before the coordinator was started again some workers may be gone
    /// for good: it continues with those that come, from step 0 too.
    @Test(arguments: [false, true])
    func whoComesBackIsEnoughForARunThatHadBegun(isResumed: Bool) {
        var stage = CoordinatorStage.gathering(workers: 3, isResumed: isResumed)
        var members = stage.joinAll(workers: 2, servers: 1)
        var duties: [ShardDuty] = []
        for _ in 0..<20 where duties.isEmpty {
            duties = CoordinatorStage.shardDuties(
                members.beat(&stage, milliseconds: 500, workers: .ready))
        }
        #expect(duties.isEmpty != isResumed)
    }

    /// They are there, but will never be ready: that is no reason to wait for ever.
    @Test func membersThatAreNotReadyTimeOut() {
        var stage = CoordinatorStage.gathering()
        var members = Members()
        for nonce in 1...3 {
            var peer = Peer(nonce == 1 ? .server : .worker, nonce: UInt64(nonce))
            _ = stage.join(&peer)
            members.workers.append(peer)
        }
        var told: [Farewell] = []
        for _ in 0..<60 where told.isEmpty {
            told = CoordinatorStage.farewells(
                members.beat(&stage, milliseconds: 500, workers: .joining(datasetBytes: 7)))
        }
        // 20 s after the first tick, which saw the last progress.
        #expect(stage.now == 1_020_500)
        #expect(told.count >= 3)
        #expect(told.allSatisfy { $0.reason.exitCode == .unavailable && !$0.isHeard })
        let text = told.first?.reason.text ?? ""
        #expect(text.contains("0 of 2 workers are ready (2 more joined, but have no data set yet)"))
        #expect(text.contains("1 of 1 servers"), "\(text)")
    }

    /// A data set on a slow link takes its time; every byte is progress.
    @Test func dataThatComesInIsWaitedFor() {
        var stage = CoordinatorStage.gathering()
        var members = Members()
        var worker = Peer(.worker, nonce: 1)
        _ = stage.join(&worker)
        members.workers = [worker]
        for seconds in 0..<300 where seconds % 10 == 0 {
            _ = members.beat(
                &stage, milliseconds: 10_000,
                workers: .joining(datasetBytes: UInt64(seconds + 1)))
        }
        #expect(stage.end == nil && stage.machine.memberCount == 1)
        // What it says it has beyond the whole data set is not progress.
        _ = members.beat(
            &stage, milliseconds: 500, workers: .joining(datasetBytes: Fixture.dataset.byteCount))
        _ = members.beat(
            &stage, milliseconds: 10_000,
            workers: .joining(datasetBytes: Fixture.dataset.byteCount + 5))
        let last = members.beat(
            &stage, milliseconds: 11_000, workers: .joining(datasetBytes: .max))
        #expect(CoordinatorStage.farewells(last).first?.reason.exitCode == .unavailable)
    }

    // MARK: How a run begins

    @Test func aRunBeginsWithAllThatAreReady() throws {
        let runs = [Fixture.configuration, Fixture.configuration(epochs: 2)]
        var stage = CoordinatorStage.gathering(runs, workers: 2, servers: 2)
        var members = Members()
        for nonce: UInt64 in [1, 2] {
            var server = Peer(.server, nonce: nonce)
            _ = stage.join(&server)
            members.servers.append(server)
        }
        for nonce: UInt64 in [3, 4, 5] {
            var worker = Peer(.worker, nonce: nonce)
            _ = stage.join(&worker)
            members.workers.append(worker)
        }
        _ = stage.say(&members.workers[2], .ready)
        let order = RunOrder(run: 0, configuration: Fixture.configuration)
        // The second worker that is ready: servers first.
        let asked = stage.say(&members.workers[0], .ready)
        func shardDuty(_ shard: ShardIndex) -> Duty {
            .serve(
                stage.sessionInfo,
                ShardDuty(
                    order: order, shard: shard, shardCount: 2, workers: [3, 4, 5],
                    receipts: Receipts(received: 0, recorded: 0, snapshots: 0)))
        }
        #expect(
            asked == [
                .notice(.ready(members.workers[0].name)),
                .send(30, 2, 3, Assignment(.wait(stage.sessionInfo))),
                .send(10, 2, 1, Assignment(shardDuty(0))),
                .send(20, 2, 2, Assignment(shardDuty(1))),
            ])
        // The third worker is too late for the first view.
        #expect(
            stage.say(&members.workers[1], .ready) == [
                .notice(.ready(members.workers[1].name)),
                .send(40, 2, 4, Assignment(.wait(stage.sessionInfo))),
            ])
        let serving = MemberPhase.serving(
            Members.place, ServerProgress(step: 0, activity: .waitingForPushes))
        #expect(stage.say(&members.servers[0], serving).isEmpty)
        let begun = stage.say(&members.servers[1], serving)
        let addresses = [
            ServerAddress(incarnation: 1, endpoint: "tcp://h1:29501"),
            ServerAddress(incarnation: 2, endpoint: "tcp://h2:29501"),
        ]
        func workDuty(_ leaves: Range<Int>, _ lastLeaves: Range<Int>) -> Assignment {
            Assignment(
                .work(
                    stage.sessionInfo,
                    WorkDuty(
                        order: order, view: 0, leaves: leaves, lastLeaves: lastLeaves,
                        servers: addresses, workerCount: 2, workersOnHost: 1)))
        }
        #expect(
            begun == [
                .beginRun(
                    RunStart(
                        run: 0, workers: [members.workers[0].name, members.workers[2].name],
                        servers: members.servers.map(\.name), addresses: addresses)),
                .send(30, 3, 3, workDuty(0..<4, 0..<1)), .send(40, 3, 4, workDuty(0..<0, 0..<0)),
                .send(50, 3, 5, workDuty(4..<7, 1..<2)),
            ])
    }

    @Test func workersOnOneHostAreCounted() {
        var stage = CoordinatorStage.gathering(workers: 3)
        var server = Peer(.server, nonce: 1)
        _ = stage.join(&server)
        var counts: [Int] = []
        for (nonce, host): (UInt64, String) in [(2, "a"), (3, "b"), (4, "a")] {
            var description = Fixture.member(.worker, nonce: nonce)
            description.host = host
            for (number, phase) in [MemberPhase.joining(datasetBytes: 0), .ready].enumerated() {
                _ = stage.receive(
                    .status(
                        StatementNumber(number + 1),
                        Status(member: description, reached: 9, phase: phase)),
                    from: PeerHandle(Int(nonce) * 10),
                    incarnation: number == 0 ? .none : Incarnation(Int(nonce)))
            }
        }
        var members = Members()
        members.servers = [server]
        for (_, duty) in CoordinatorStage.duties(members.serve(0, &stage)) {
            if case .work(_, let work) = duty { counts.append(work.workersOnHost) }
        }
        #expect(counts == [2, 1, 2])
    }

    @Test func workersWithoutLeavesAreTold() {
        var stage = CoordinatorStage.gathering(workers: 9)
        var idle: [CoordinatorNotice] = []
        for nonce in 1...10 {
            var peer = Peer(nonce == 1 ? .server : .worker, nonce: UInt64(nonce))
            _ = stage.join(&peer)
            if nonce > 1 { idle += CoordinatorStage.notices(stage.say(&peer, .ready)).dropFirst() }
        }
        #expect(idle == [.idleWorkers(0, count: 2)])
    }

    /// Servers were asked and do not become ready; it is said which.
    @Test func thePreparationHasADeadlineThatNamesTheServer() {
        var stage = CoordinatorStage.gathering(servers: 2)
        var members = stage.joinAll(workers: 2, servers: 2)
        let serving = MemberPhase.serving(
            Members.place, ServerProgress(step: 0, activity: .waitingForPushes))
        _ = stage.say(&members.servers[0], serving)
        var told: [Farewell] = []
        for _ in 0..<50 where told.isEmpty {
            _ = stage.say(&members.servers[0], serving)
            _ = stage.say(&members.servers[1], .preparing(Members.place))
            for index in members.workers.indices { _ = stage.say(&members.workers[index], .ready) }
            told = CoordinatorStage.farewells(stage.wait(milliseconds: 500))
        }
        #expect(stage.now == 1_020_000)
        let reason = told.first?.reason
        #expect(reason?.exitCode == .lostPeer)
        let text = reason?.text ?? ""
        #expect(text.contains("waiting for \(members.servers[1].name), preparing run 0"), "\(text)")
        #expect(!text.contains("\(members.servers[0].name)"))
    }

    // MARK: A thousand

    /// Of this thread's own time, whatever else the machine does. The bound is generous: 10 ms were
    /// measured.
    @Test func aThousandJoinWithinASecond() {
        var stage = CoordinatorStage.gathering(workers: 1_000)
        var server = Peer(.server, nonce: 1)
        var workers = (2...1_001).map { Peer(.worker, nonce: UInt64($0)) }
        let start = Self.threadSeconds
        _ = stage.join(&server)
        for index in workers.indices {
            _ = stage.join(&workers[index])
            if index % 10 == 0 { _ = stage.tick(after: 1) }
        }
        for index in workers.indices { _ = stage.say(&workers[index], .ready) }
        var members = Members()
        members.servers = [server]
        let begun = members.serve(0, &stage).count
        let seconds = Self.threadSeconds - start
        #expect(stage.machine.memberCount == 1_001)
        #expect(begun == 1_001)
        #expect(seconds < 1)
    }

    /// The time that this thread has computed.
    private static var threadSeconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
