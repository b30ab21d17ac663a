import LockstepProtocol
import Testing
import TrainingPlan

/// Whole sessions: all machines on a network that loses, repeats and reorders data frames, with
/// engines that compute with hashes instead of floats. Every run must end with the same weights.
@Suite struct ClusterTests {
    @Test(arguments: [
        ClusterCase(workers: 1, servers: 1), ClusterCase(workers: 2, servers: 1),
        ClusterCase(workers: 3, servers: 2), ClusterCase(workers: 5, servers: 3),
        ClusterCase(workers: 9, servers: 1),
    ])
    func everyClusterEndsWithTheSameWeights(_ size: ClusterCase) {
        for seed in 0..<40 as Range<UInt64> {
            var cluster = TestCluster(
                size, seed: seed, losses: seed % 3 == 0 ? 0 : Int(seed % 20))
            cluster.runToEnd()
            #expect(cluster.problems == [], "seed \(seed)")
            let ends = (0..<2).map { RunEnd(run: RunIndex($0), status: .completed, step: 10) }
            #expect(cluster.ends == ends, "seed \(seed)")
            #expect(cluster.exits.count == 1 + size.workers + size.servers, "seed \(seed)")
            #expect(cluster.exits.allSatisfy { $0 == .success }, "seed \(seed)")
        }
    }
}

struct ClusterCase: Sendable, CustomTestStringConvertible {
    var workers: Int
    var servers: Int
    var testDescription: String { "\(workers) workers, \(servers) servers" }
}

/// A sum or a state, as a hash of how it came about: no two ways give the same one.
private func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: left &* 3 &+ 0x1234_5678_9abc_def1)
    return generator.next() ^ right &* 0xff51_afd7_ed55_8ccd &+ right >> 7
}

private func sum(_ node: LeafRange, weights: UInt64, shard: Int) -> UInt64 {
    guard let (left, right) = ReductionTree.children(of: node) else {
        return mix(weights &+ UInt64(shard), UInt64(node.firstLeaf))
    }
    return mix(
        sum(left, weights: weights, shard: shard), sum(right, weights: weights, shard: shard))
}

private struct TestCluster {
    private struct Worker {
        var machine: WorkerMachine
        /// All shards' weights in use, as one hash; what is kept, by shard and parity.
        var weights: UInt64 = 0
        var slices: [[UInt64]] = []
        var servers = 0
    }

    private struct Server {
        var machine: ServerMachine
        var shard = 0
        var slots: [Int: UInt64] = [:]
        /// This shard's weights by step, and the run.
        var weights: UInt64 = 0
        var run: RunIndex = 0
    }

    private enum Frame {
        case toServer(Int, FrameHeader, PeerHandle, payload: UInt64)
        case toWorker(Int, FrameHeader, payload: UInt64)
        case memberToHead(ControlMessage, PeerHandle, Incarnation, SessionID)
        case rawToHead(FrameHeader, PeerHandle)
        case headToMember(ControlMessage, PeerHandle)
    }

    private var generator: SeededGenerator
    private let lossPercent: Int
    private var head: CoordinatorMachine
    private var workers: [Worker]
    private var servers: [Server]
    private var data: [Frame] = []
    private var control: [Frame] = []
    private var now: Instant = 1_000
    private(set) var ends: [RunEnd] = []
    private(set) var exits: [ExitCode] = []
    private(set) var problems: [String] = []

    init(_ size: ClusterCase, seed: UInt64, losses: Int) {
        generator = SeededGenerator(seed: seed)
        lossPercent = losses
        var configuration = Fixture.configuration
        configuration.epochs = 2
        head = CoordinatorMachine(
            SessionPlan(
                session: Fixture.session, dataset: Fixture.dataset,
                runs: [configuration, configuration], minimumWorkers: size.workers,
                servers: size.servers, waitTimeoutMilliseconds: 20_000))
        workers = (0..<size.workers).map {
            Worker(machine: WorkerMachine(link: Fixture.link(.worker, nonce: UInt64(100 + $0))))
        }
        servers = (0..<size.servers).map {
            Server(machine: ServerMachine(link: Fixture.link(.server, nonce: UInt64($0))))
        }
    }

