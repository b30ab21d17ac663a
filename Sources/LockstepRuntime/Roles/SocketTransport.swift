import Glibc
import LockstepProtocol
import TrainingPlan
package import ZeroMQ

/// The ZeroMQ sockets of one role: the ports that it binds, and the connections that it makes.
///
/// One frame a message. ROUTER (bound) and DEALER (connected), control and data apart.
package final class SocketTransport: Transport {
    private let context: Context
    private var poller = Poller()
    private var sockets: [PortSocket] = []
    /// Where to look first, so that every socket has its turn.
    private var nextSocket = 0
    /// Of the cluster; nil where anyone may come.
    private let key: ClusterKey?
    private let gatekeeper: Gatekeeper?
    private let handshakes: HandshakeWatch
    /// What each port was connected to last.
    private var places: [Port: Endpoint] = [:]

    /// A socket, what it stands for, and whether it may have something.
    private final class PortSocket {
        enum Kind: Hashable {
            case control, data
            case connection(Port)
        }

        let kind: Kind
        let socket: Socket
        let member: Poller.Member
        var isReadable = false

        init(_ kind: Kind, _ socket: consuming Socket, _ poller: inout Poller) {
            self.kind = kind
            self.socket = socket
            member = poller.add(self.socket)
        }
    }

    /// For a role that only connects.
    ///
    /// - Parameters:
    ///   - wakeUp: ends a wait.
    ///   - key: of the cluster.
    package convenience init(_ context: Context, wakeUp: WakeUp, key: ClusterKey? = nil) {
        self.init(context, wakeUp: wakeUp, key: key, gatekeeper: nil) { _ in }
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
        notice: @escaping (String) -> Void
    ) {
        self.context = context
        self.key = key
        self.gatekeeper = gatekeeper
        handshakes = HandshakeWatch(key, wakeUp: wakeUp, notice: notice)
        _ = poller.add(wakeUp)
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
        sockets.append(PortSocket(.control, socket, &poller))
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
        sockets.append(PortSocket(.data, socket, &poller))
        return bound
    }

    package func connect(
        _ port: Port, to endpoint: String, maximumFrameByteCount: Int
    ) throws {
        disconnect(port)
        let isControl = port == .coordinator
        let socket = try makeSocket(
            .dealer, maximumFrameByteCount: maximumFrameByteCount,
            sendMessages: isControl ? RoleLimits.controlMessages : RoleLimits.dataMessages,
            receiveMessages: RoleLimits.unreadMessages(frameByteCount: maximumFrameByteCount),
            lingerMilliseconds: isControl ? RoleLimits.controlLingerMilliseconds : 0)
        // Statements do not pile up for a coordinator that is not there; the newest is all that
        // counts. Data waits for its connection, so that it goes on where it was broken.
        try socket.set(.immediate, to: isControl)
        var place = try Endpoint(endpoint)
        if place.isEverywhere {
            // A port of the coordinator, which leaves to its members by which address they reach it.
            place = place.with(host: places[.coordinator]?.host ?? "127.0.0.1")
        }
        places[port] = place
        if isControl, place.transport == .tcp {
            try handshakes.watch(socket, connectingTo: place, in: context)
        }
        try socket.connect(to: place)
        sockets.append(PortSocket(.connection(port), socket, &poller))
    }

    package func disconnect(_ port: Port) {
        guard let index = sockets.firstIndex(where: { $0.kind == .connection(port) }) else {
            return
        }
        poller.remove(sockets[index].member)
        sockets.remove(at: index)
        nextSocket = 0
    }

    /// Says of a member that ends for want of a peer which port it does not reach, and from where.
    func explained(_ reason: StopReason) -> StopReason {
        guard reason.exitCode == .unavailable || reason.exitCode == .lostPeer else { return reason }
        for place in places.values where place.transport == .tcp {
            let found: String
            switch NameLookup(place).answer(withinMilliseconds: RoleLimits.reachMilliseconds) {
            case .success(let addresses):
                let way = Reachability.of(
                    addresses[0], timeoutMilliseconds: RoleLimits.reachMilliseconds)
                if way.isConnected { continue }
                found = "\(way)"
            case .failure(let problem): found = "\(problem)"
            case nil: found = "the resolver does not answer about \(place.host ?? place.text)"
            }
            // The coordinator's name has been named already where it does not resolve.
            return reason.text.contains(found)
                ? reason : StopReason(reason.exitCode, "\(reason.text) (\(found))")
        }
        return reason
    }

    private func makeSocket(
        _ kind: Socket.Kind, maximumFrameByteCount: Int, sendMessages: Int, receiveMessages: Int,
        lingerMilliseconds: Int
    ) throws(ZMQError) -> Socket {
        let socket = try Socket(kind, in: context)
        try socket.set(
            .maximumMessageByteCount,
            to: maximumFrameByteCount + (key == nil ? 0 : ClusterKey.frameOverheadByteCount))
        try socket.set(.sendHighWaterMark, to: sendMessages)
        try socket.set(.receiveHighWaterMark, to: receiveMessages)
        try socket.set(.lingerMilliseconds, to: lingerMilliseconds)
        try socket.set(.handshakeMilliseconds, to: RoleLimits.handshakeMilliseconds)
        try socket.set(.tcpUserTimeoutMilliseconds, to: RoleLimits.unacknowledgedMilliseconds)
        try socket.set(.tcpKeepAlive, to: true)
        try socket.set(.tcpKeepAliveIdleSeconds, to: RoleLimits.keepAliveIdleSeconds)
        try socket.set(.tcpKeepAliveIntervalSeconds, to: RoleLimits.keepAliveIntervalSeconds)
        if kind == .router {
            try socket.set(.routerMandatory, to: true)
            // Of two peers that announce the same routing id libzmq (4.3.4) ignores the second, and
            // never frees what came from it: 30 to 40 KB. So the second takes the place of the
            // first. Ours announce none.
            try socket.set(.routerHandover, to: true)
            // What does not begin as ZMTP 3, a browser, a scanner or a TLS client, is taken for a
            // peer of version 1, whose first bytes are its routing id. With a domain such peers are
            // refused; about the others nobody is asked, since there is no handler.
            try socket.set(.zapDomain, to: Gatekeeper.domain)
            if let key {
                try socket.set(.enforcesZAPDomain, to: true)
                try socket.useCurve(asServerWith: key.listener)
            }
        } else {
            if let key {
                try socket.useCurve(
                    asClientWith: key.member, serverKey: key.listener.publicKey)
            }
            try socket.set(
                .connectTimeoutMilliseconds, to: RoleLimits.connectTimeoutMilliseconds)
            try socket.set(.reconnectMilliseconds, to: RoleLimits.reconnectMilliseconds)
            try socket.set(
                .maximumReconnectMilliseconds, to: RoleLimits.maximumReconnectMilliseconds)
        }
        return socket
    }

    // MARK: Messages

    /// Waits until something may have come, the wake-up is signalled, or the time is over.
    ///
    /// - Throws: ``RoleError`` with `refusedByKey` where the coordinator takes another key, or
    ///   none.
    func wait(milliseconds: Int) throws {
        try poller.wait(timeoutMilliseconds: milliseconds)
        try handshakes.check()
        for socket in sockets {
            socket.isReadable = poller.events(of: socket.member).contains(.readable)
        }
    }

    package func receive(into message: inout Message) throws -> Arrival? {
        for _ in sockets.indices {
            let socket = sockets[nextSocket]
            nextSocket = nextSocket + 1 < sockets.count ? nextSocket + 1 : 0
            guard socket.isReadable else { continue }
            if let arrival = try receive(into: &message, from: socket) { return arrival }
            socket.isReadable = false
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

/// Binds, and names the endpoint, and where it can be known its holder, if that does not work.
func bindNaming(_ socket: borrowing Socket, to endpoint: Endpoint) throws -> Endpoint {
    do {
        return try socket.bind(to: endpoint)
    } catch let error {
        guard error.code == EADDRINUSE else {
            throw RoleError(.unavailable, "cannot bind \(endpoint.text): \(error)")
        }
        let holder = PortHolder.find(port: endpoint.port ?? 0).map { " by \($0)" } ?? ""
        throw RoleError(
            .unavailable,
            "\(endpoint.text) is in use\(holder): stop it, or give another port with "
                + "--bind (of launch: --port)")
    }
}

/// The first of several that is free.
private func bindNaming(
    _ socket: borrowing Socket, toFirstFreeOf endpoints: [Endpoint]
) throws -> Endpoint {
    for endpoint in endpoints.dropLast() {
        do throws(ZMQError) {
            return try socket.bind(to: endpoint)
        } catch {
            guard error.code == EADDRINUSE else { throw error }
        }
    }
    guard let first = endpoints.first, let last = endpoints.last else {
        preconditionFailure("there is nowhere to bind")
    }
    do {
        return try bindNaming(socket, to: last)
    } catch let error as RoleError where endpoints.count > 1 {
        throw RoleError(
            error.reason.exitCode,
            "no data port from \(first.text) to \(last.text) is free; give others with "
                + "--data-ports")
    }
}
