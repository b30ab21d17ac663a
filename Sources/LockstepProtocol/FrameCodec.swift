import TrainingPlan

/// Why a frame is not one of ours. Nothing of such a frame is used.
package enum FrameError: Error, Hashable, CustomStringConvertible {
    case truncated(byteCount: Int)
    case wrongMagic(UInt32)
    case unsupportedVersion(UInt16)
    case headerChecksum
    case unknownType(UInt8)
    case reservedByte(UInt8)
    case payloadTooLong(MessageType, byteCount: UInt64, limit: Int)
    case payloadLength(MessageType, declared: UInt64, found: Int)
    case payloadChecksum(MessageType, declared: UInt64, found: UInt64)
    /// A JSON payload that does not hold what its type says.
    case payloadContent(MessageType)

    package var description: String {
        switch self {
        case .truncated(let byteCount):
            "\(byteCount) bytes, which is less than a header of \(FrameHeader.byteCount)"
        case .wrongMagic(let magic):
            "begins with 0x\(String(magic.littleEndian, radix: 16)): not a frame of Lockstep"
        case .unsupportedVersion(let version):
            "frame version \(version), and this is version \(FrameHeader.version): "
                + "start the same release of Lockstep everywhere"
        case .headerChecksum: "the header's checksum is wrong: damaged on the way"
        case .unknownType(let type): "unknown message type \(type)"
        case .reservedByte(let value): "byte 7 is \(value), and must be 0"
        case .payloadTooLong(let type, let byteCount, let limit):
            "\(type) with a payload of \(byteCount) bytes; the most is \(limit)"
        case .payloadLength(let type, let declared, let found):
            "\(type) declares a payload of \(declared) bytes and has \(found)"
        case .payloadChecksum(let type, let declared, let found):
            "\(type) has the payload checksum \(String(found, radix: 16)) instead of "
                + "\(String(declared, radix: 16)): damaged on the way"
        case .payloadContent(let type): "\(type) with a payload that cannot be read"
        }
    }
}

/// Writes headers where they lie and reads frames where they lie, without allocation.
package enum FrameCodec {
    /// Writes `header` into the first 64 bytes of `frame`, which need no alignment.
    ///
    /// The payload lies behind or is sent from behind: its length and checksum are the header's.
    package static func encode(_ header: FrameHeader, into frame: UnsafeMutableRawBufferPointer) {
        precondition(frame.count >= FrameHeader.byteCount, "no room for a frame's header")
        func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
            unsafe frame.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
        }
        store(FrameHeader.magic, at: 0)
        store(FrameHeader.version, at: 4)
        store(header.type.rawValue, at: 6)
        store(UInt8(0), at: 7)
        store(header.run.rawValue, at: 8)
        store(header.incarnation.rawValue, at: 12)
        store(header.step.rawValue, at: 16)
        store(header.firstLeaf, at: 24)
        store(header.leafCount, at: 28)
        store(header.shard.rawValue, at: 32)
        store(header.session.rawValue, at: 36)
        store(header.payloadByteCount, at: 40)
        store(header.payloadChecksum, at: 48)
        store(unsafe headerChecksum(UnsafeRawBufferPointer(frame)), at: 56)
    }

    /// Reads a header and checks everything that it says about itself and about the frame's
    /// length. The payload's bytes are not looked at: see ``verifyPayload(of:header:checksum:)``.
    package static func decodeHeader(
        of frame: UnsafeRawBufferPointer
    ) throws(FrameError) -> FrameHeader {
        guard frame.count >= FrameHeader.byteCount else {
            throw .truncated(byteCount: frame.count)
        }
        func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int) -> T {
            unsafe T(littleEndian: frame.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        let magic = load(UInt32.self, at: 0)
        guard magic == FrameHeader.magic else { throw .wrongMagic(magic) }
        let version = load(UInt16.self, at: 4)
        guard version == FrameHeader.version else { throw .unsupportedVersion(version) }
        guard unsafe load(UInt64.self, at: 56) == headerChecksum(frame) else {
            throw .headerChecksum
        }
        let rawType = load(UInt8.self, at: 6)
        guard let type = MessageType(rawValue: rawType) else { throw .unknownType(rawType) }
        let reserved = load(UInt8.self, at: 7)
        guard reserved == 0 else { throw .reservedByte(reserved) }
        let header = FrameHeader(
            type: type, session: SessionID(rawValue: load(UInt32.self, at: 36)),
            run: RunIndex(rawValue: load(UInt32.self, at: 8)),
            incarnation: Incarnation(rawValue: load(UInt32.self, at: 12)),
            step: Step(rawValue: load(UInt64.self, at: 16)),
            firstLeaf: load(UInt32.self, at: 24), leafCount: load(UInt32.self, at: 28),
            shard: ShardIndex(rawValue: load(UInt32.self, at: 32)),
            payloadByteCount: load(UInt64.self, at: 40),
            payloadChecksum: load(UInt64.self, at: 48))
        let limit = type.maximumPayloadByteCount
        guard header.payloadByteCount <= UInt64(limit) else {
            throw .payloadTooLong(type, byteCount: header.payloadByteCount, limit: limit)
        }
        let found = frame.count - FrameHeader.byteCount
        guard header.payloadByteCount == UInt64(found) else {
            throw .payloadLength(type, declared: header.payloadByteCount, found: found)
        }
        return header
    }

    /// Checks the payload against the header's checksum.
    ///
    /// - Parameter checksum: the function that the sender used: a SIMD kernel for floats,
    ///   ``checksum(_:)`` for the rest.
    package static func verifyPayload(
        of frame: UnsafeRawBufferPointer, header: FrameHeader,
        checksum: (UnsafeRawBufferPointer) -> UInt64
    ) throws(FrameError) {
        let found = unsafe checksum(payload(of: frame))
        guard found == header.payloadChecksum else {
            throw .payloadChecksum(header.type, declared: header.payloadChecksum, found: found)
        }
    }

    /// The bytes behind the header, where they lie.
    ///
    /// - Precondition: the frame has a header.
    package static func payload(of frame: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
    }

    /// A checksum for small payloads that is the same on every machine: the length, then each
    /// eight bytes (the last ones filled up with zeros), go through ``mix(_:_:)``.
    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = mix(0, UInt64(bytes.count))
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = mix(state, UInt64(littleEndian: word))
            offset += 8
        }
        var last: UInt64 = 0
        for index in offset..<bytes.count {
            last |= unsafe UInt64(bytes[index]) << UInt64(8 * (index - offset))
        }
        return offset == bytes.count ? state : mix(state, last)
    }

    private static func headerChecksum(_ frame: UnsafeRawBufferPointer) -> UInt64 {
        unsafe checksum(UnsafeRawBufferPointer(rebasing: frame[..<(FrameHeader.byteCount - 8)]))
    }

    /// For a given state one-to-one in the word, and for a given word in the state: a change
    /// within one word always changes the end. Constant: MurmurHash3's finaliser.
    private static func mix(_ state: UInt64, _ word: UInt64) -> UInt64 {
        let product = (state ^ word) &* 0xff51_afd7_ed55_8ccd
        return product ^ (product >> 32)
    }
}
