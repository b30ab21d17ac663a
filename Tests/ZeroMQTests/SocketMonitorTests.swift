import Testing
import ZeroMQ

struct SocketMonitorTests {
    @Test func aConnectionIsToldFromBothSides() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let atServer = try SocketMonitor(server, in: context)
            let endpoint = try server.bind(to: loopback())
            let listening = try atServer.first { $0 == .listening }
            #expect(listening?.endpoint == endpoint.text)
            do {
                let client = try Socket(.dealer, in: context)
                let atClient = try SocketMonitor(client, in: context)
                try client.connect(to: endpoint)
                let connected = try atClient.first { $0 == .connected }
                #expect(connected?.endpoint == endpoint.text)
                #expect(try atClient.first { $0 == .handshakeSucceeded } != nil)
                let accepted = try atServer.first { $0 == .accepted }
                #expect(accepted?.endpoint == endpoint.text)
                #expect(try atServer.first { $0 == .handshakeSucceeded } != nil)
            }
            let disconnected = try atServer.first { $0 == .disconnected }
            #expect(disconnected?.endpoint == endpoint.text)
        }
    }

    @Test func aPeerThatDoesNotAnswerIsTriedAgain() throws {
        let unanswered = try UnansweredPort()
        try withContext { context in
            let client = try Socket(.dealer, in: context)
            let monitor = try SocketMonitor(client, in: context)
            try client.set(.reconnectMilliseconds, to: 10)
            let endpoint = try Endpoint.tcp(host: "127.0.0.1", port: unanswered.port)
            try client.connect(to: endpoint)
            let retried = try monitor.first {
                if case .connectRetried = $0 { true } else { false }
            }
            #expect(retried?.endpoint == endpoint.text)
        }
    }

    @Test func aPortInUseIsTold() throws {
        try withContext { context in
            let first = try Socket(.router, in: context)
            let second = try Socket(.router, in: context)
            let monitor = try SocketMonitor(second, in: context)
            let endpoint = try first.bind(to: loopback())
            #expect(throws: ZMQError.self) { try second.bind(to: endpoint) }
            let failed = try monitor.first { if case .bindFailed = $0 { true } else { false } }
            // libzmq leaves the transport out here.
            #expect(try endpoint.text.hasSuffix(#require(failed).endpoint))
        }
    }

    /// libzmq would stop its I/O thread to wait for a reader; a monitor that is gone must stop it.
    @Test func aMonitorMayGoBeforeItsSocket() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: loopback())
            do { _ = try SocketMonitor(server, in: context) }
            let client = try Socket(.dealer, in: context)
            try client.connect(to: endpoint)
            try client.deliver("hello")
            #expect(try server.nextRouted().text == "hello")
        }
    }

    @Test func theEndOfTheSocketIsTheLastEvent() throws {
        try withContext { context in
            var monitor: SocketMonitor?
            do {
                let socket = try Socket(.dealer, in: context)
                monitor = try SocketMonitor(socket, in: context)
            }
            if let monitor = monitor.take() {
                #expect(try monitor.first { $0 == .monitorStopped } != nil)
                #expect(try monitor.next() == nil)
            }
        }
    }
}
