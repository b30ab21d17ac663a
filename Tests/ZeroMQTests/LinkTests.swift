import Foundation
import Testing
import ZeroMQ

/// Connections between hosts that do not answer any more.
struct LinkTests {
    @Test func theUserTimeoutIsThatOfBothEnds() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            try server.set(.tcpUserTimeoutMilliseconds, to: 4321)
            try client.set(.tcpUserTimeoutMilliseconds, to: 1234)
            let endpoint = try server.bind(to: loopback())
            try client.connect(to: endpoint)
            try client.deliver("hello")
            #expect(try server.nextRouted().text == "hello")
            let timeouts = try TCPUserTimeouts(port: #require(endpoint.port))
            #expect(timeouts.accepted == [4321])
            #expect(timeouts.connecting == [1234])
        }
    }

    /// A peer that accepts a connection and takes nothing, as one behind a cable that was pulled:
    /// with the timeout, the same DEALER connects again; without, it waits.
    @Test(arguments: [false, true])
    func anInterruptedLinkIsMadeAgain(hasTimeout: Bool) throws {
        let peer = try UnreadPeer()
        try withContext { context in
            let client = try Socket(.dealer, in: context)
            try client.set(.sendHighWaterMark, to: 2)
            try client.set(.reconnectMilliseconds, to: 10)
            if hasTimeout { try client.set(.tcpUserTimeoutMilliseconds, to: 300) }
            try client.connect(to: .tcp(host: "127.0.0.1", port: peer.port))
            try #require(peer.accept(withinMilliseconds: patienceMilliseconds))
            // More than the buffers of both kernels hold.
            for _ in 0..<32 {
                _ = try client.send(Message(byteCount: 1 << 20)).isSent
                usleep(1000)
            }
            let isMadeAgain = peer.accept(
                withinMilliseconds: hasTimeout ? patienceMilliseconds : 1000)
            #expect(isMadeAgain == hasTimeout)
        }
    }

    /// Also where nobody listened at first, and for as long as it takes.
    @Test func aPeerThatComesLateIsFound() throws {
        let unanswered = try UnansweredPort()
        try withContext { context in
            let client = try Socket(.dealer, in: context)
            try client.set(.reconnectMilliseconds, to: 10)
            let endpoint = try Endpoint.tcp(host: "localhost", port: unanswered.port)
            try client.connect(to: endpoint)
            try client.deliver("hello")
            usleep(100_000)
            unanswered.giveUp()
            let server = try Socket(.router, in: context)
            try server.bind(to: .tcp(host: "127.0.0.1", port: unanswered.port))
            #expect(try server.nextRouted().text == "hello")
        }
    }
}
