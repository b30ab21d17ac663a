import TrainingPlan

/// Writes headers where they lie and reads frames where they lie, without allocation.
package enum FrameCodec {
    /// Writes `header` into the first 64 bytes of `frame`, which need no alignment.
    ///
    /// The payload lies behind or is sent from behind: its length and checksum are the header's.
    package static func encode(_ header: FrameHeader, into frame: UnsafeMutableRawBufferPointer) {
        precondition(frame.count >= FrameHeader.byteCount, "no room for a frame's header")
        let writer = unsafe FieldWriter(frame)
        unsafe writer.store(FrameHeader.magic, at: 0)
        unsafe writer.store(protocolVersion, at: 4)
        unsafe writer.store(header.type.rawValue, at: 6)
        unsafe writer.store(UInt8(0), at: 7)
        unsafe writer.store(header.session.rawValue, at: 8)
        unsafe writer.store(header.incarnation.rawValue, at: 12)
        unsafe writer.store(UInt32(header.payloadByteCount), at: 16)
        unsafe writer.clear(20..<48)
        unsafe writer.store(header.content)
        unsafe writer.store(header.payloadChecksum, at: 48)
        unsafe writer.store(headerChecksum(UnsafeRawBufferPointer(frame)), at: 56)
    }

    /// Reads a header and checks everything that it says about itself and about the frame's
    /// length. The payload's bytes are not looked at: see ``verifyPayload(of:header:checksum:)``.
    package static func decodeHeader(
        of frame: UnsafeRawBufferPointer
    ) throws(FrameError) -> FrameHeader {
        let reader = unsafe FieldReader(frame)
        // The magic and the version come first in every version: a peer of another one is told.
        guard frame.count >= 8 else { throw .truncated(byteCount: frame.count) }
        let magic = unsafe reader.load(UInt32.self, at: 0)
        guard magic == FrameHeader.magic else { throw .wrongMagic(magic) }
        let version = unsafe reader.load(UInt16.self, at: 4)
        guard version == protocolVersion else { throw .unsupportedVersion(version) }
        guard frame.count >= FrameHeader.byteCount else {
            throw .truncated(byteCount: frame.count)
        }
        guard unsafe reader.load(UInt64.self, at: 56) == headerChecksum(frame) else {
            throw .headerChecksum
        }
        let rawType = unsafe reader.load(UInt8.self, at: 6)
        guard let type = FrameType(rawValue: rawType) else { throw .unknownType(rawType) }
        let encoding = unsafe reader.load(UInt8.self, at: 7)
        guard encoding == 0 else { throw .unknownEncoding(encoding) }
        let declared = unsafe Int(reader.load(UInt32.self, at: 16))
        let limit = type.maximumPayloadByteCount
        guard declared <= limit else {
            throw .payloadTooLong(type, byteCount: declared, limit: limit)
        }
        let found = frame.count - FrameHeader.byteCount
        guard declared == found else {
            throw .payloadLength(type, declared: declared, found: found)
        }
        guard let content = unsafe reader.content(type) else { throw .fieldOutOfRange(type) }
        return FrameHeader(
            content, session: SessionID(rawValue: unsafe reader.load(UInt32.self, at: 8)),
            incarnation: Incarnation(rawValue: unsafe reader.load(UInt32.self, at: 12)),
            payloadByteCount: declared,
            payloadChecksum: unsafe reader.load(UInt64.self, at: 48))
    }

    /// Checks the payload against the header's checksum.
    ///
    /// - Parameter checksum: the function that the sender used: a SIMD kernel for floats,
    ///   ``checksum(_:)`` for statements.
    package static func verifyPayload(
        of frame: UnsafeRawBufferPointer, header: FrameHeader,
        checksum: (UnsafeRawBufferPointer) -> UInt64
    ) throws(FrameError) {
        guard unsafe checksum(payload(of: frame)) == header.payloadChecksum else {
            throw .payloadChecksum(header.type)
        }
    }

    /// Whether a frame's type, unchecked, is one that transports keep to themselves.
    package static func mayBeOfChannel(_ frame: UnsafeRawBufferPointer) -> Bool {
        guard frame.count >= FrameHeader.byteCount else { return false }
        let type = unsafe frame[6]
        return type == FrameType.channelOffer.rawValue || type == FrameType.channelWake.rawValue
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
