import Glibc
package import LockstepProtocol
package import NeuralNetwork
import Synchronization
package import ZeroMQ

/// What a message of one frame turned out to be.
package enum Incoming {
    /// JSON of the control plane.
    case control(ControlMessage, FrameHeader)
    /// Raw bytes behind the header, checked against its checksum.
    case raw(FrameHeader)
}

/// Reads and writes frames in messages. All raw payloads have the checksum of the SIMD kernel.
package struct Wire: Sendable {
    package let kernels: KernelSet

    package init(kernels: KernelSet) { self.kernels = kernels }

    package func decode(_ message: borrowing Message) throws(FrameError) -> Incoming {
        try unsafe message.withUnsafeBytes { (frame) throws(FrameError) in
            let header = try unsafe FrameCodec.decodeHeader(of: frame)
            if let control = try unsafe ControlMessage(frame: frame, header: header) {
                return .control(control, header)
            }
            try unsafe FrameCodec.verifyPayload(of: frame, header: header) { payload in
                unsafe kernels.checksum(of: payload)
            }
            return .raw(header)
        }
    }

    /// Checks the payload's length against what the run's plan says.
    func expect(_ byteCount: Int, _ header: FrameHeader) throws(FrameError) {
        guard header.payloadByteCount == UInt64(byteCount) else {
            throw .payloadLength(header.type, declared: header.payloadByteCount, found: byteCount)
        }
    }

    /// Fills in length and checksum of the payload that lies behind the header's place.
    package func seal(_ header: FrameHeader, _ frame: UnsafeMutableRawBufferPointer) {
        var header = header
        let payload = unsafe FrameCodec.payload(of: UnsafeRawBufferPointer(frame))
        header.payloadByteCount = UInt64(payload.count)
        unsafe header.payloadChecksum = kernels.checksum(of: payload)
        unsafe FrameCodec.encode(header, into: frame)
    }

    /// A message of its own: header and a copy of `payload`.
    package func message(
        _ header: FrameHeader, copying payload: RawSpan
    ) -> Message {
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
    func message(_ header: FrameHeader) -> Message {
        message(header, copying: RawSpan())
    }

    package func message(
        _ control: ControlMessage, session: SessionID, incarnation: Incarnation
    ) -> Message {
        do {
            return Message(
                copying: try control.frame(session: session, incarnation: incarnation))
        } catch {
            preconditionFailure("a control message cannot be written: \(error)")
        }
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

/// A frame that is made in place: a header's room, then floats, on a line of the cache.
@safe final class WeightsFrame: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(floatCount: Int) {
        unsafe bytes = .allocate(
            byteCount: FrameHeader.byteCount + floatCount * 4 + 64, alignment: 64)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
        count = floatCount
    }

    deinit { unsafe bytes.deallocate() }

    let count: Int

    /// Header and floats.
    var frame: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: bytes[..<(FrameHeader.byteCount + count * 4)])
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
let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}()

extension Socket {
    /// Sends and lets go of what cannot be queued: whatever matters is repeated by a machine.
    func post(_ message: consuming Message) throws(ZMQError) {
        _ = try send(message).isSent
    }

    /// The options that all sockets of a cluster have.
    ///
    /// - Parameters:
    ///   - maximumFrameByteCount: larger frames end the connection that they come from.
    ///   - lingerMilliseconds: how long a closed socket may still send.
    func configure(maximumFrameByteCount: Int, lingerMilliseconds: Int) throws(ZMQError) {
        try set(.maximumMessageByteCount, to: maximumFrameByteCount)
        try set(.lingerMilliseconds, to: lingerMilliseconds)
        try set(.handshakeMilliseconds, to: 2_000)
        if kind == .router {
            try set(.routerMandatory, to: true)
        } else {
            // A message waits here, where it can be taken back, not in a pipe to nobody.
            try set(.immediate, to: true)
            try set(.reconnectMilliseconds, to: 50)
            try set(.maximumReconnectMilliseconds, to: 1_000)
        }
    }
}

/// Bounds of sockets; their reasons stand beside them.
enum SocketLimits {
    /// Every node of a few steps for one server.
    static let framesInFlight = 512
    /// Control messages of a large cluster, and a burst of committed steps.
    static let controlMessages = 10_000
    /// Goodbyes leave within the second that a session's end may take.
    static let controlLingerMilliseconds = 300
}
