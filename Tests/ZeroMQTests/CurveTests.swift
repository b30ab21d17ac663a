import Testing
import ZeroMQ

struct CurveKeyTests {
    @Test func pairsFitAndDiffer() throws {
        let pair = try CurveKeyPair.generate()
        #expect(try pair.secretKey.publicKey() == pair.publicKey)
        #expect(try CurveKeyPair(secretKey: CurveSecretKey(z85: pair.secretKey.z85)) == pair)
        #expect(try CurvePublicKey(z85: pair.publicKey.z85) == pair.publicKey)
        #expect(try CurveKeyPair.generate() != pair)
    }

    /// From the manual of zmq_curve(7).
    @Test func knownPair() throws {
        let secret = try CurveSecretKey(z85: "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")
        #expect(try secret.publicKey().z85 == "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
    }

    @Test(
        arguments: [
            ("", .characterCount(0)), (String(repeating: "0", count: 39), .characterCount(39)),
            (String(repeating: "0", count: 41), .characterCount(41)),
            (String(repeating: "0", count: 35) + "\"0000", .character(position: 35)),
            (String(repeating: "é", count: 20), .character(position: 0)),
            (String(repeating: "#", count: 40), .value),
        ] as [(String, CurveKeyError)])
    func aBadKeyIsRefusedWithoutShowingIt(text: String, reason: CurveKeyError) {
        #expect(throws: reason) { try CurvePublicKey(z85: text) }
        #expect(text.isEmpty || !reason.description.contains(text))
    }

    @Test func aSecretDoesNotShowItself() throws {
        let pair = try CurveKeyPair.generate()
        var dumped = ""
        dump(pair, to: &dumped)
        for text in ["\(pair)", "\(pair.secretKey)", String(reflecting: pair.secretKey), dumped] {
            #expect(!text.contains(pair.secretKey.z85))
        }
    }
}

struct CurveTests {
    private let serverKeys: CurveKeyPair
    private let clientKeys: CurveKeyPair

    init() throws {
        try #require(Library.has("curve"))
        serverKeys = try .generate()
        clientKeys = try .generate()
    }

    @Test func withKeysTheyTalk() throws {
        try withContext { context in
            let server = try server(in: context)
            let client = try Socket(.dealer, in: context)
            try client.useCurve(asClientWith: clientKeys, serverKey: serverKeys.publicKey)
            try client.connect(to: server.bind(to: loopback()))
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

    @Test(arguments: [false, true])
    func withoutTheRightKeyNobodyEnters(hasWrongKey: Bool) throws {
        try withContext { context in
            let server = try server(in: context)
            let monitor = try HandshakeMonitor(server, in: context)
            let client = try Socket(.dealer, in: context)
            if hasWrongKey {
                let stranger = try CurveKeyPair.generate()
                try client.useCurve(asClientWith: clientKeys, serverKey: stranger.publicKey)
            }
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")
            let refusal = try monitor.first()
            #expect(refusal != nil)
            #expect(try server.nextRouted(withinMilliseconds: 20).reception == .nothing)
        }
    }

    /// Option 93: libzmq lets everybody in when nobody answers for the domain, unless told not to.
    @Test(arguments: [false, true])
    func aMissingHandlerRefusesOnlyWhenEnforced(isEnforced: Bool) throws {
        try withContext { context in
            let server = try server(in: context)
            try server.set(.zapDomain, to: "lockstep")
            try server.set(.enforcesZAPDomain, to: isEnforced)
            let monitor = try HandshakeMonitor(server, in: context)
            let client = try Socket(.dealer, in: context)
            try client.useCurve(asClientWith: clientKeys, serverKey: serverKeys.publicKey)
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")
            if isEnforced {
                let refusal = try monitor.first()
                #expect(refusal != nil)
                #expect(try server.nextRouted(withinMilliseconds: 20).reception == .nothing)
            } else {
                #expect(try server.nextRouted().text == "hello")
            }
        }
    }

    /// What a ZAP handler (RFC 27) needs of this binding: a REP of several frames, and the user's
    /// name.
    @Test(arguments: ["200", "400"])
    func aHandlerDecides(status: String) throws {
        try withContext { context in
            let handler = try Socket(.reply, in: context)
            try handler.bind(to: Endpoint("inproc://zeromq.zap.01"))
            let server = try server(in: context)
            try server.set(.zapDomain, to: "lockstep")
            try server.set(.enforcesZAPDomain, to: true)
            let monitor = try HandshakeMonitor(server, in: context)
            let client = try Socket(.dealer, in: context)
            try client.useCurve(asClientWith: clientKeys, serverKey: serverKeys.publicKey)
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")

            var frames: [String] = []
            var frame = Message()
            let hasAsked = try eventually {
                guard try handler.receiveFrame(into: &frame) else { return false }
                frames.append(text(frame))
                return !frame.hasMore
            }
            try #require(hasAsked && frames.count == 7, "\(frames)")
            #expect(frames[2] == "lockstep" && frames[3] == "127.0.0.1" && frames[5] == "CURVE")
            for reply in ["1.0", frames[1], status, "", "worker-7"] {
                try handler.deliver(reply, hasMore: true)
            }
            try handler.deliver("")

            if status == "200" {
                var message = Message()
                var reception = RoutedReception.nothing
                let hasReceived = try eventually {
                    reception = try server.receiveRouted(into: &message)
                    return reception != .nothing
                }
                try #require(hasReceived)
                #expect(text(message) == "hello")
                #expect(message.property("User-Id") == "worker-7")
            } else {
                #expect(try monitor.first() == .refused(status: 400))
                #expect(try server.nextRouted(withinMilliseconds: 20).reception == .nothing)
            }
        }
    }

    private func server(in context: Context) throws -> Socket {
        let socket = try Socket(.router, in: context)
        try socket.set(.handshakeMilliseconds, to: 1000)
        try socket.useCurve(asServerWith: serverKeys)
        return socket
    }
}
