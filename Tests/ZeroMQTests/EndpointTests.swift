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
            ("", .noTransport), ("127.0.0.1:29500", .noTransport),
            ("tcp:/127.0.0.1:1", .noTransport),
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
}
