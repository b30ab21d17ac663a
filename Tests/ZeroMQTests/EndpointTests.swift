import Testing
import ZeroMQ

struct EndpointTests {
    @Test(
        arguments: [
            ("tcp://127.0.0.1:29500", "127.0.0.1", 29500),
            ("tcp://127.0.0.1:*", "127.0.0.1", nil),
            ("tcp://127.0.0.1:0", "127.0.0.1", nil),
            ("tcp://*:65535", "*", 65535),
            ("tcp://worker-3.cluster_a.example:1", "worker-3.cluster_a.example", 1),
            ("tcp://10gbe:29500", "10gbe", 29500),
            ("tcp://[::1]:29500", "::1", 29500),
            ("tcp://[fe80::1%eth0]:29500", "fe80::1%eth0", 29500),
        ] as [(String, String, UInt16?)])
    func tcp(text: String, host: String, port: UInt16?) throws {
        let endpoint = try Endpoint(text)
        #expect(endpoint.transport == .tcp)
        #expect(endpoint.host == host)
        #expect(endpoint.port == port)
        #expect(endpoint.description == text)
        #expect(endpoint.isConnectable == (host != "*" && port != nil))
    }

    @Test(arguments: [
        ("inproc://queue", Endpoint.Transport.inproc), ("ipc:///tmp/lockstep.sock", .ipc),
    ])
    func local(text: String, transport: Endpoint.Transport) throws {
        let endpoint = try Endpoint(text)
        #expect(endpoint.transport == transport)
        #expect(endpoint.host == nil)
        #expect(endpoint.port == nil)
        #expect(endpoint.isLoopback && endpoint.isConnectable)
    }

    @Test(
        arguments: [
            ("", .noPort), ("127.0.0.1", .noPort), ("localhost", .noPort), ("localhost:", .noPort),
            ("node7:x", .invalidPort), (":29500", .noHost), ("::1", .invalidHost),
            ("::1:29500", .invalidHost), ("tcp:/127.0.0.1:1", .invalidHost),
            ("inproc:queue", .invalidPort), ("/tmp/lockstep.sock", .noPort),
            ("http://127.0.0.1:80", .unknownTransport), ("TCP://127.0.0.1:80", .unknownTransport),
            ("udp://127.0.0.1:80", .unknownTransport), ("://127.0.0.1:80", .unknownTransport),
            ("tcp://", .noPort), ("tcp://127.0.0.1", .noPort), ("tcp://127.0.0.1:", .noPort),
            ("tcp://[::1]", .noPort), ("tcp://:29500", .noHost),
            ("tcp://127.0.0.1:65536", .invalidPort), ("tcp://127.0.0.1:-1", .invalidPort),
            ("tcp://127.0.0.1:+1", .invalidPort), ("tcp://127.0.0.1:29500/", .invalidPort),
            ("tcp://127.0.0.1:http", .invalidPort), ("tcp://127.0.0.1:٣", .invalidPort),
            ("tcp://256.0.0.1:1", .invalidHost), ("tcp://127.1:1", .invalidHost),
            ("tcp://::1:29500", .invalidHost), ("tcp://[::1:29500", .invalidHost),
            ("tcp://[::g]:29500", .invalidHost), ("tcp://[]:29500", .invalidHost),
            ("tcp://eth0;10.0.0.1:29500", .invalidHost), ("tcp://user@host:1", .invalidHost),
            ("tcp://127.0.0.1 :1", .blankOrControlCharacter),
            ("tcp://127.0.0.1:1\n", .blankOrControlCharacter),
            ("inproc://", .noName), ("ipc://", .noName),
            ("ipc:///" + String(repeating: "x", count: 107), .nameTooLong),
        ] as [(String, EndpointError.Problem)])
    func invalid(text: String, problem: EndpointError.Problem) {
        let error = #expect(throws: EndpointError.self) { try Endpoint(text) }
        #expect(error?.problem == problem)
        #expect(error?.description.contains("'\(text)'") == true)
        #expect(error?.description.contains("write tcp://HOST:PORT") == true)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.8.9.10", true), ("localhost", true), ("[::1]", true),
        ("[::ffff:127.0.0.1]", true), ("*", false), ("0.0.0.0", false), ("[::]", false),
        ("192.168.1.4", false), ("lo", false), ("localhost.example.com", false),
        ("127.0.0.1.example.com", false), ("[::2]", false), ("[::ffff:10.0.0.1]", false),
    ])
    func loopback(host: String, isLoopback: Bool) throws {
        #expect(try Endpoint("tcp://\(host):29500").isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("127.0.0.1", "tcp://127.0.0.1:7"), ("::1", "tcp://[::1]:7"), ("[::1]", "tcp://[::1]:7"),
        ("node7", "tcp://node7:7"),
    ])
    func fromHostAndPort(host: String, text: String) throws {
        #expect(try Endpoint.tcp(host: host, port: 7) == Endpoint(text))
    }

    @Test(arguments: ["127.0.0.1:29500", "node7:1", "*:29500", "[::1]:29500", "[fe80::1%lo]:7"])
    func withoutATransportItIsTCP(text: String) throws {
        let endpoint = try Endpoint(text)
        #expect(try endpoint == Endpoint("tcp://\(text)"))
        #expect(endpoint.text == "tcp://\(text)")
    }

    @Test(
        arguments: [
            ("node7:29500", 0, "tcp://node7:29500"), ("node7:29500", 3, "tcp://node7:29503"),
            ("[::1]:29500", 1, "tcp://[::1]:29501"), ("*:65534", 1, "tcp://*:65535"),
            ("*:65535", 1, nil), ("*:65535", 65_535, nil), ("*:1", 1 << 40, nil),
            ("127.0.0.1:0", 2, "tcp://127.0.0.1:0"),
        ] as [(String, Int, String?)])
    func portsAbove(text: String, offset: Int, above: String?) throws {
        #expect(try Endpoint(text).port(above: offset)?.text == above)
    }

    @Test(arguments: [
        "tcp://127.0.0.1:29500", "tcp://[::1]:29500", "tcp://*:29500", "ipc:///tmp/s", "inproc://q",
    ])
    func withoutANameItIsItsOwnAddress(text: String) throws {
        #expect(try Endpoint(text).addresses() == [Endpoint(text)])
    }

    @Test func localhostResolves() throws {
        let addresses = try Endpoint("localhost:29500").addresses()
        #expect(try addresses.first == Endpoint("127.0.0.1:29500"))
        #expect(Set(addresses).count == addresses.count)
        #expect(addresses.allSatisfy { $0.isLoopback && $0.port == 29500 })
    }

    /// RFC 6761 keeps this name from ever being given to a host.
    @Test func aNameThatDoesNotResolveIsNamed() throws {
        let endpoint = try Endpoint("node7.invalid:29500")
        let error = #expect(throws: UnresolvedHost.self) { try endpoint.addresses() }
        #expect(error?.host == "node7.invalid")
        #expect(error?.description.hasPrefix("node7.invalid does not resolve: ") == true)
    }
}
