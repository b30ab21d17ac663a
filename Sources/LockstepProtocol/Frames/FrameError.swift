import TrainingPlan

/// Why a frame is not one of ours. Nothing of such a frame is used.
public enum FrameError: Error, Hashable, CustomStringConvertible {
    case truncated(byteCount: Int)
    case wrongMagic(UInt32)
    case unsupportedVersion(UInt16)
    case headerChecksum
    case unknownType(UInt8)
    case unknownEncoding(UInt8)
    /// A field of the header that no sender of ours writes: a step, shard or node out of range.
    case fieldOutOfRange(FrameType)
    case payloadTooLong(FrameType, byteCount: Int, limit: Int)
    case payloadLength(FrameType, declared: Int, found: Int)
    case payloadChecksum(FrameType)
    /// A payload that does not hold what its type says.
    case payloadContent(FrameType)
    /// A type that never comes to this port.
    case wrongDirection(FrameType)
    /// Not a message of one frame from a peer with a routing id of libzmq's.
    case notOneFrame

    public var description: String {
        switch self {
        case .truncated(let byteCount):
            "\(byteCount) bytes, and a frame has at least \(FrameHeader.byteCount)"
        case .wrongMagic(let magic):
            "it begins with 0x\(String(magic.littleEndian, radix: 16)): not a frame of Lockstep"
        case .unsupportedVersion(let version):
            "protocol version \(version), and this is version \(protocolVersion): "
                + "start the same release of Lockstep everywhere"
        case .headerChecksum: "the header's checksum is wrong: damaged in transit"
        case .unknownType(let type): "unknown frame type \(type)"
        case .unknownEncoding(let encoding): "unknown payload encoding \(encoding)"
        case .fieldOutOfRange(let type): "\(type) with a field out of range"
        case .payloadTooLong(let type, let byteCount, let limit):
            "\(type) with a payload of \(byteCount) bytes; at most \(limit) are allowed"
        case .payloadLength(let type, let declared, let found):
            "\(type) declares a payload of \(declared) bytes and has \(found)"
        case .payloadChecksum(let type):
            "\(type) whose payload does not match its checksum: damaged in transit"
        case .payloadContent(let type): "\(type) with a payload that cannot be read"
        case .wrongDirection(let type): "\(type) does not belong on this connection"
        case .notOneFrame: "not a message of one frame"
        }
    }

    /// What frames are counted by.
    package var reason: DropReason {
        switch self {
        case .truncated, .wrongMagic, .notOneFrame: .foreign
        case .unsupportedVersion: .otherVersion
        case .headerChecksum, .payloadChecksum: .damaged
        case .unknownType, .unknownEncoding, .wrongDirection: .wrongType
        case .fieldOutOfRange, .payloadTooLong, .payloadLength, .payloadContent: .malformed
        }
    }
}
