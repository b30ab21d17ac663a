import LockstepProtocol
package import LockstepRuntime
import TrainingPlan
package import ZeroMQ

/// Connections between simulated processes, as ZeroMQ gives them, and what a network does to
/// frames.
///
/// Frames of one connection stay in order unless a fault puts them out of it. A connection that is
/// reset loses what is on its way, and comes back under another handle.
package final class SimulatedNetwork {
    /// A connection of a client's DEALER to a server's ROUTER.
    final class Connection {
        let client: Int
        /// What it is for the client.
        let port: Port
        let server: Int
        let isControl: Bool
        /// What it is for the server; another one after every reset.
        var handle: PeerHandle
        /// Until then the client has no connection; data waits for it, statements do not.
        var downUntil: Microseconds = 0
        /// Frames that were sent before belong to the connection that was reset.
        var epoch = 0
        var isClosed = false
        /// What it has sent still arrives.
        var hasClientLeft = false
        /// The last time that a frame arrives, to the server and to the client.
        var lastArrival: (up: Microseconds, down: Microseconds) = (0, 0)

        init(client: Int, port: Port, server: Int, isControl: Bool, handle: PeerHandle) {
            self.client = client
            self.port = port
            self.server = server
            self.isControl = isControl
            self.handle = handle
        }
    }

    /// A frame on its way.
    final class Flight {
        var message: Message
        let connection: Connection
        let epoch: Int
        let isUp: Bool

        init(_ message: consuming Message, _ connection: Connection, isUp: Bool) {
            self.message = message
            self.connection = connection
            epoch = connection.epoch
            self.isUp = isUp
        }
    }

    /// What happens to a frame.
    enum Fate {
        case arrives
        case isLost
        case arrivesTwice
        case isLate(Microseconds)
    }

    private let time: SimulatedTime
    private var connections: [Connection] = []
    private var nextHandle: UInt32 = 1
    private var random: SimulatedRandom
    /// Decides about each frame.
    var fate: () -> Fate = { .arrives }
    /// From a process to another, nothing arrives before this time: it is clogged.
    private var clogs: [Int: Microseconds] = [:]
    /// Or is lost.
    private var partitions: [Int: Microseconds] = [:]
    /// Takes the arrivals.
    private let agenda: Agenda
    var trace: Trace?
    private(set) var inFlight = 0
    private(set) var mostInFlight = 0

    /// As between hosts of one room.
    private static let latency: ClosedRange<Int> = 80...120
    private static let reconnecting: ClosedRange<Int> = 10_000...20_000

    init(_ time: SimulatedTime, random: SimulatedRandom, agenda: Agenda) {
        self.time = time
        self.random = random
        self.agenda = agenda
    }

    // MARK: Connections

    static func endpoint(of process: Int, isControl: Bool) -> String {
        "sim://\(process)/\(isControl ? "control" : "data")"
    }

    func connect(_ client: Int, _ port: Port, to endpoint: String) {
        disconnect(client, port)
        let parts = endpoint.split(separator: "/")
        guard parts.count == 3, let server = Int(parts[1]) else {
            preconditionFailure("\(endpoint) is not a simulated endpoint")
        }
        connections.append(
            Connection(
                client: client, port: port, server: server, isControl: parts[2] == "control",
                handle: takeHandle()))
    }

    func disconnect(_ client: Int, _ port: Port) {
        guard
            let index = connections.firstIndex(where: { $0.client == client && $0.port == port })
        else { return }
        connections[index].isClosed = true
        connections.remove(at: index)
    }

    /// A process has ended. What it has sent still arrives: sockets linger.
    func close(_ process: Int) {
        for connection in connections where connection.client == process {
            connection.hasClientLeft = true
        }
        connections.removeAll { $0.client == process || $0.server == process }
    }

    /// A process is killed: what is on its way to it and from it is lost, and its peers connect
    /// again to whatever is started in its place.
    func kill(_ process: Int) {
        for connection in connections {
            if connection.client == process { connection.isClosed = true }
            if connection.server == process { breakOff(connection) }
        }
        connections.removeAll { $0.client == process }
    }

    private func breakOff(_ connection: Connection) {
        connection.epoch += 1
        connection.handle = takeHandle()
        connection.downUntil = time.now + UInt64(random.int(Self.reconnecting))
    }

    private func takeHandle() -> PeerHandle {
        defer { nextHandle += 1 }
        return PeerHandle(rawValue: nextHandle)
    }

    // MARK: Faults

    /// Breaks a connection, if there is one: the same client comes back by a new one.
    func reset(number: Int) -> String? {
        guard !connections.isEmpty else { return nil }
        let connection = connections[number % connections.count]
        breakOff(connection)
        return "\(connection.client) \(connection.port) → \(connection.server)"
    }

    func partition(from sender: Int, to receiver: Int, until end: Microseconds) {
        partitions[pair(sender, receiver)] = end
    }

    func clog(from sender: Int, to receiver: Int, until end: Microseconds) {
        clogs[pair(sender, receiver)] = end
    }

    private func pair(_ sender: Int, _ receiver: Int) -> Int { sender << 16 | receiver }

    // MARK: Frames

    func send(_ message: consuming Message, from client: Int, _ port: Port) -> Delivery {
        guard
            let connection = connections.first(where: { $0.client == client && $0.port == port })
        else { return .dropped }
        if time.now < connection.downUntil, connection.isControl { return .dropped }
        put(Flight(message, connection, isUp: true))
        return .queued
    }

    func send(_ message: consuming Message, from server: Int, to peer: PeerHandle) -> Delivery {
        guard
            let connection = connections.first(where: {
                $0.server == server && $0.handle == peer
            }), time.now >= connection.downUntil
        else { return .unreachable }
        put(Flight(message, connection, isUp: false))
        return .queued
    }

    private func put(_ flight: Flight) {
        let connection = flight.connection
        let (sender, receiver) =
            flight.isUp
            ? (connection.client, connection.server) : (connection.server, connection.client)
        let direction = pair(sender, receiver)
        if let end = partitions[direction], time.now < end {
            trace?.frame(flight, "lost in a partition")
            return
        }
        let start = max(
            time.now, connection.downUntil, clogs[direction] ?? 0)
        var arrival = start + UInt64(random.int(Self.latency))
        switch fate() {
        case .arrives: break
        case .isLost:
            trace?.frame(flight, "lost")
            return
        case .arrivesTwice:
            let again = Flight(flight.message.sharedCopy(), connection, isUp: flight.isUp)
            trace?.frame(again, "repeated")
            add(again, at: arrival + UInt64(random.int(0...50_000)))
        case .isLate(let delay):
            // Others overtake it.
            trace?.frame(flight, "late by \(delay / 1_000) ms")
            return add(flight, at: arrival + delay)
        }
        if flight.isUp {
            arrival = max(arrival, connection.lastArrival.up)
            connection.lastArrival.up = arrival
        } else {
            arrival = max(arrival, connection.lastArrival.down)
            connection.lastArrival.down = arrival
        }
        add(flight, at: arrival)
    }

    private func add(_ flight: Flight, at arrival: Microseconds) {
        inFlight += 1
        mostInFlight = max(mostInFlight, inFlight)
        agenda.add(.arrival(flight), at: arrival)
    }

    /// Whether a flight still arrives, and where: not over a connection that was reset or closed.
    func arrive(_ flight: Flight) -> (process: Int, port: Port)? {
        inFlight -= 1
        let connection = flight.connection
        guard !connection.isClosed, connection.epoch == flight.epoch,
            flight.isUp || !connection.hasClientLeft
        else {
            trace?.frame(flight, "lost with its connection")
            return nil
        }
        trace?.frame(flight, nil)
        guard flight.isUp else { return (connection.client, connection.port) }
        let handle = connection.handle
        return (
            connection.server, connection.isControl ? .controlPeer(handle) : .dataPeer(handle)
        )
    }
}

