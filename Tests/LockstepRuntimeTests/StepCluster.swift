import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Testing
import TrainingPlan
import ZeroMQ

/// Workers and servers, whole: their loops, machines and engines, with a network in memory that
/// notes every frame.
final class StepCluster {
    /// A frame that was sent.
    struct Frame {
        let header: FrameHeader
        let byteCount: Int
        /// Of which turn of the whole cluster.
        let turn: Int
    }

    let plan: ShardPlan
    private let network = Network()
    private let workers: [SteadyWorker]
    private let servers: [SteadyServer]
    private let team = ThreadTeam(count: 1)

    var frames: [Frame] { network.frames }

    init(_ run: DigitsRun, workers workerCount: Int, shards shardCount: Int) throws {
        let (network, team) = (network, team)
        plan = try ShardPlan(run.configuration, shardCount: shardCount)
        servers = try (0..<shardCount).map { shard in
            try SteadyServer(network.server(ShardIndex(shard)))
        }
        workers = try (0..<workerCount).map {
            try SteadyWorker(run, network.worker($0), team: team)
        }
        var statements = Statements()
        for shard in 0..<shardCount {
            var duty = run.shardDuty(shard, of: shardCount)
            duty.workers = (0..<workerCount).map(Self.incarnation)
            network.server(ShardIndex(shard)).put(
                statements.frame(.serve(run.session, duty), to: Incarnation(shard + 1)))
        }
        for worker in 0..<workerCount {
            let duty = run.workDuty(of: worker, of: workerCount, servers: shardCount)
            for duty in [.wait(run.session), .work(run.session, duty)] as [Duty] {
                network.worker(worker).put(
                    statements.frame(duty, to: Self.incarnation(worker)))
            }
        }
    }

    deinit { team.finish() }

    /// Servers are 1 and up.
    static func incarnation(_ worker: Int) -> Incarnation { Incarnation(100 + worker) }

    /// Lets all work until no server is before `step`.
    func advance(to step: Step) throws {
        let limit = network.turn + 100 * (1 + step.index)
        while !servers.allSatisfy({ $0.step.map { $0 >= step } ?? false }) {
            try #require(network.turn < limit, "the cluster does not get to step \(step)")
            network.turn += 1
            for server in servers { try server.loop.turn() }
            for worker in workers { try worker.loop.turn() }
        }
    }

    private final class Network {
        var turn = 0
        var frames: [Frame] = []
        private let wire = Wire(kernels: Exchange.kernels)
        private var servers: [ShardIndex: Member] = [:]
        private var workers: [Int: Member] = [:]

        func server(_ shard: ShardIndex) -> Member {
            if let member = servers[shard] { return member }
            let member = Member(self, .shard(shard))
            servers[shard] = member
            return member
        }

        func worker(_ worker: Int) -> Member {
            if let member = workers[worker] { return member }
            let member = Member(self, .dataPeer(PeerHandle(worker)))
            workers[worker] = member
            return member
        }

        func send(_ message: borrowing Message, to port: Port, from sender: Member) throws {
            frames.append(
                Frame(
                    header: try wire.header(of: message), byteCount: message.byteCount, turn: turn))
            let bytes = MemoryTransport.bytes(of: message)
            switch port {
            case .shard(let shard): servers[shard]?.put(bytes, from: sender.place)
            case .dataPeer(let peer): workers[Int(peer.rawValue)]?.put(bytes, from: sender.place)
            case .controlPeer, .coordinator, .coordinatorData: break
            }
        }
    }

    /// One role's end of the network.
    private final class Member: Transport {
        /// As the others see it.
        let place: Port
        private unowned let network: Network
        private var inbox: [(Port, [UInt8])] = []

        init(_ network: Network, _ place: Port) {
            self.network = network
            self.place = place
        }

        func put(_ bytes: [UInt8], from port: Port = .coordinator) { inbox.append((port, bytes)) }

        func receive(into message: inout Message) throws -> Arrival? {
            if inbox.isEmpty { return nil }
            let (port, bytes) = inbox.removeFirst()
            message = Message(copying: bytes)
            return .frame(port)
        }

        func send(_ message: consuming Message, to port: Port) throws -> Delivery {
            try network.send(message, to: port, from: self)
            return .queued
        }

        func connect(
            _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
        ) throws {}

        func disconnect(_ port: Port) {}
    }
}
