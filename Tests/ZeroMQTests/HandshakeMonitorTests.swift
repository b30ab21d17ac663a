import Testing
import ZeroMQ

struct HandshakeMonitorTests {
    @Test func whoDoesNotSpeakZMTPIsTold() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.handshakeMilliseconds, to: 50)
            let monitor = try HandshakeMonitor(server, in: context)
            let endpoint = try server.bind(to: loopback())
            let silent = try RawPeer(port: #require(endpoint.port))
            #expect(try monitor.first() == .broken)
            #expect(silent.isClosedByPeer())
        }
    }

    @Test func whoDoesIsNot() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let monitor = try HandshakeMonitor(server, in: context)
            let client = try Socket(.dealer, in: context)
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")
            #expect(try server.nextRouted().text == "hello")
            #expect(try monitor.next() == nil)
        }
    }

    /// libzmq would stop its I/O thread to wait for a reader; a monitor that is gone must stop it.
    @Test func aMonitorMayGoBeforeItsSocket() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.handshakeMilliseconds, to: 50)
            let endpoint = try server.bind(to: loopback())
            do { _ = try HandshakeMonitor(server, in: context) }
            let silent = try RawPeer(port: #require(endpoint.port))
            #expect(silent.isClosedByPeer())
            let client = try Socket(.dealer, in: context)
            try client.connect(to: endpoint)
            try client.deliver("hello")
            #expect(try server.nextRouted().text == "hello")
            _ = try HandshakeMonitor(server, in: context)
        }
    }

    @Test func theEndOfTheSocketIsNoFailure() throws {
        try withContext { context in
            var monitor: HandshakeMonitor?
            do {
                let socket = try Socket(.dealer, in: context)
                monitor = try HandshakeMonitor(socket, in: context)
            }
            if let monitor = monitor.take() { #expect(try monitor.next() == nil) }
        }
    }
}