    /// Workers' handles are 100 and up, servers' are 0 and up.
    mutating func runToEnd() {
        head.start(now: now)
        for index in servers.indices { server(index) { $0.start(now: $1, into: &$2) } }
        for index in workers.indices { worker(index) { $0.start(now: $1, into: &$2) } }
        var events = 0
        while exits.count < 1 + workers.count + servers.count, events < 400_000 {
            events += 1
            if !control.isEmpty, data.isEmpty || Bool.random(using: &generator) {
                deliver(control.removeFirst())
            } else if !data.isEmpty {
                let index = Int.random(in: 0..<data.count, using: &generator)
                switch Int.random(in: 0..<100, using: &generator) {
                case ..<lossPercent: data.remove(at: index)
                case ..<(lossPercent + lossPercent / 2): deliver(data[index])
                default: deliver(data.remove(at: index))
                }
            } else {
                now = now.advanced(byMilliseconds: 100)
                head { $0.tick(now: $1, into: &$2) }
                for index in servers.indices { server(index) { $0.tick(now: $1, into: &$2) } }
                for index in workers.indices { worker(index) { $0.tick(now: $1, into: &$2) } }
            }
        }
    }

    private mutating func deliver(_ frame: Frame) {
        switch frame {
        case .toServer(let index, let header, let peer, let payload):
            server(index, payload: payload) {
                $0.receive(header, from: peer, now: $1, into: &$2)
            }
        case .toWorker(let index, let header, let payload):
            worker(index, payload: payload) { $0.receive(header, now: $1, into: &$2) }
        case .memberToHead(let message, let peer, let incarnation, let session):
            head {
                $0.receive(
                    message, from: peer, session: session, incarnation: incarnation, now: $1,
                    into: &$2)
            }
        case .rawToHead(let header, let peer):
            head { $0.receive(header, from: peer, now: $1, into: &$2) }
        case .headToMember(let message, let peer) where peer.index >= 100:
            worker(peer.index - 100) {
                $0.receive(message, session: Fixture.session, now: $1, into: &$2)
            }
        case .headToMember(let message, let peer):
            server(peer.index) {
                $0.receive(message, session: Fixture.session, now: $1, into: &$2)
            }
        }
    }

    private mutating func head(
        _ event: (inout CoordinatorMachine, Instant, inout [CoordinatorAction]) -> Void
    ) {
        var actions: [CoordinatorAction] = []
        event(&head, now, &actions)
        for action in actions {
            switch action {
            case .send(let peer, let message): control.append(.headToMember(message, peer))
            case .evaluate(let run, let step):
                head { $0.evaluated(run, step, reachedTarget: false, now: $1, into: &$2) }
            case .runEnded(let end): ends.append(end)
            case .exit(let reason): exits.append(reason.exitCode)
            case .keepReport, .recordStep, .drop, .sendChunk, .keepSnapshot, .runStarted, .notice:
                break
            }
        }
    }

    private mutating func server(
        _ index: Int, payload: UInt64 = 0,
        _ event: (inout ServerMachine, Instant, inout [ServerAction]) -> Void
    ) {
        var actions: [ServerAction] = []
        event(&servers[index].machine, now, &actions)
        let link = servers[index].machine.link
        func header(_ type: MessageType, _ step: Step) -> FrameHeader {
            FrameHeader(
                type: type, session: link.session, run: servers[index].run,
                incarnation: link.incarnation, step: step,
                shard: ShardIndex(servers[index].shard))
        }
        let peer = PeerHandle(index)
        for action in actions {
            switch action {
            case .keep(let slot): servers[index].slots[slot] = payload
            case .apply(let step): apply(step, on: index)
            case .sendWeights(let worker, let step):
                data.append(
                    .toWorker(
                        worker.index % 1000 - 100, header(.weights, step),
                        payload: servers[index].weights))
            case .reportCommitted(let step):
                control.append(.rawToHead(header(.stepCommitted, step), peer))
            case .sendSnapshot(let step):
                control.append(.rawToHead(header(.snapshot, step), peer))
            case .send(let message):
                control.append(.memberToHead(message, peer, link.incarnation, link.session))
            case .prepare(let order):
                servers[index].run = order.run
                servers[index].shard = order.shard.index
                servers[index].weights = mix(order.configuration.seed, 0)
                server(index) { $0.prepared(order.run, into: &$2) }
            case .exit(let reason): exits.append(reason.exitCode)
            case .drop(.conflict): problems.append("a conflict on server \(index)")
            case .drop, .endRun, .logMalformed: break
            }
        }
    }

