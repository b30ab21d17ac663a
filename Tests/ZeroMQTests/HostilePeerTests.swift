import Testing
import ZeroMQ

/// Whoever connects to a ROUTER, it continues to serve the peers that keep the rules.
struct HostilePeerTests {
    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\u{16}\u{3}\u{1}",
        "",
        "\u{2}\u{0}x",
    ])
    func strangersAreDisconnected(greeting: String) throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.handshakeMilliseconds, to: 200)
            let endpoint = try server.bind(to: loopback())
            let stranger = try RawPeer(port: #require(endpoint.port))
            try stranger.write(greeting.utf8)
            #expect(stranger.isClosedByPeer())
            try expectService(by: server, at: endpoint, in: context)
        }
    }

    /// libzmq takes what does not begin as ZMTP 3 for a peer of version 1, which says no more than
    /// the length of a frame: junk may arrive as messages, and must not stop those of others.
    @Test func junkThatLooksLikeMessagesDoesNotStopTheOthers() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: loopback())
            let stranger = try RawPeer(port: #require(endpoint.port))
            try stranger.write(String(repeating: "junk ", count: 20_000).utf8)
            let client = try Socket(.dealer, in: context)
            try client.connect(to: endpoint)
            try client.deliver("hello")
            let isHeard = try eventually { try server.nextRouted().text == "hello" }
            #expect(isHeard)
        }
    }

    @Test(arguments: [
        (["one", "two"], 2), (["", "empty first, as a REQ sends it"], 2),
        ((0..<50).map { "\($0)" }, 50),
    ])
    func severalFramesAreMalformed(frames: [String], frameCount: Int) throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: loopback())
            let stranger = try RawPeer(port: #require(endpoint.port))
            try stranger.greet(routingID: [])
            try stranger.sendMessage(frames: frames)
            try stranger.sendMessage(frames: ["then one"])
            let (reception, text) = try server.nextRouted()
            guard case .malformed(let sender?, frameCount) = reception else {
                Issue.record("\(reception)")
                return
            }
            #expect(text == "")
            let next = try server.nextRouted()
            #expect(next.reception == .message(from: sender))
            #expect(next.text == "then one")
            try expectService(by: server, at: endpoint, in: context)
        }
    }

    /// It is no automatic one, so its owner is not answered. What it says is drained and counted.
    @Test(
        arguments: [
            Array("an id of its own".utf8), Array("worker-7".utf8), [1], [1, 2, 3, 4, 5],
            [0, 1, 2, 3, 4, 5],
        ] as [[UInt8]], [1, 3])
    func aChosenRoutingIDIsMalformed(routingID: [UInt8], frameCount: Int) throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: loopback())
            let stranger = try RawPeer(port: #require(endpoint.port))
            try stranger.greet(routingID: routingID)
            try stranger.sendMessage(frames: (0..<frameCount).map { "\($0)" })
            let (reception, text) = try server.nextRouted()
            #expect(reception == .malformed(from: nil, frameCount: frameCount))
            #expect(text == "")
            try expectService(by: server, at: endpoint, in: context)
        }
    }

    @Test func aDealerDrainsToo() throws {
        try withContext { context in
            let left = try Socket(.dealer, in: context)
            let right = try Socket(.dealer, in: context)
            try right.connect(to: left.bind(to: Endpoint("inproc://drain")))
            try right.deliver("one", hasMore: true)
            try right.deliver("two", hasMore: true)
            try right.deliver("three")
            try right.deliver("four")
            var message = Message()
            #expect(try left.receive(into: &message) == .malformed(frameCount: 3))
            #expect(message.byteCount == 0)
            #expect(try left.nextText() == "four")
        }
    }

    @Test func tooLongAMessageEndsTheConnection() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.maximumMessageByteCount, to: 1000)
            let endpoint = try server.bind(to: loopback())
            let stranger = try RawPeer(port: #require(endpoint.port))
            try stranger.greet(routingID: [])
            try stranger.sendMessage(announcing: 1000)
            #expect(try server.nextRouted().text.utf8.count == 1000)
            try stranger.sendMessage(announcing: 1001)
            #expect(stranger.isClosedByPeer())
            #expect(try server.nextRouted(withinMilliseconds: 0).reception == .nothing)
            try expectService(by: server, at: endpoint, in: context)
        }
    }

    private func expectService(
        by server: borrowing Socket, at endpoint: Endpoint, in context: Context
    ) throws {
        let client = try Socket(.dealer, in: context)
        try client.connect(to: endpoint)
        try client.deliver("hello")
        let (reception, text) = try server.nextRouted()
        #expect(text == "hello")
        guard case .message(let peer) = reception else {
            Issue.record("\(reception)")
            return
        }
        try server.deliver("welcome", to: peer)
        #expect(try client.nextText() == "welcome")
    }
}
