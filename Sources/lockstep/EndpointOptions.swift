import ArgumentParser
import LockstepRuntime
import Logging
import ZeroMQ

/// Where a role listens, and what it tells others.
struct EndpointOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What members on other hosts connect to, where that is not the address bound to; with a "
                + "port, the data ports keep their distance from it.",
            valueName: "host[:port]"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "Bind data ports to the first of these that are free, 29501-29540 for example; default "
                + "those behind the port of the coordinator.", valueName: "first-last"))
    var dataPorts: String?

    @OptionGroup var keyOptions: KeyOptions

    /// Where a coordinator listens, if it may.
    ///
    /// - Parameter dataPortCount: how many data ports are bound: its own, and one for each server
    ///   that it hosts.
    /// - Throws: ``UsageError`` for an address beyond loopback without a key or `--insecure`, and
    ///   for too few ports.
    func coordinatorAddress(
        bind text: String, dataPortCount: Int, key: ClusterKey?, logger: Logger
    ) throws(UsageError) -> ListeningAddress {
        let endpoint = try tcpEndpoint(text, flag: "--bind")
        let ports = try dataPortRange()
        if let ports, let dataPorts {
            guard ports.count >= dataPortCount else {
                throw UsageError(
                    "--data-ports \(dataPorts)", "\(dataPortCount) ports are needed",
                    "widen the range, or choose fewer --servers")
            }
            guard endpoint.port.map({ !ports.contains($0) }) ?? true else {
                throw UsageError(
                    "--data-ports \(dataPorts)", "the port of --bind \(text) is one of them",
                    "choose ports beside it")
            }
        } else {
            let outer = try advertised()
            // Loopback ports are the system's choice, unless they are translated.
            if !endpoint.isLoopback || outer?.port != nil {
                try Self.checkPorts(of: endpoint, 1 + dataPortCount, flag: "--bind")
            }
            if let outer { try Self.checkPorts(of: outer, 1 + dataPortCount, flag: "--advertise") }
        }
        return try address(endpoint, text, ports, key, logger)
    }

    /// Where a server that is started by itself listens, if it may.
    ///
    /// - Throws: ``UsageError``, also for an address that leaves others none to connect to.
    func serverAddress(
        bind text: String, key: ClusterKey?, logger: Logger
    ) throws(UsageError) -> ListeningAddress {
        let endpoint = try tcpEndpoint(text, flag: "--bind")
        let ports = try dataPortRange()
        guard ports == nil || endpoint.port == nil else {
            throw UsageError(
                "--bind \(text)", "--data-ports says which ports to use", "give port 0 here")
        }
        guard !endpoint.isEverywhere || advertise != nil else {
            throw UsageError(
                "--bind \(text)", "this names no address that others can connect to",
                "add --advertise HOST")
        }
        return try address(endpoint, text, ports, key, logger)
    }

    private func address(
        _ endpoint: Endpoint, _ text: String, _ ports: ClosedRange<UInt16>?, _ key: ClusterKey?,
        _ logger: Logger
    ) throws(UsageError) -> ListeningAddress {
        let advertised = try advertised()
        var exposed = endpoint.isLoopback ? nil : "--bind \(text)"
        if let advertised, let advertise, !advertised.isLoopback {
            exposed = exposed ?? "--advertise \(advertise)"
        }
        if let exposed {
            try keyOptions.check(exposed, isBeyondThisHost: true, key)
            if key == nil {
                logger.warning(
                    "\(exposed): anyone who reaches this address can read and disturb the run")
            }
        }
        return ListeningAddress(bind: endpoint, advertised: advertised, dataPorts: ports)
    }

    /// The host of `--advertise`, with its port if it has one.
    func advertised() throws(UsageError) -> Endpoint? { try Self.advertised(advertise) }

    static func advertised(_ advertise: String?) throws(UsageError) -> Endpoint? {
        guard let advertise else { return nil }
        let hasPort = advertise.contains("]:") || advertise.count(where: { $0 == ":" }) == 1
        do throws(EndpointError) {
            let endpoint =
                try hasPort
                ? Endpoint("tcp://\(advertise)") : Endpoint.tcp(host: advertise, port: 0)
            if !endpoint.isEverywhere { return endpoint }
        } catch {
            throw UsageError(
                "--advertise \(advertise)", error.problem.rawValue,
                "give a host's name or address, and a port if it is another one there")
        }
        throw UsageError(
            "--advertise \(advertise)", "this names no address that others can connect to",
            "give one of this host")
    }

    /// The ports of `--data-ports`.
    func dataPortRange() throws(UsageError) -> ClosedRange<UInt16>? {
        try Self.dataPortRange(dataPorts)
    }

    static func dataPortRange(_ dataPorts: String?) throws(UsageError) -> ClosedRange<UInt16>? {
        guard let dataPorts else { return nil }
        let ends = dataPorts.split(separator: "-", omittingEmptySubsequences: false).map {
            UInt16($0) ?? 0
        }
        guard ends.count <= 2, let first = ends.first, let last = ends.last, first > 0,
            first <= last
        else {
            throw UsageError(
                "--data-ports \(dataPorts)", "this is not a range of ports",
                "give for example 29501-29540")
        }
        return first...last
    }

    /// Each server has a port of its own, behind that for data.
    static func checkPorts(
        of endpoint: Endpoint, _ portCount: Int, flag: String
    ) throws(UsageError) {
        guard let port = endpoint.port.map(Int.init), endpoint.port(above: portCount - 1) == nil
        else { return }
        let uses =
            switch portCount - 2 {
            case ...0: "\(port) for control and \(port + 1) for data"
            case 1: "\(port) for control, \(port + 1) for data and \(port + 2) for the server"
            case let servers:
                "\(port) for control, \(port + 1) for data and \(port + 2) to "
                    + "\(port + 1 + servers) for \(servers) servers"
            }
        throw UsageError(
            "\(flag) \(endpoint.text)",
            "\(portCount) ports are needed, \(uses), and 65535 is the last",
            "give a port up to \(65_536 - portCount), or others for data with --data-ports")
    }
}

/// A tcp endpoint that a flag names.
func tcpEndpoint(_ text: String, flag: String) throws(UsageError) -> Endpoint {
    let endpoint = try Endpoint(text, flag: flag)
    guard endpoint.transport == .tcp else {
        throw UsageError("\(flag) \(text)", "other processes find it over tcp only", endpointRemedy)
    }
    return endpoint
}

private let endpointRemedy = "write tcp://HOST:PORT, for example tcp://127.0.0.1:29500"

extension Endpoint {
    fileprivate init(_ text: String, flag: String) throws(UsageError) {
        do throws(EndpointError) {
            try self.init(text)
        } catch {
            throw UsageError("\(flag) \(text)", error.problem.rawValue, endpointRemedy)
        }
    }
}

/// The coordinator that a worker or a server joins.
func coordinatorEndpoint(_ text: String) throws(UsageError) -> Endpoint {
    let endpoint = try Endpoint(text, flag: "--coordinator")
    guard endpoint.isConnectable else {
        throw UsageError(
            "--coordinator \(text)", "this names no single host and port",
            "give the address that the coordinator bound to")
    }
    return endpoint
}
