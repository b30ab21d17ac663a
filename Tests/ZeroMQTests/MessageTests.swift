import Synchronization
import Testing
import ZeroMQ

/// Counts the calls of its handler; keeps the memory that is lent.
@safe
private final class Lender: Sendable {
    let releaseCount = Mutex(0)
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        unsafe bytes = .allocate(byteCount: byteCount, alignment: 64)
        for index in 0..<byteCount { unsafe bytes[index] = UInt8(truncatingIfNeeded: index) }
    }

    deinit { unsafe bytes.deallocate() }

    var count: Int { releaseCount.withLock { $0 } }
    var handler: ReleaseHandler {
        ReleaseHandler { [self] in releaseCount.withLock { $0 += 1 } }
    }
    func message(_ handler: ReleaseHandler) -> Message {
        unsafe Message(borrowing: bytes, whenReleased: handler)
    }
}

private func bytes(of message: borrowing Message) -> [UInt8] {
    unsafe message.withUnsafeBytes { unsafe Array($0) }
}

struct MessageTests {
    @Test(arguments: [0, 1, 29, 33, 34, 100_000])
    func bytesAreKept(byteCount: Int) {
        let content = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 7) }
        var written = Message(byteCount: byteCount)
        unsafe written.withUnsafeMutableBytes { unsafe $0.copyBytes(from: content) }
        #expect(bytes(of: written) == content)
        unsafe content.withUnsafeBytes {
            let copied = unsafe Message(copying: $0)
            #expect(bytes(of: copied) == content)
            #expect(bytes(of: copied.sharedCopy()) == content)
            #expect(copied.byteCount == byteCount && !copied.hasMore)
        }
        written.clear()
        #expect(written.byteCount == 0)
    }

    @Test func sharedCopiesAreOneBlockOfMemory() {
        let message = Message(byteCount: 1000)
        let copy = message.sharedCopy()
        let start = unsafe message.withUnsafeBytes { $0.baseAddress }
        #expect(unsafe copy.withUnsafeBytes { $0.baseAddress } == start)
    }

    @Test(arguments: [0, 1, 1000])
    func borrowedMemoryIsReleasedOnceWhenDropped(byteCount: Int) {
        let lender = Lender(byteCount: byteCount)
        do {
            let message = lender.message(lender.handler)
            let copy = message.sharedCopy()
            #expect(copy.byteCount == byteCount)
            #expect(lender.count == (byteCount == 0 ? 1 : 0))
        }
        #expect(lender.count == 1)
    }

    @Test func oneHandlerServesManyMessages() {
        let lender = Lender(byteCount: 100)
        let handler = lender.handler
        for count in 1...10 {
            _ = lender.message(handler)
            #expect(lender.count == count)
        }
    }

    @Test func borrowedMemoryIsReleasedOnceWhenSent() throws {
        let lender = Lender(byteCount: 407_080)
        try withContext { context in
            let server = try Socket(.router, in: context)
            let client = try Socket(.dealer, in: context)
            try client.connect(to: server.bind(to: loopback()))
            let handler = lender.handler
            for step in 1...5 {
                let sent = try client.send(lender.message(handler)).isSent
                #expect(sent)
                var received = Message()
                let hasReceived = try eventually {
                    if case .message = try server.receiveRouted(into: &received) {
                        true
                    } else {
                        false
                    }
                }
                #expect(hasReceived && received.byteCount == 407_080)
                #expect(eventually { lender.count == step })
            }
        }
        #expect(lender.count == 5)
    }

    @Test func inprocHandsOverTheMemoryItself() throws {
        let lender = Lender(byteCount: 1000)
        try withContext { context in
            let left = try Socket(.pair, in: context)
            let right = try Socket(.pair, in: context)
            try right.connect(to: left.bind(to: Endpoint("inproc://memory")))
            let isSent = try left.send(lender.message(lender.handler)).isSent
            #expect(isSent)
            var received = Message()
            #expect(try right.receive(into: &received) == .message)
            let start = unsafe received.withUnsafeBytes { $0.baseAddress }
            #expect(unsafe start == UnsafeRawPointer(lender.bytes.baseAddress))
            #expect(lender.count == 0)
            received.clear()
            #expect(lender.count == 1)
        }
    }

    @Test func oneFrameGoesToManyPeers() throws {
        let lender = Lender(byteCount: 100_000)
        let expected = unsafe Array(lender.bytes)
        try withContext { context in
            let server = try Socket(.router, in: context)
            try server.set(.routerMandatory, to: true)
            let endpoint = try server.bind(to: loopback())
            let first = try Socket(.dealer, in: context)
            let second = try Socket(.dealer, in: context)
            try first.connect(to: endpoint)
            try second.connect(to: endpoint)
            try first.deliver("hello")
            try second.deliver("hello")
            var peers: [RoutingID] = []
            for _ in 0..<2 {
                if case .message(let peer) = try server.nextRouted().reception {
                    peers.append(peer)
                }
            }
            try #require(Set(peers).count == 2)
            do {
                let frame = lender.message(lender.handler)
                for peer in peers {
                    let isSent = try server.send(frame.sharedCopy(), to: peer).isSent
                    #expect(isSent)
                }
            }
            for client in 0..<2 {
                var message = Message()
                let hasReceived = try eventually {
                    let reception =
                        try client == 0
                        ? first.receive(into: &message) : second.receive(into: &message)
                    return reception == .message
                }
                #expect(hasReceived)
                #expect(bytes(of: message) == expected)
            }
            #expect(eventually { lender.count == 1 })
        }
        #expect(lender.count == 1)
    }

    @Test func aSharedMessageIsNotOpenedForWriting() async {
        await #expect(processExitsWith: .failure) {
            var message = Message(byteCount: 1000)
            let copy = message.sharedCopy()
            unsafe message.withUnsafeMutableBytes { unsafe $0[0] = 1 }
            _ = copy.byteCount
        }
    }
}
