import Glibc
import LockstepProtocol
import ZeroMQ

/// How sockets are made and bound, and what to say of a port that is not reached.
extension SocketTransport {
    func makeSocket(
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

    /// Says of a member that ends for want of a peer which port it does not reach, and from where.
    func explained(_ reason: StopReason) -> StopReason {
        guard reason.exitCode == .unavailable || reason.exitCode == .lostPeer else { return reason }
        let ports = places.values.filter { $0.transport == .tcp }
        // Others than the one that the reason names may be closed because the session has ended.
        let named = ports.filter { reason.text.contains($0.text) }
        for place in named.isEmpty ? ports : named {
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
                + "--bind (of launch: --port; for a shard: --data-ports)")
    }
}

/// The first of several that is free.
func bindNaming(
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
        throw RoleError(
            .usage,
            "data ports lie behind the coordinator's port, which is the last there is; name some with "
                + "--data-ports")
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
