import ArgumentParser
import LockstepRuntime
import Logging
import ZeroMQ

/// Where a role listens, and what it tells others.
struct EndpointOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What workers on other hosts connect to, where that is not the address bound to.",
            valueName: "host"))
    var advertise: String?

    @OptionGroup var keyOptions: KeyOptions

    /// The endpoint to bind to, if it may be.
    ///
    /// - Parameter portCount: how many ports from its own on are bound beyond loopback: that of the
    ///   control plane, that of the data plane, and one for each server that this process hosts.
    /// - Throws: ``UsageError`` for one beyond loopback without a key or `--insecure`, for one that
    ///   leaves others no address to connect to, and for one with too few ports above it.
    func endpoint(
        bind text: String, portCount: Int = 1, key: ClusterKey?, logger: Logger
    ) throws(UsageError) -> Endpoint {
        let endpoint = try tcpEndpoint(text, flag: "--bind")
        try checkPorts(of: endpoint, portCount)
        var exposed = endpoint.isLoopback ? nil : "--bind \(text)"
        if let advertise {
            do throws(EndpointError) {
                let advertised = try Endpoint.tcp(host: advertise, port: 1)
                if !advertised.isLoopback { exposed = exposed ?? "--advertise \(advertise)" }
            } catch {
                throw UsageError(
                    "--advertise \(advertise)", error.problem.rawValue,
                    "give a host's name or address alone")
            }
        } else if endpoint.isEverywhere {
            throw UsageError(
                "--bind \(text)", "this names no address that others can connect to",
                "add --advertise HOST")
        }
        if let exposed {
            try keyOptions.check(exposed, isBeyondThisHost: true, key)
            if key == nil {
                logger.warning(
                    "\(exposed): anyone who reaches this address can read and disturb the run")
            }
        }
        return endpoint
    }

    /// On loopback the ports beyond the first are the system's choice.
    private func checkPorts(of endpoint: Endpoint, _ portCount: Int) throws(UsageError) {
        guard !endpoint.isLoopback, let port = endpoint.port.map(Int.init),
            endpoint.port(above: portCount - 1) == nil
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
            "--bind \(endpoint.text)",
            "\(portCount) ports are needed, \(uses), and 65535 is the last",
            "give a port up to \(65_536 - portCount)")
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
