import Glibc
import LockstepProtocol
import TrainingPlan
package import ZeroMQ

/// The ZeroMQ sockets of one role: the ports that it binds, and the connections that it makes.
///
/// One frame a message. ROUTER (bound) and DEALER (connected), control and data apart.
package final class SocketTransport: Transport {
    let context: Context
    private let watch: SocketWatch
    private var sockets: [PortSocket] = []
    /// Ways to peers of this host beside the sockets, by port.
    var channels: [(port: Port, channel: any DirectChannel)] = []
    /// Where to look first, so that every socket has its turn.
    private var nextSocket = 0
    /// Of the cluster; nil where anyone may come.
    let key: ClusterKey?
    private let gatekeeper: Gatekeeper?
    private let handshakes: HandshakeWatch
    /// What each port was connected to last.
    private(set) var places: [Port: Endpoint] = [:]
    /// Another role of this thread, which waits as this one does, and where it is bound.
    var neighbour: (transport: SocketTransport, endpoint: String)?

    /// A socket, what it stands for, and whether it may have something.
    private final class PortSocket {
        enum Kind: Hashable {
            case control, data
            case connection(Port)
        }

        let kind: Kind
        let socket: Socket
        let member: Poller.Member
        /// Whether it lies in a folder that only this user can enter.
        let isPath: Bool
        var isReadable = false

        init(_ kind: Kind, _ socket: consuming Socket, isPath: Bool, _ watch: SocketWatch) {
            self.isPath = isPath
            self.kind = kind
            self.socket = socket
            member = watch.poller.add(self.socket)
        }
    }

    /// What one thread waits for: the sockets of its roles.
    final class SocketWatch {
        var poller = Poller()
    }

    /// For a role that only connects.
    ///
    /// - Parameters:
    ///   - wakeUp: ends a wait.
    ///   - key: of the cluster.
    package convenience init(_ context: Context, wakeUp: WakeUp, key: ClusterKey? = nil) {
        self.init(context, wakeUp: wakeUp, key: key, gatekeeper: nil) { _ in }
    }

    /// For a second role in the thread of another, which it waits together with.
    ///
    /// - Parameter gatekeeper: of the context; nil where anyone may come.
    convenience init(
        beside other: SocketTransport, wakeUp: WakeUp, gatekeeper: Gatekeeper?,
        notice: @escaping (String) -> Void
    ) {
        self.init(
            other.context, wakeUp: wakeUp, key: gatekeeper?.key, gatekeeper: gatekeeper,
            watch: other.watch, notice: notice)
    }

    /// For a role that binds.
    ///
    /// - Parameters:
    ///   - gatekeeper: of the context; nil where anyone may come.
    ///   - notice: told of peers that are turned away.
    convenience init(
        _ context: Context, wakeUp: WakeUp, gatekeeper: Gatekeeper?,
        notice: @escaping (String) -> Void
    ) {
        self.init(
            context, wakeUp: wakeUp, key: gatekeeper?.key, gatekeeper: gatekeeper, notice: notice)
    }

    private init(
        _ context: Context, wakeUp: WakeUp, key: ClusterKey?, gatekeeper: Gatekeeper?,
        watch: SocketWatch? = nil, notice: @escaping (String) -> Void
    ) {
        self.watch = watch ?? SocketWatch()
        self.context = context
        self.key = key
        self.gatekeeper = gatekeeper
        handshakes = HandshakeWatch(key, wakeUp: wakeUp, notice: notice)
        if watch == nil { _ = self.watch.poller.add(wakeUp) }
    }

    deinit {
        // The watch may be another role's as well.
        for socket in sockets { watch.poller.remove(socket.member) }
    }

    // MARK: Ports

    /// Binds the control port.
    ///
    /// - Parameters:
    ///   - inproc: a second endpoint, for servers in this process.
    ///   - maximumFrameByteCount: of what comes: a statement, or a step report of any run.
    /// - Returns: the endpoint that it came to be.
    func bindControl(
        to endpoint: Endpoint, inproc: Endpoint, maximumFrameByteCount: Int
    ) throws -> Endpoint {
        let socket = try makeSocket(
            .router, maximumFrameByteCount: maximumFrameByteCount,
            sendMessages: RoleLimits.controlMessages, receiveMessages: RoleLimits.controlMessages,
            lingerMilliseconds: RoleLimits.controlLingerMilliseconds)
        let bound = try bindNaming(socket, to: endpoint)
        try gatekeeper?.prove(bound, in: context)
        try handshakes.watch(socket, in: context)
        try socket.bind(to: inproc)
        sockets.append(PortSocket(.control, socket, isPath: bound.transport == .ipc, watch))
        return bound
    }

    /// Binds the data port.
    ///
    /// - Parameters:
    ///   - endpoints: the first of them that is free is taken.
    ///   - maximumFrameByteCount: of what comes, and of what goes. A peer that reads nothing of
    ///     what it asks for keeps no more of it in memory than of what it sends.
    func bindData(to endpoints: [Endpoint], maximumFrameByteCount: Int) throws -> Endpoint {
        let messages = RoleLimits.unreadMessages(frameByteCount: maximumFrameByteCount)
        let socket = try makeSocket(
            .router, maximumFrameByteCount: maximumFrameByteCount, sendMessages: messages,
            receiveMessages: messages, lingerMilliseconds: 0)
        let bound = try bindNaming(socket, toFirstFreeOf: endpoints)
        try gatekeeper?.prove(bound, in: context)
        sockets.append(PortSocket(.data, socket, isPath: bound.transport == .ipc, watch))
        return bound
    }

    package func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int, channel: ChannelSize?
    ) throws {
        disconnect(port)
        if let neighbour, endpoint == neighbour.endpoint {
            let (here, there) = LocalChannel.pair()
            channels.append((port, here))
            return neighbour.transport.open(there, for: .dataPeer(.sameThread))
        }
        let isControl = port == .coordinator
        let socket = try makeSocket(
            .dealer, maximumFrameByteCount: maximumFrameByteCount,
            sendMessages: isControl ? RoleLimits.controlMessages : RoleLimits.dataMessages,
            receiveMessages: RoleLimits.unreadMessages(frameByteCount: maximumFrameByteCount),
            lingerMilliseconds: isControl ? RoleLimits.controlLingerMilliseconds : 0)
        // Statements do not pile up for a coordinator that is not there; the newest is all that
        // counts. Data waits for its connection, so that it continues where it was broken.
        try socket.set(.immediate, to: isControl)
        var place = try Endpoint(endpoint)
        if place.isEverywhere {
            // A port of the coordinator, which leaves to its members by which address they reach
            // it.
            place = place.with(host: places[.coordinator]?.host ?? "127.0.0.1")
        }
        places[port] = place
        if isControl, place.transport == .tcp {
            try handshakes.watch(socket, connectingTo: place, in: context)
        }
        try socket.connect(to: place)
        if place.transport == .ipc, let channel {
            try offerMemory(channel, for: port, over: socket)
        }
        sockets.append(
            PortSocket(.connection(port), socket, isPath: place.transport == .ipc, watch))
    }

    package func disconnect(_ port: Port) {
        channels.removeAll { $0.port == port }
        guard let index = sockets.firstIndex(where: { $0.kind == .connection(port) }) else {
            return
        }
        watch.poller.remove(sockets[index].member)
        sockets.remove(at: index)
        nextSocket = 0
    }

    // MARK: Messages

    /// Waits until something may have come, the wake-up is signalled, or the time is over.
    ///
    /// - Throws: ``RoleError`` with `refusedByKey` where the coordinator takes another key, or
    ///   none.
    func wait(milliseconds: Int) throws {
        let sleeps = milliseconds > 0 && !hasMessage
        if sleeps { fallAsleep(true) }
        // What came before the other side could know of it needs no waking.
        try watch.poller.wait(timeoutMilliseconds: sleeps && !hasMessage ? milliseconds : 0)
        if sleeps { fallAsleep(false) }
        try look()
        try neighbour?.transport.look()
    }

    /// Looks at what may have come without waiting for it: at the channels for a moment, because
    /// that takes no system call, then once at the sockets.
    func lookAgain(_ isAwake: () -> Bool) throws {
        if hasChannels {
            for _ in 0..<RoleLimits.looksAtChannels {
                if hasMessage { return }
                guard isAwake() else { break }
            }
        }
        try wait(milliseconds: 0)
    }

    /// Takes note of what the last wait found.
    private func look() throws {
        try handshakes.check()
        for socket in sockets {
            socket.isReadable = watch.poller.events(of: socket.member).contains(.readable)
        }
    }

    func fallAsleep(_ isAsleep: Bool) {
        for (_, channel) in channels { channel.sleeps(isAsleep) }
        neighbour?.transport.fallAsleep(isAsleep)
    }

    package func receive(into message: inout Message) throws -> Arrival? {
        for (port, channel) in channels where channel.receive(into: &message) {
            return .frame(port)
        }
        for _ in sockets.indices {
            let socket = sockets[nextSocket]
            nextSocket = nextSocket + 1 < sockets.count ? nextSocket + 1 : 0
            guard socket.isReadable else { continue }
            guard let arrival = try receive(into: &message, from: socket) else {
                socket.isReadable = false
                continue
            }
            // Only who can enter the folder of the socket has anything to say of channels, and one
            // such frame a turn is looked at.
            guard socket.isPath, case .frame(let port) = arrival, let frame = ChannelFrame(message)
            else { return arrival }
            take(frame, from: port)
        }
        return nil
    }

    private func receive(
        into message: inout Message, from socket: PortSocket
    ) throws(ZMQError) -> Arrival? {
        switch socket.kind {
        case .connection(let port):
            switch try socket.socket.receive(into: &message) {
            case .nothing: return nil
            case .malformed: return .junk(nil)
            case .message:
                if port == .coordinator { handshakes.succeeded() }
                return .frame(port)
            }
        case .control, .data:
            switch try socket.socket.receiveRouted(into: &message) {
            case .nothing: return nil
            case .malformed(let peer, _):
                return .junk(peer.map { PeerHandle(rawValue: $0.rawValue) })
            case .message(let sender):
                let peer = PeerHandle(rawValue: sender.rawValue)
                return .frame(socket.kind == .control ? .controlPeer(peer) : .dataPeer(peer))
            }
        }
    }

    package func send(_ message: consuming Message, to port: Port) throws -> Delivery {
        if let channel = channels.first(where: { $0.port == port })?.channel {
            var message = message
            switch channel.send(&message) {
            case .sent: return .queued
            case .sentToSleeper: return try sendOverSocket(ChannelFrame.wake(), to: port)
            case .refused: return try sendOverSocket(message, to: port)
            }
        }
        return try sendOverSocket(message, to: port)
    }

    private func sendOverSocket(
        _ message: consuming Message, to port: Port
    ) throws -> Delivery {
        switch port {
        case .controlPeer(let peer): try send(message, to: peer, of: .control)
        case .dataPeer(let peer): try send(message, to: peer, of: .data)
        case .coordinator, .coordinatorData, .shard:
            try send(message, of: .connection(port))
        }
    }

    private func send(
        _ message: consuming Message, of kind: PortSocket.Kind
    ) throws -> Delivery {
        guard let socket = sockets.first(where: { $0.kind == kind }) else { return .dropped }
        return try socket.socket.send(message).isSent ? .queued : .dropped
    }

    private func send(
        _ message: consuming Message, to peer: PeerHandle, of kind: PortSocket.Kind
    ) throws -> Delivery {
        guard let socket = sockets.first(where: { $0.kind == kind }) else { return .unreachable }
        switch try socket.socket.send(message, to: RoutingID(rawValue: peer.rawValue)) {
        case .sent: return .queued
        case .wouldBlock: return .dropped
        case .unreachable: return .unreachable
        }
    }
}