    private mutating func apply(_ step: Step, on index: Int) {
        var stack: [UInt64] = []
        for instruction in servers[index].machine.foldSchedule {
            switch instruction {
            case .load(let slot): stack.append(servers[index].slots[slot] ?? 0)
            case .add:
                let right = stack.removeLast()
                stack.append(mix(stack.removeLast(), right))
            }
        }
        servers[index].slots = [:]
        // What one process would have computed, with the same weights of this step.
        let tree = servers[index].machine.schedule?.tree(of: step)
        let root = tree.map {
            sum($0.root, weights: Self.weights(step), shard: servers[index].shard)
        }
        if stack != [root] { problems.append("server \(index) folded step \(step) wrongly") }
        servers[index].weights = Self.weights(step.next)
        let run = servers[index].run
        server(index) { $0.applied(run, step, into: &$2) }
    }

    /// The weights that every shard must have at a step.
    private static func weights(_ step: Step) -> UInt64 {
        (0..<step.index).reduce(mix(Fixture.configuration.seed, 0)) { mix($0, UInt64($1)) }
    }

    private mutating func worker(
        _ index: Int, payload: UInt64 = 0,
        _ event: (inout WorkerMachine, Instant, inout [WorkerAction]) -> Void
    ) {
        var actions: [WorkerAction] = []
        event(&workers[index].machine, now, &actions)
        let link = workers[index].machine.link
        let run = workers[index].machine.progress.run ?? 0
        func send(
            _ type: MessageType, _ step: Step, to shard: ShardIndex, node: LeafRange? = nil
        ) {
            var header = FrameHeader(
                type: type, session: link.session, run: run, incarnation: link.incarnation,
                step: step, shard: shard)
            var payload: UInt64 = 0
            if let node {
                header.node = node
                payload = sum(node, weights: workers[index].weights, shard: shard.index)
                header.payloadChecksum = payload
            }
            // Servers are numbered in the order in which they joined, which is their own.
            data.append(
                .toServer(
                    shard.index, header, PeerHandle(100 + index), payload: payload))
        }
        for action in actions {
            switch action {
            case .compute(let step):
                if workers[index].weights != Self.weights(step) {
                    problems.append("worker \(index) computes step \(step) with other weights")
                }
                for node in workers[index].machine.nodes(of: step).shuffled(using: &generator) {
                    worker(index) { $0.nodeComputed(run, step, node, now: $1, into: &$2) }
                }
            case .push(let node, let step, let shard): send(.push, step, to: shard, node: node)
            case .keepWeights(let shard, let step):
                workers[index].slices[shard.index][Int(step.rawValue & 1)] = payload
            case .adopt(let step):
                for slices in workers[index].slices
                where slices[Int(step.rawValue & 1)] != Self.weights(step) {
                    problems.append("worker \(index) adopts a mixture at step \(step)")
                }
                workers[index].weights = workers[index].slices[0][Int(step.rawValue & 1)]
            case .attach(let shard, let step): send(.attach, step, to: shard)
            case .requestWeights(let shard, let step): send(.weightsRequest, step, to: shard)
            case .send(let message):
                control.append(
                    .memberToHead(
                        message, PeerHandle(100 + index), link.incarnation, link.session))
            case .findDataset: worker(index) { $0.datasetFound(into: &$2) }
            case .beginRun(let order):
                workers[index].weights = Self.weights(0)
                workers[index].slices = order.servers.map { _ in [0, 0] }
                worker(index) { $0.runBegun(order.run, now: $1, into: &$2) }
            case .exit(let reason): exits.append(reason.exitCode)
            case .drop, .reconnect, .requestChunk, .storeChunk, .verifyDataset, .endRun: break
            }
        }
    }
}
