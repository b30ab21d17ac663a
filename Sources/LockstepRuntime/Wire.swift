import Glibc
package import LockstepProtocol
package import NeuralNetwork
import Synchronization
import TrainingPlan
package import ZeroMQ

/// Reads and writes frames in messages. Raw payloads have the checksum of the SIMD kernel.
package struct Wire: Sendable {
    package let kernels: KernelSet

    package init(kernels: KernelSet) { self.kernels = kernels }

    // MARK: Reading

    package func header(of message: borrowing Message) throws(FrameError) -> FrameHeader {
        try unsafe message.withUnsafeBytes { (frame) throws(FrameError) in
            try unsafe FrameCodec.decodeHeader(of: frame)
        }
    }

    /// Checks a raw payload against the header's checksum, and its length against what is known of
    /// it.
    package func verify(
        _ message: borrowing Message, _ header: FrameHeader, byteCount: Int? = nil
    ) throws(FrameError) {
        if let byteCount, header.payloadByteCount != byteCount {
            throw .payloadLength(
                header.type, declared: header.payloadByteCount, found: byteCount)
        }
        try unsafe message.withUnsafeBytes { (frame) throws(FrameError) in
            try unsafe FrameCodec.verifyPayload(of: frame, header: header) { payload in
                unsafe kernels.checksum(of: payload)
            }
        }
    }

    package func statement<Content: Statement>(
        _ message: borrowing Message, _ header: FrameHeader
    ) throws(FrameError) -> Content {
        let content = try unsafe message.withUnsafeBytes {
            (frame) throws(FrameError) -> Content? in
            try unsafe FrameCodec.verifyPayload(
                of: frame, header: header, checksum: FrameCodec.checksum)
            return unsafe Content(decoding: FrameCodec.payload(of: frame))
        }
        guard let content else { throw .payloadContent(header.type) }
        return content
    }

    /// The bits of a `held` frame, one for each of its leaves.
    func leafBits(
        _ message: borrowing Message, _ header: FrameHeader, leafCount: Int
    ) throws(FrameError) -> LeafBits {
        try verify(message, header, byteCount: LeafBits.byteCount(of: leafCount))
        return unsafe message.withUnsafeBytes { frame in
            unsafe LeafBits(bytes: [UInt8](FrameCodec.payload(of: frame)))
        }
    }

    // MARK: Writing

    /// Fills in length and checksum of the payload that lies behind the header's place.
    package func seal(_ header: FrameHeader, _ frame: UnsafeMutableRawBufferPointer) {
        var header = header
        let payload = unsafe FrameCodec.payload(of: UnsafeRawBufferPointer(frame))
        header.payloadByteCount = payload.count
        unsafe header.payloadChecksum = kernels.checksum(of: payload)
        unsafe FrameCodec.encode(header, into: frame)
    }

    /// A message of its own: header and a copy of `payload`.
    package func message(_ header: FrameHeader, copying payload: RawSpan) -> Message {
        var message = Message(byteCount: FrameHeader.byteCount + payload.byteCount)
        unsafe message.withUnsafeMutableBytes { frame in
            unsafe payload.withUnsafeBytes { payload in
                unsafe UnsafeMutableRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
                    .copyMemory(from: payload)
            }
            unsafe seal(header, frame)
        }
        return message
    }

    /// A message that is a header and nothing else.
    package func message(_ header: FrameHeader) -> Message {
        message(header, copying: RawSpan())
    }

    /// A statement's frame.
    package func message(
        _ content: FrameContent, _ statement: some Statement, session: SessionID,
        incarnation: Incarnation
    ) -> Message {
        let payload = statement.encoded()
        var message = Message(byteCount: FrameHeader.byteCount + payload.count)
        unsafe message.withUnsafeMutableBytes { frame in
            unsafe payload.withUnsafeBytes { payload in
                unsafe UnsafeMutableRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
                    .copyMemory(from: payload)
                let header = unsafe FrameHeader(
                    content, session: session, incarnation: incarnation,
                    payloadByteCount: payload.count, payloadChecksum: FrameCodec.checksum(payload))
                unsafe FrameCodec.encode(header, into: frame)
            }
        }
        return message
    }
}

/// Memory that is sent where it lies, and the count of messages that libzmq still holds on it.
package final class InFlight<Memory: AnyObject & Sendable>: Sendable {
    let memory: Memory
    private let counter = Counter()
    private let handler: ReleaseHandler

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    package init(_ memory: Memory) {
        self.memory = memory
        // Holds the memory as long as a message does, even if its owner lets go of it.
        handler = ReleaseHandler { [memory, counter] in
            withExtendedLifetime(memory) {
                _ = counter.value.subtract(1, ordering: .acquiringAndReleasing)
            }
        }
    }

    /// Whether it may be written to again.
    package var isIdle: Bool { counter.value.load(ordering: .acquiring) == 0 }

    /// - Parameter bytes: a part of the memory.
    package func message(_ bytes: UnsafeMutableRawBufferPointer) -> Message {
        counter.value.add(1, ordering: .relaxed)
        return unsafe Message(borrowing: bytes, whenReleased: handler)
    }
}

extension InFlight where Memory == FrameMemory {
    /// The whole frame, from where it lies.
    func message() -> Message { unsafe message(memory.frame) }
}

/// A frame that is made in place: a header's room, then the payload, each on a line of the cache.
@safe final class FrameMemory: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer
    let payloadByteCount: Int

    init(payloadByteCount: Int) {
        unsafe bytes = .allocate(
            byteCount: FrameHeader.byteCount + payloadByteCount + 64, alignment: 64)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
        self.payloadByteCount = payloadByteCount
    }

    deinit { unsafe bytes.deallocate() }

    /// Header and payload.
    var frame: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: bytes[..<(FrameHeader.byteCount + payloadByteCount)])
    }

    var payload: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
    }
}

/// A message that was received and is looked at again later.
final class MessageSlot {
    var message = Message()
}

/// The host as others see it in messages.
package let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}()
