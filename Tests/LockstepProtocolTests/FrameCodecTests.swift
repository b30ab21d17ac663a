import LockstepProtocol
import Testing
import TrainingPlan

@Suite struct FrameCodecTests {
    private let payload: [UInt8] = (0..<45).map { UInt8($0 * 5) }

    private var header: FrameHeader {
        FrameHeader(
            type: .push, session: 0xa1b2_c3d4, run: 3, incarnation: 0x0102_0304,
            step: 0x1122_3344_5566_7788, firstLeaf: 12, leafCount: 4, shard: 2,
            payloadByteCount: UInt64(payload.count),
            payloadChecksum: unsafe payload.withUnsafeBytes { unsafe FrameCodec.checksum($0) })
    }

    private func frame(_ header: FrameHeader, _ payload: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: FrameHeader.byteCount) + payload
        unsafe bytes.withUnsafeMutableBytes { unsafe FrameCodec.encode(header, into: $0) }
        return bytes
    }

    private func decode(_ frame: [UInt8]) throws(FrameError) -> FrameHeader {
        // Off by one from any alignment, as a received payload may be.
        let shifted = [0] + frame
        let result: Result<FrameHeader, FrameError> = unsafe shifted.withUnsafeBytes { bytes in
            let frame = unsafe UnsafeRawBufferPointer(rebasing: bytes[1...])
            do throws(FrameError) {
                let header = try unsafe FrameCodec.decodeHeader(of: frame)
                try unsafe FrameCodec.verifyPayload(
                    of: frame, header: header, checksum: FrameCodec.checksum)
                return .success(header)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test func everyFieldComesBack() throws {
        let decoded = try decode(frame(header, payload))
        #expect(decoded == header)
        #expect(decoded.node == LeafRange(firstLeaf: 12, leafCount: 4))
    }

    @Test func everyTypeComesBack() throws {
        for type in MessageType.allCases {
            let header = FrameHeader(
                type: type,
                payloadChecksum: unsafe [UInt8]().withUnsafeBytes {
                    unsafe FrameCodec.checksum($0)
                })
            #expect(try decode(frame(header, [])).type == type)
        }
    }

    @Test func layoutIsLittleEndianAndFixed() {
        let bytes = frame(header, payload)
        #expect(bytes[..<8] == [0x4c, 0x4b, 0x53, 0x54, 1, 0, 2, 0])
        #expect(bytes[8..<16] == [3, 0, 0, 0, 4, 3, 2, 1])
        #expect(bytes[16..<24] == [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
        #expect(bytes[24..<36] == [12, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0])
        #expect(bytes[36..<48] == [0xd4, 0xc3, 0xb2, 0xa1, 45, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func everyTruncationIsRefused() {
        let bytes = frame(header, payload)
        for length in 0..<bytes.count {
            let error = #expect(throws: FrameError.self) { try decode(Array(bytes[..<length])) }
            if length < FrameHeader.byteCount {
                #expect(error == .truncated(byteCount: length))
            } else {
                #expect(
                    error == .payloadLength(.push, declared: 45, found: length - 64))
            }
        }
    }

    @Test func everyExtraByteIsRefused() {
        let bytes = frame(header, payload)
        for extra in 1...9 {
            #expect(throws: FrameError.payloadLength(.push, declared: 45, found: 45 + extra)) {
                try decode(bytes + Array(repeating: 0, count: extra))
            }
        }
    }

    @Test func everySingleBitFlipIsCaught() {
        let bytes = frame(header, payload)
        for bit in 0..<(bytes.count * 8) {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            let error = #expect(throws: FrameError.self, "bit \(bit)") { try decode(flipped) }
            switch (bit / 8, error) {
            case (0..<4, .wrongMagic), (4..<6, .unsupportedVersion), (6..<64, .headerChecksum),
                (64..., .payloadChecksum):
                break
            default: Issue.record("bit \(bit) gives \(String(describing: error))")
            }
        }
    }

    @Test func anUnknownTypeWithRightChecksumsIsRefused() {
        for type in UInt8.min...UInt8.max where MessageType(rawValue: type) == nil {
            var bytes = frame(header, payload)
            bytes[6] = type
            restoreHeaderChecksum(of: &bytes)
            #expect(throws: FrameError.unknownType(type)) { try decode(bytes) }
        }
        var bytes = frame(header, payload)
        bytes[7] = 1
        restoreHeaderChecksum(of: &bytes)
        #expect(throws: FrameError.reservedByte(1)) { try decode(bytes) }
    }

    @Test func aPayloadLongerThanItsTypeAllowsIsRefused() {
        for type in MessageType.allCases {
            var long = header
            long.type = type
            long.payloadByteCount = UInt64(type.maximumPayloadByteCount) + 1
            #expect(
                throws: FrameError.payloadTooLong(
                    type, byteCount: long.payloadByteCount, limit: type.maximumPayloadByteCount)
            ) { try decode(frame(long, payload)) }
        }
    }

    @Test func strangersAreNotOurs() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", String(repeating: "GET /\r\n", count: 20),
        ] {
            #expect(throws: FrameError.self) { try decode(Array(text.utf8)) }
        }
    }

    private func restoreHeaderChecksum(of bytes: inout [UInt8]) {
        let checksum = unsafe bytes[..<56].withUnsafeBytes { unsafe FrameCodec.checksum($0) }
        for index in 0..<8 {
            bytes[56 + index] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * index))
        }
    }
}
