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
            try server.set(.ipv6, to: true)
            try client.set(.ipv6, to: true)
            #expect(try server.lastEndpoint() == nil)
            let endpoint = try server.bind(to: Endpoint(address))
            #expect(try server.lastEndpoint() == endpoint)
            #expect(endpoint.isConnectable)
            try client.connect(to: endpoint)
            for step in 1...100 {
                try client.deliver("gradient \(step)")
                let (reception, text) = try server.nextRouted()
                guard case .message(let peer) = reception else {
                    Issue.record("\(reception)")
                    return
                }
                #expect(peer.byteCount == 5)
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

    @Test func aChosenRoutingIDIsSeen() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            let name = try #require(RoutingID("worker-7".utf8))
            try client.set(routingID: name)
            try client.connect(to: server.bind(to: loopback()))
            try client.deliver("hello")
            #expect(try server.nextRouted().reception == .message(from: name))
        }
    }

    @Test func routingIDsAreOneToEightBytes() {
        #expect(RoutingID([]) == nil)
        #expect(RoutingID([UInt8](repeating: 1, count: 9)) == nil)
        #expect(RoutingID([0]) != RoutingID([0, 0]))
        #expect(RoutingID([0, 0x0f, 0xff])?.description == "000fff")
    }

    // MARK: Full queues and missing peers

    @Test func anUnknownPeerGivesTheMessageBack() throws {
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.routerMandatory, to: true)
            try server.bind(to: loopback())
            let nobody = try #require(RoutingID([0, 1, 2, 3, 4]))
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
                rejected = try sender.send(Message(copying: "\(sentCount)".utf8)).unsentMessage()
                if rejected == nil { sentCount += 1 }
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
            try first.unbind(from: endpoint)
            // The port is given back by libzmq's thread, a moment later.
            #expect(eventually { (try? second.bind(to: endpoint)) == endpoint })
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

    @Test func disconnectingFromAStrangerIsAnError() throws {
        try withContext { context in
            let socket = try Socket(.dealer, in: context)
            let endpoint = try Endpoint("tcp://127.0.0.1:29500")
            #expect(throws: ZMQError(code: ENOENT, call: "zmq_disconnect", subject: endpoint.text))
            {
                try socket.disconnect(from: endpoint)
            }
        }
    }

    @Test func requestsAndRepliesTakeTurns() throws {
        try withContext { context in
            let asking = try Socket(.request, in: context)
            let answering = try Socket(.reply, in: context)
            try asking.connect(to: answering.bind(to: Endpoint("inproc://turns")))
            try asking.deliver("one", hasMore: true)
            try asking.deliver("two")
            var message = Message()
            #expect(throws: ZMQError(code: EFSM, call: "zmq_msg_send")) {
                _ = try asking.send(Message())
            }
            let hasFirst = try answering.receiveFrame(into: &message)
            #expect(hasFirst && message.hasMore && text(message) == "one")
            let hasSecond = try answering.receiveFrame(into: &message)
            #expect(hasSecond && !message.hasMore && text(message) == "two")
            try answering.deliver("three")
            #expect(try asking.nextText() == "three")
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