/// The sockets of one simulated process.
package final class SimulatedTransport: Transport {
    private let process: Int
    private let network: SimulatedNetwork
    /// What has arrived, and the place of the next one.
    private var inbox: [(port: Port, flight: SimulatedNetwork.Flight)] = []
    private var next = 0

    init(_ process: Int, _ network: SimulatedNetwork) {
        self.process = process
        self.network = network
    }

    var isEmpty: Bool { next == inbox.count }
    var unreadCount: Int { inbox.count - next }

    /// The process was killed.
    func clear() {
        inbox.removeAll()
        next = 0
    }

    func deliver(_ flight: SimulatedNetwork.Flight, from port: Port) {
        inbox.append((port, flight))
    }

    package func receive(into message: inout Message) -> Arrival? {
        guard next < inbox.count else {
            if next > 0 { inbox.removeAll(keepingCapacity: true) }
            next = 0
            return nil
        }
        let (port, flight) = inbox[next]
        next += 1
        swap(&message, &flight.message)
        return .frame(port)
    }

    package func send(_ message: consuming Message, to port: Port) -> Delivery {
        switch port {
        case .controlPeer(let peer), .dataPeer(let peer):
            network.send(message, from: process, to: peer)
        case .coordinator, .coordinatorData, .shard: network.send(message, from: process, port)
        }
    }

    package func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
    ) {
        network.connect(process, port, to: endpoint)
    }

    package func disconnect(_ port: Port) { network.disconnect(process, port) }
}
