import CZeroMQ
import Foundation
import Testing
import ZeroMQ

struct SocketTests {
    @Test(arguments: ["tcp://127.0.0.1:*", "tcp://[::1]:*", "inproc://round-trip"])
    func routerAndDealerTalk(address: String) throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            let endpoint = try server.bind(to: Endpoint(address))
            #expect(endpoint.isConnectable)
            try client.connect(to: endpoint)
            for step in 1...100 {
                try client.deliver("gradient \(step)")
                let (reception, text) = try server.nextRouted()
                guard case .message(let peer) = reception else {
                    Issue.record("\(reception)")
                    return
                }
                #expect(text == "gradient \(step)")
                try server.deliver("weights \(step)", to: peer)
                #expect(try client.nextText() == "weights \(step)")
            }
            #expect(try client.nextText(withinMilliseconds: 0) == nil)
            #expect(try server.nextRouted(withinMilliseconds: 0).reception == .nothing)
        }
    }

    @Test func ipcTalks() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try withContext { context in
            let left = try Socket(.pair, in: context)
            let right = try Socket(.pair, in: context)
            let endpoint = try Endpoint("ipc://\(directory.path)/s")
            #expect(try left.bind(to: endpoint) == endpoint)
            try right.connect(to: endpoint)
            try right.deliver("hello")
            #expect(try left.nextText() == "hello")
        }
    }

    @Test func aReceivedFrameKnowsThePeersAddress() throws {
        try withContext { context in
            let left = try Socket(.pair, in: context)
            let right = try Socket(.pair, in: context)
            try right.connect(to: left.bind(to: loopback()))
            try right.deliver("hello")
            var message = Message()
            #expect(try eventually { try left.receive(into: &message) == .message })
            #expect(message.property("Peer-Address") == "127.0.0.1")
            #expect(message.property("Socket-Type") == "PAIR")
            #expect(message.property("User-Id") == nil)
        }
    }

    /// Where a role may listen, how the endpoint is shown, and who gets there.
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", ["127.0.0.1", "localhost"]),
        ("localhost", "127.0.0.1", ["127.0.0.1", "localhost"]),
        ("0.0.0.0", "0.0.0.0", ["127.0.0.1", "localhost"]),
        ("*", "::", ["127.0.0.1", "localhost", "::1"]),
        ("[::]", "::", ["127.0.0.1", "localhost", "::1"]),
        ("[::1]", "::1", ["::1"]),
        ("lo", "127.0.0.1", ["127.0.0.1", "localhost"]),
    ])
    func addressesOfBothVersionsWork(bind: String, shown: String, hosts: [String]) throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let endpoint = try server.bind(to: Endpoint("\(bind):*"))
            #expect(endpoint.host == shown)
            let port = try #require(endpoint.port)
            for host in hosts {
                let client = try Socket(.dealer, in: context)
                try client.connect(to: .tcp(host: host, port: port))
                try client.deliver(host)
                let (reception, text) = try server.nextRouted()
                #expect(text == host)
                guard case .message(let peer) = reception else { continue }
                try server.deliver("welcome", to: peer)
                #expect(try client.nextText() == "welcome")
            }
        }
    }

    // MARK: Full queues and missing peers

    @Test func anUnknownPeerGivesTheMessageBack() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.routerMandatory, to: true)
            try server.bind(to: loopback())
            let nobody = RoutingID(rawValue: 0x0102_0304)
            switch try server.send(Message(copying: "weights".utf8), to: nobody) {
            case .sent: Issue.record("sent to nobody")
            case .wouldBlock: Issue.record("an unknown peer is not a full queue")
            case .unreachable(let message): #expect(text(message) == "weights")
            }
        }
    }

    @Test func aFullQueueGivesTheMessageBack() throws {
        try withContext { context in
            let sender = try Socket(.dealer, in: context)
            let receiver = try Socket(.dealer, in: context)
            try sender.set(.sendHighWaterMark, to: 2)
            try receiver.set(.receiveHighWaterMark, to: 3)
            try receiver.bind(to: Endpoint("inproc://full"))
            try sender.connect(to: Endpoint("inproc://full"))
            var sentCount = 0
            var rejected: Message?
            while rejected == nil, sentCount < 100 {
                switch try sender.send(Message(copying: "\(sentCount)".utf8)) {
                case .sent: sentCount += 1
                case .wouldBlock(let message): rejected = consume message
                case .unreachable: Issue.record("only a ROUTER knows whom it cannot reach")
                }
            }
            #expect(sentCount == 5)  // inproc has one queue, as long as both marks together
            for index in 0..<sentCount { #expect(try receiver.nextText() == "\(index)") }
            guard let message = rejected.take() else {
                Issue.record("the queue took everything")
                return
            }
            #expect(text(message) == "5")
            var poller = Poller()
            _ = poller.add(sender, for: .writable)
            #expect(try poller.wait(timeoutMilliseconds: patienceMilliseconds) == 1)
            let isSent = try sender.send(message).isSent
            #expect(isSent)
            #expect(try receiver.nextText() == "5")
        }
    }

    @Test func aRouterTellsWhenThePeersQueueIsFull() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            try server.set(.routerMandatory, to: true)
            try server.set(.sendHighWaterMark, to: 1)
            try client.set(.receiveHighWaterMark, to: 1)
            try server.bind(to: Endpoint("inproc://full-router"))
            try client.connect(to: Endpoint("inproc://full-router"))
            try client.deliver("hello")
            guard case .message(let peer) = try server.nextRouted().reception else {
                Issue.record("no hello")
                return
            }
            try server.deliver("0", to: peer)
            try server.deliver("1", to: peer)
            switch try server.send(Message(copying: "2".utf8), to: peer) {
            case .sent: Issue.record("the queue has no bound")
            case .wouldBlock(let message): #expect(text(message) == "2")
            case .unreachable: Issue.record("a full queue is not an unknown peer")
            }
            #expect(try client.nextText() == "0")
            #expect(try client.nextText() == "1")
            try server.deliver("2", to: peer)
            #expect(try client.nextText() == "2")
        }
    }

    @Test(arguments: [true, false])
    func immediateQueuesForConnectionsOnly(isImmediate: Bool) throws {
        let unanswered = try UnansweredPort()
        try withContext { context in
            let client = try Socket(.dealer, in: context)
            try client.set(.immediate, to: isImmediate)
            try client.connect(to: .tcp(host: "127.0.0.1", port: unanswered.port))
            let isSent = try client.send(Message(copying: "hello".utf8)).isSent
            #expect(isSent == !isImmediate)
        }
    }

    // MARK: Errors

    @Test func anAddressInUseIsNamed() throws {
        try withContext { context in
            let first = try Socket(.router, in: context)
            let second = try Socket(.router, in: context)
            let endpoint = try first.bind(to: loopback())
            let error = ZMQError(code: EADDRINUSE, call: "zmq_bind", subject: endpoint.text)
            #expect(throws: error) { try second.bind(to: endpoint) }
            #expect(
                error.description.contains("zmq_bind failed on \(endpoint.text): Address already"))
            #expect(error.description.contains("choose another port"))
        }
    }

    @Test(arguments: [
        ("tcp://203.0.113.1:29500", ENODEV), ("tcp://no-such-interface:29500", ENODEV),
    ])
    func anAddressOfAnotherHostIsNamed(address: String, code: CInt) throws {
        try withContext { context in
            let socket = try Socket(.router, in: context)
            let error = #expect(throws: ZMQError.self) { try socket.bind(to: Endpoint(address)) }
            #expect([code, EADDRNOTAVAIL].contains(error?.code))
            #expect(error?.subject == address)
            #expect(error?.description.contains("this host has no such address") == true)
        }
    }

    @Test(arguments: ["tcp://*:29500", "tcp://127.0.0.1:*"])
    func aWildcardIsNoPeer(address: String) throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            #expect(throws: ZMQError(code: EINVAL, call: "zmq_connect", subject: address)) {
                try socket.connect(to: Endpoint(address))
            }
        }
    }

    @Test func aSocketStaysInItsThread() async {
        await #expect(processExitsWith: .failure) {
            final class Carrier: @unchecked Sendable {
                let socket: Socket
                init(_ context: Context) throws { socket = try Socket(.dealer, in: context) }
            }
            let carrier = try Carrier(Context())
            Thread.detachNewThread {
                var message = Message()
                _ = try? carrier.socket.receive(into: &message)
                exit(EXIT_SUCCESS)
            }
            sleep(2)
            exit(EXIT_SUCCESS)
        }
    }
}
