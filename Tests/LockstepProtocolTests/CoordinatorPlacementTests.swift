import LockstepProtocol
import Testing
import TrainingPlan

/// Which servers a run has where workers host them.
@Suite struct CoordinatorPlacementTests {
    /// A coordinator and the processes that have joined: a worker each, and mostly a server.
    private struct Cluster {
        var stage: CoordinatorStage
        private var workers: [Peer] = []
        /// By process; nil for one that hosts none.
        private var servers: [Peer?] = []
        private var order: RunOrder?
        /// By shard: which process serves it, from 0.
        private(set) var shards: [Int] = []
        /// Of each worker that has been told, in the order of their connections.
        private(set) var leaves: [Range<Int>] = []

        /// - Parameter processes: that a run begins with.
        init(_ processes: Int, configuration: RunConfiguration = Fixture.longConfiguration) {
            stage = CoordinatorStage(
                CoordinatorMachine(
                    SessionPlan(
                        session: Fixture.session, dataset: Fixture.dataset,
                        dataEndpoint: Fixture.sessionInfo.dataEndpoint,
                        runs: [configuration], startingWorkers: processes,
                        servers: .onWorkers, waitTimeoutMilliseconds: 20_000)))
            _ = stage.start()
        }

        var generation: Generation? { order?.generation }

        mutating func join(host: String, hostsServer: Bool = true) {
            let process = workers.count
            var peers: [Peer?] = []
            for role in [Role.server, .worker] {
                if role == .server, !hostsServer {
                    peers.append(nil)
                    continue
                }
                let nonce = UInt64(2 * process + (role == .server ? 1 : 2))
                var peer = Peer(role, nonce: nonce)
                // Namespaces of one machine share its name.
                peer.description = MemberDescription(
                    role: role, nonce: nonce, host: "everywhere", processID: Int32(process),
                    cores: 2, dataEndpoint: role == .server ? "tcp://\(host):\(nonce)" : nil)
                note(stage.join(&peer))
                peers.append(peer)
            }
            servers.append(peers[0])
            if var worker = peers[1] {
                note(stage.say(&worker, .ready))
                workers.append(worker)
            }
        }

        /// What servers are told of their shards.
        private mutating func note(_ actions: [CoordinatorAction]) {
            let told = CoordinatorStage.leaves(actions)
            if told.count == workers.count, !told.isEmpty {
                leaves = told.sorted { $0.key < $1.key }.map(\.value)
            }
            for (peer, duty) in CoordinatorStage.duties(actions) {
                guard case .serve(_, let shard) = duty,
                    let process = servers.firstIndex(where: { $0?.handle == peer })
                        ?? (peer == PeerHandle(20 * servers.count + 10) ? servers.count : nil)
                else { continue }
                if order != shard.order { shards = [] }
                order = shard.order
                shards += Array(repeating: -1, count: max(0, shard.shardCount - shards.count))
                shards[shard.shard.index] = process
            }
        }

        /// Time goes by, in which all but one process are heard.
        mutating func pass(milliseconds: Int, silent: Int? = nil) {
            for _ in 0..<(milliseconds / 100) {
                for process in servers.indices where process != silent {
                    guard var server = servers[process] else { continue }
                    note(stage.say(&server, phase(of: process)))
                    servers[process] = server
                }
                for process in workers.indices where process != silent {
                    note(stage.say(&workers[process], .ready))
                }
                note(stage.tick(after: 100))
            }
        }

        /// A process says that it serves its shard.
        mutating func serve(_ shard: Int, _ process: Int) {
            guard var server = servers[process], let order else { return }
            note(stage.say(&server, Members.serving(0, generation: order.generation)))
            servers[process] = server
        }

        /// The coordinator's host learns that a process has ended.
        mutating func lose(_ process: Int) {
            note(
                stage.handle(
                    .lost(
                        processID: Int32(process), host: "everywhere",
                        cause: "was killed by signal 9", failure: nil)))
        }

        private func phase(of process: Int) -> MemberPhase {
            guard let order, shards.contains(process) else { return .ready }
            return Members.serving(0, generation: order.generation)
        }
    }

    @Test func hostsHaveAShardEach() {
        var cluster = Cluster(4)
        for host in ["a", "a", "b", "c"] { cluster.join(host: host) }
        #expect(cluster.shards == [0, 2, 3])
    }

