import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

@Suite struct WireTests {
    static let variants = KernelVariant.allCases.filter(\.isSupported)

    private static let header = FrameHeader(
        type: .push, session: SessionID(rawValue: 7), run: 1, incarnation: 3, step: 41,
        firstLeaf: 4, leafCount: 2, shard: 1)

    private static func bytes(of message: borrowing Message) -> [UInt8] {
        unsafe message.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// Whole lines of floats and such ends as a checksum may treat apart.
    @Test(arguments: variants, [0, 4, 60, 64, 68, 1_000])
    func aSealedFrameIsReadAgain(variant: KernelVariant, byteCount: Int) throws {
        let wire = Wire(kernels: KernelSet(variant))
        var random = SeededRandom(seed: byteCount)
        let payload = random.pixels(byteCount, density: 1)
        let message = unsafe wire.message(Self.header, copying: payload.span.bytes)
        guard case .raw(let header) = try wire.decode(message) else {
            Issue.record("a push is no control message")
            return
        }
        var expected = Self.header
        expected.payloadByteCount = UInt64(byteCount)
        expected.payloadChecksum = header.payloadChecksum
        #expect(header == expected)
        #expect(Array(Self.bytes(of: message).dropFirst(FrameHeader.byteCount)) == payload)
        // All variants agree: hosts with different CPUs train together.
        for other in Self.variants {
            _ = try Wire(kernels: KernelSet(other)).decode(message)
        }
    }

    @Test(arguments: variants)
    func everyFlippedBitIsSeen(variant: KernelVariant) throws {
        let wire = Wire(kernels: KernelSet(variant))
        var random = SeededRandom(seed: 5)
        let payload = random.pixels(204, density: 0.5)
        let whole = Self.bytes(of: unsafe wire.message(Self.header, copying: payload.span.bytes))
        _ = try wire.decode(Message(copying: whole))
        for bit in 0..<whole.count * 8 {
            var frame = whole
            frame[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: FrameError.self, "bit \(bit)") {
                _ = try wire.decode(Message(copying: frame))
            }
        }
    }

    @Test func everyTruncationIsSeen() throws {
        let wire = Wire(kernels: KernelSet(.baseline))
        let payload = [UInt8](repeating: 3, count: 40)
        let whole = Self.bytes(of: unsafe wire.message(Self.header, copying: payload.span.bytes))
        for count in 0..<whole.count {
            #expect(throws: FrameError.self, "\(count) bytes") {
                _ = try wire.decode(Message(copying: whole.prefix(count)))
            }
        }
        #expect(throws: FrameError.self) { _ = try wire.decode(Message(copying: whole + [0])) }
    }

    @Test func controlMessagesAreReadAgain() throws {
        let wire = Wire(kernels: KernelSet(.baseline))
        let control = ControlMessage.goodbye(StopReason(.lostPeer, "the server is gone"))
        let message = wire.message(control, session: SessionID(rawValue: 9), incarnation: 4)
        guard case .control(let read, let header) = try wire.decode(message) else {
            Issue.record("no control message")
            return
        }
        #expect(read == control)
        #expect(header.session == SessionID(rawValue: 9) && header.incarnation == 4)
    }
}

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
