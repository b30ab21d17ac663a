import LockstepProtocol
import ZeroMQ

/// What transports say to each other over a socket about a channel beside it.
enum ChannelFrame: Hashable {
    /// Memory of this name may be opened.
    case offer(String)
    /// Something has come through the channel.
    case wake

    /// Nil for any other frame.
    init?(_ message: borrowing Message) {
        let found: ChannelFrame? = unsafe message.withUnsafeBytes { frame in
            // Nearly always it is another one, which is told by its type alone.
            guard frame.count <= FrameHeader.byteCount + Limits.maximumChannelNameByteCount,
                unsafe FrameCodec.mayBeOfChannel(frame),
                let header = try? unsafe FrameCodec.decodeHeader(of: frame),
                unsafe FrameCodec.checksum(FrameCodec.payload(of: frame)) == header.payloadChecksum
            else { return nil }
            switch header.content {
            case .channelOffer:
                return .offer(
                    unsafe String(decoding: FrameCodec.payload(of: frame), as: UTF8.self))
            case .channelWake: return .wake
            default: return nil
            }
        }
        guard let found else { return nil }
        self = found
    }

    static func offer(_ name: String) -> Message {
        frame(.channelOffer, [UInt8](name.utf8))
    }

    static func wake() -> Message { frame(.channelWake, []) }

    private static func frame(_ content: FrameContent, _ payload: [UInt8]) -> Message {
        var message = Message(byteCount: FrameHeader.byteCount + payload.count)
        unsafe message.withUnsafeMutableBytes { frame in
            unsafe UnsafeMutableRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
                .copyBytes(from: payload)
            let header = unsafe FrameHeader(
                content, session: .none, incarnation: .none, payloadByteCount: payload.count,
                payloadChecksum: payload.withUnsafeBytes { unsafe FrameCodec.checksum($0) })
            unsafe FrameCodec.encode(header, into: frame)
        }
        return message
    }
}