    /// Over links whole subtrees are dealt, so that each worker pushes one node; on one host the
    /// same work to each.
    @Test(arguments: [
        (["a", "a", "a"], LeafAssignment(leafCount: 8, workerCount: 3).ranges),
        (["a", "b", "c"], [0..<4, 4..<6, 6..<8]),
        (["a", "b", "b"], [0..<4, 4..<6, 6..<8]),
    ])
    func leavesAreDealtForTheLinks(hosts: [String], leaves: [Range<Int>]) {
        var configuration = Fixture.configuration
        configuration.batchSize = 8 * configuration.effectiveMicroBatch
        var cluster = Cluster(3, configuration: configuration)
        for host in hosts { cluster.join(host: host) }
        for (shard, process) in cluster.shards.enumerated() { cluster.serve(shard, process) }
        #expect(cluster.leaves == leaves)
    }

    /// While they are awake at their cores; one is enough where they sleep.
    @Test(arguments: [(1, [0]), (2, [0, 1]), (4, [0, 1]), (5, [0])])
    func aSingleHostHasAShardACore(processes: Int, shards: [Int]) {
        var cluster = Cluster(processes)
        for _ in 0..<processes { cluster.join(host: "a") }
        #expect(cluster.shards == shards)
    }

    /// A process that is known to be gone takes its server with it: nothing waits for the silence
    /// of either.
    @Test func aProcessThatIsGoneTakesItsServerWithIt() {
        var cluster = Cluster(3)
        for host in ["a", "b", "c"] { cluster.join(host: host) }
        cluster.pass(milliseconds: 100)
        #expect(cluster.shards == [0, 1, 2] && cluster.generation == 0)
        cluster.lose(1)
        #expect(cluster.shards == [0, 2] && cluster.generation == 1)
    }

    @Test func aWorkerThatServesIsWaitedForAWhile() {
        var cluster = Cluster(2)
        cluster.join(host: "a")
        cluster.join(host: "b", hostsServer: false)
        cluster.pass(milliseconds: 1_800)
        #expect(cluster.shards.isEmpty)
        cluster.pass(milliseconds: 400)
        #expect(cluster.shards == [0])
    }

    /// As after a sleep of the whole cluster: the run waits, and begins once it is heard again.
    @Test func aRunWaitsForAServerThatIsNotHeard() {
        var cluster = Cluster(2)
        cluster.join(host: "a")
        cluster.join(host: "b", hostsServer: false)
        cluster.pass(milliseconds: 3_000, silent: 0)
        #expect(cluster.shards.isEmpty && cluster.stage.end == nil)
        cluster.pass(milliseconds: 100)
        #expect(cluster.shards == [0] && cluster.stage.end == nil)
    }

    @Test func withoutAnyServerNothingBegins() {
        var cluster = Cluster(1)
        cluster.join(host: "a", hostsServer: false)
        cluster.pass(milliseconds: 15_000)
        #expect(cluster.shards.isEmpty && cluster.stage.end == nil)
        cluster.pass(milliseconds: 20_000)
        #expect(cluster.stage.end?.exitCode == .unavailable)
        #expect(cluster.stage.end?.text.contains("0 of them serve a shard") == true)
    }

    /// Long before its lease is over.
    @Test func theShardOfASilentHostGoesToOthers() {
        var cluster = Cluster(2)
        cluster.join(host: "a")
        cluster.join(host: "b")
        cluster.pass(milliseconds: 500)
        #expect(cluster.shards == [0, 1] && cluster.generation == 0)
        cluster.pass(milliseconds: 1_300, silent: 1)
        #expect(cluster.generation == 0)
        cluster.pass(milliseconds: 400, silent: 1)
        #expect(cluster.shards == [0] && cluster.generation == 1)
    }

    /// Where all are silent nobody could do better.
    @Test func oneHostThatIsSilentKeepsItsShard() {
        var cluster = Cluster(1)
        cluster.join(host: "a")
        cluster.pass(milliseconds: 500)
        cluster.pass(milliseconds: 3_000, silent: 0)
        #expect(cluster.shards == [0] && cluster.generation == 0)
    }
}
