import LockstepProtocol
package import ZeroMQ

/// Where a role binds, and where others find what it binds: at another address behind a router that
/// translates addresses, a container's bridge or a second interface.
package struct ListeningAddress: Sendable {
    /// TCP, or the path of a socket; port 0 lets the system choose.
    package var bind: Endpoint
    /// What others connect to; nil for what is bound. Without a port it is the one that is bound.
    package var advertised: Endpoint?
    /// Data ports are the first of these that are free; nil for those behind the port of `bind`.
    package var dataPorts: ClosedRange<UInt16>?

    package init(
        bind: Endpoint, advertised: Endpoint? = nil, dataPorts: ClosedRange<UInt16>? = nil
    ) {
        self.bind = bind
        self.advertised = advertised
        self.dataPorts = dataPorts
    }

    /// Where a data port may be bound beside a control port, to be tried in this order.
    ///
    /// In a folder: beside the coordinator's socket. On loopback: at a port from the system.
    /// Beyond, and where the port is translated: at fixed ports, for firewalls.
    ///
    /// - Parameters:
    ///   - index: 0 for the coordinator's own, from 1 for those of its servers.
    ///   - control: the control port, bound.
    func dataEndpoints(_ index: Int, beside control: Endpoint) throws -> [Endpoint] {
        guard control.transport == .tcp else { return [try control.sibling("data-\(index)")] }
        if let dataPorts { return dataPorts.map(control.with(port:)) }
        guard !control.isLoopback || advertised?.port != nil else {
            return [control.with(port: 0)]
        }
        guard let endpoint = control.port(above: 1 + index) else {
            throw RoleError(
                .usage,
                "--bind \(control.text): the data ports lie above it, and there is no port "
                    + "above 65535; give a lower port")
        }
        return [endpoint]
    }

    /// Where a server that is started by itself may be bound.
    var serverEndpoints: [Endpoint] { dataPorts.map { $0.map(bind.with(port:)) } ?? [bind] }

    /// Where a worker's server may be bound, to be tried in this order: at the ports that were
    /// named, or behind those of a coordinator that listens at `control`, which may be on the same
    /// host.
    func workerEndpoints(beside control: Endpoint) -> [Endpoint] {
        if let dataPorts { return dataPorts.map(control.with(port:)) }
        return (1...Self.workerPorts).compactMap { control.port(above: $0) }
    }

    /// More workers on one host than this have to be given ports.
    private static let workerPorts = 64

    /// What others connect to in place of `bound`; with `*` for the host it is the coordinator's,
    /// by which address they reach it.
    ///
    /// - Parameter control: the control port of this process, bound; nil where it has none. The
    ///   port that is advertised is the control port's then, and data ports keep their distance
    ///   from it, unless they were named.
    func endpointForOthers(_ bound: Endpoint, control: Endpoint?) throws -> Endpoint {
        guard let advertised, let port = bound.port else {
            return bound.isEverywhere ? bound.with(host: "*") : bound
        }
        guard let outer = advertised.port else { return advertised.with(port: port) }
        guard let control, bound != control else { return advertised }
        guard dataPorts == nil, let inner = control.port else {
            return advertised.with(port: port)
        }
        guard let endpoint = advertised.port(above: Int(port) - Int(inner)) else {
            throw RoleError(
                .usage,
                "--advertise \(advertised.text): the data ports keep their distance from "
                    + "\(outer), and \(Int(outer) + Int(port) - Int(inner)) is not a valid "
                    + "port; name them with --data-ports")
        }
        return endpoint
    }
}
