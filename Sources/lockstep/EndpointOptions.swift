import ArgumentParser
import Logging
import ZeroMQ

/// Where a role listens, and what it tells others.
struct EndpointOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What workers on other hosts connect to, where that is not the address bound to.",
            valueName: "host"))
    var advertise: String?

    @Flag(help: "Allow addresses beyond this host, though nothing is encrypted or authenticated.")
    var insecure = false

    /// The endpoint to bind to, if it may be.
    ///
    /// - Throws: ``UsageError`` for one beyond loopback without `--insecure`, and for one that
    ///   leaves others no address to connect to.
    func endpoint(bind text: String, logger: Logger) throws(UsageError) -> Endpoint {
        let endpoint = try tcpEndpoint(text, flag: "--bind")
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
        } else if ["*", "0.0.0.0", "::"].contains(endpoint.host) {
            throw UsageError(
                "--bind \(text)", "this names no address that others can connect to",
                "add --advertise HOST")
        }
        if let exposed {
            guard insecure else {
                throw UsageError(
                    exposed,
                    "this can be reached from other hosts, and nothing is encrypted or authenticated",
                    "use 127.0.0.1, or add --insecure in a network that you trust")
            }
            logger.warning(
                "\(exposed): anyone who reaches this address can read and disturb the run")
        }
        return endpoint
    }
}

/// A tcp endpoint that a flag names.
func tcpEndpoint(_ text: String, flag: String) throws(UsageError) -> Endpoint {
    let remedy = "write tcp://HOST:PORT, for example tcp://127.0.0.1:29500"
    let endpoint: Endpoint
    do throws(EndpointError) {
        endpoint = try Endpoint(text)
    } catch {
        throw UsageError("\(flag) \(text)", error.problem.rawValue, remedy)
    }
    guard endpoint.transport == .tcp else {
        throw UsageError("\(flag) \(text)", "roles talk over tcp only", remedy)
    }
    return endpoint
}

/// The coordinator that a worker or a server joins.
func coordinatorEndpoint(_ text: String) throws(UsageError) -> Endpoint {
    let endpoint = try tcpEndpoint(text, flag: "--coordinator")
    guard endpoint.isConnectable else {
        throw UsageError(
            "--coordinator \(text)", "this names no single host and port",
            "give the address that the coordinator bound to")
    }
    return endpoint
}
