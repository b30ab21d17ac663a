import LockstepRuntime
import TestSupport
import Testing
import ZeroMQ

@Suite struct InFlightTests {
    /// Written once, then only read.
    @safe private final class Memory: @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer

        init() {
            unsafe bytes = .allocate(byteCount: 256, alignment: 64)
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 5)
        }

        deinit { unsafe bytes.deallocate() }
    }

    /// Memory may be written to again when the last message on it is gone, and not before.
    @Test func isIdleWhenNoMessageIsLeft() {
        let memory = Memory()
        let inFlight = InFlight(memory)
        #expect(inFlight.isIdle)
        var first = unsafe inFlight.message(memory.bytes)
        var second = unsafe inFlight.message(memory.bytes)
        #expect(!inFlight.isIdle)
        first.clear()
        #expect(!inFlight.isIdle)
        second.clear()
        #expect(inFlight.isIdle)
    }

    /// libzmq may let go of a frame after its owner has done so.
    @Test func messagesKeepTheMemory() {
        weak var memory: Memory?
        func makeMessage() -> Message {
            let owned = Memory()
            memory = owned
            return unsafe InFlight(owned).message(owned.bytes)
        }
        var message = makeMessage()
        #expect(memory != nil)
        let sum = unsafe message.withUnsafeBytes { unsafe $0.reduce(0) { $0 + Int($1) } }
        #expect(sum == 256 * 5)
        message.clear()
        #expect(memory == nil)
    }

    @Test func isIdleWhenTheOtherSideHasIt() throws {
        let context = try Context()
        let receiver = try Socket(.pair, in: context)
        let endpoint = try receiver.bind(to: Endpoint("tcp://127.0.0.1:*"))
        let sender = try Socket(.pair, in: context)
        try sender.connect(to: endpoint)
        let memory = Memory()
        let inFlight = InFlight(memory)
        let isSent = try eventually {
            try sender.send(unsafe inFlight.message(memory.bytes)).isSent
        }
        try #require(isSent)
        var message = Message()
        #expect(try eventually { try receiver.receive(into: &message) == .message })
        #expect(eventually { inFlight.isIdle })
    }
}
