import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

/// Headers: written and read, and what is refused.
@Suite struct FrameCodecTests {
    static let address = StepAddress(
        run: 3, generation: 0xa1b2_c3d4, step: Step(Limits.maximumStep), shard: 63)
    static let part = BytePart(offset: 0x0102_0304, byteCount: 0x3_ffff)

    /// One of each type, with no field at 0.
    static let contents: [FrameContent] = [
        .status(.init(rawValue: Limits.maximumStatementNumber)),
        .assignment(0x1122_3344_5566, clock: 0x2233_4455_6677),
        .stepReport(address, elapsed: 0x1234_5678_9abc_def0),
        .traceEvents(
            TraceBatch(eventCount: 512, clock: 0x1234, sent: 0x5678_9abc, difference: -0x1357)),
        .push(address, node: LeafRange(12, 4)),
        .inquiry(address, leaves: LeafRange(SettingLimits.maximumBatchSize - 1, 1)),
        .weightsRequest(address, wanted: Step(Limits.maximumStep - 1)), .weights(address),
        .held(address, leaves: LeafRange(5, 11)),
        .datasetRequest(BytePart(offset: UInt64(Limits.maximumDatasetByteCount), byteCount: 1)),
        .datasetPart(part), .snapshotRequest(SnapshotPart(address: address, part: part)),
        .snapshotPart(SnapshotPart(address: address, part: part)), .overviewRequest, .overview,
        .scaleRequest(workers: UInt32(Limits.maximumWorkers)), .scaleReply, .channelOffer,
        .channelWake,
    ]

    static func payload(of content: FrameContent) -> [UInt8] {
        content.type.maximumPayloadByteCount == 0 ? [] : (0..<45).map { UInt8($0 * 5) }
    }

    static func header(_ content: FrameContent) -> FrameHeader {
        let payload = payload(of: content)
        return FrameHeader(
            content, session: 0xa1b2_c3d4, incarnation: 0x0102_0304,
            payloadByteCount: payload.count,
            payloadChecksum: unsafe payload.withUnsafeBytes { unsafe FrameCodec.checksum($0) })
    }

    static func frame(_ header: FrameHeader, _ payload: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: FrameHeader.byteCount) + payload
        unsafe bytes.withUnsafeMutableBytes { unsafe FrameCodec.encode(header, into: $0) }
        return bytes
    }

    static func frame(_ content: FrameContent) -> [UInt8] {
        frame(header(content), payload(of: content))
    }

    static func decode(_ frame: some Collection<UInt8>) throws(FrameError) -> FrameHeader {
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

    /// The error of a frame that is refused; nil if it is not.
    static func error(of frame: some Collection<UInt8>) -> FrameError? {
        do throws(FrameError) {
            _ = try decode(frame)
            return nil
        } catch {
            return error
        }
    }

    /// The same frame with other bytes in its header, and the right checksum of that.
    static func altered(
        _ content: FrameContent, _ change: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var bytes = frame(content)
        change(&bytes)
        let checksum = unsafe bytes[..<56].withUnsafeBytes { unsafe FrameCodec.checksum($0) }
        store(checksum, at: 56, in: &bytes)
        return bytes
    }

    static func store<T: FixedWidthInteger>(_ value: T, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<MemoryLayout<T>.size {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index))
        }
    }

    // MARK: What is written is read again

    @Test func everyTypeIsHere() {
        #expect(Set(Self.contents.map(\.type)) == Set(FrameType.allCases))
        #expect(Self.contents.count == FrameType.allCases.count)
    }

    @Test(arguments: contents)
    func everyFieldComesBack(_ content: FrameContent) throws {
        #expect(try Self.decode(Self.frame(content)) == Self.header(content))
    }

    @Test func layoutIsLittleEndianAndFixed() {
        let bytes = Self.frame(.push(Self.address, node: LeafRange(12, 4)))
        #expect(bytes[..<8] == [0x4c, 0x4b, 0x53, 0x54, 10, 0, 67, 0])
        #expect(bytes[8..<16] == [0xd4, 0xc3, 0xb2, 0xa1, 4, 3, 2, 1])
        #expect(bytes[16..<24] == [45, 0, 0, 0, 3, 0, 0, 0])
        #expect(bytes[24..<36] == [0xd4, 0xc3, 0xb2, 0xa1, 0, 0, 0, 0, 0, 0, 4, 0])
        #expect(bytes[36..<48] == [63, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0])
        // What a type does not need is zero.
        #expect(Self.frame(.assignment(1))[28..<48].allSatisfy { $0 == 0 })
    }

    // MARK: Damage

    @Test(arguments: contents)
    func everyTruncationIsRefused(_ content: FrameContent) {
        let bytes = Self.frame(content)
        for length in 0..<bytes.count {
            #expect(
                Self.error(of: bytes[..<length])
                    == (length < FrameHeader.byteCount
                        ? .truncated(byteCount: length)
                        : .payloadLength(content.type, declared: 45, found: length - 64)))
        }
        for extra in 1...9 {
            let declared = bytes.count - 64
            #expect(
                Self.error(of: bytes + Array(repeating: 0, count: extra))
                    == .payloadLength(
                        content.type, declared: declared, found: declared + extra))
        }
    }

    @Test(arguments: contents)
    func everyFlippedBitIsSeen(_ content: FrameContent) {
        let bytes = Self.frame(content)
        for bit in 0..<(bytes.count * 8) {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            switch (bit / 8, Self.error(of: flipped)) {
            case (0..<4, .wrongMagic), (4..<6, .unsupportedVersion), (6..<64, .headerChecksum),
                (64..., .payloadChecksum):
                break
            case (_, let error): Issue.record("bit \(bit) gives \(String(describing: error))")
            }
        }
    }

    // MARK: Hostile headers, with the right checksum

    @Test func unknownTypesAndEncodingsAreRefused() {
        for type in UInt8.min...UInt8.max where FrameType(rawValue: type) == nil {
            let frame = Self.altered(Self.contents[0]) { $0[6] = type }
            #expect(Self.error(of: frame) == .unknownType(type))
        }
        for encoding in (1...255).map({ UInt8($0) }) {
            let frame = Self.altered(Self.contents[0]) { $0[7] = encoding }
            #expect(Self.error(of: frame) == .unknownEncoding(encoding))
        }
    }

    /// Of another version only the first eight bytes matter: what is behind may be anything.
    @Test(arguments: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 1_000, .max] as [UInt16])
    func otherVersionsAreNamed(version: UInt16) {
        var random = SeededRandom(seed: Int(version))
        for count in [8, 9, 63, 64, 65, 300] {
            var bytes = random.pixels(count, density: 0.9)
            Self.store(FrameHeader.magic, at: 0, in: &bytes)
            Self.store(version, at: 4, in: &bytes)
            #expect(Self.error(of: bytes) == .unsupportedVersion(version))
            #expect(Self.error(of: bytes[..<7]) == .truncated(byteCount: 7))
        }
    }

    @Test(arguments: contents)
    func hostileLengthsAreRefused(_ content: FrameContent) {
        let limit = content.type.maximumPayloadByteCount
        for declared in [UInt32(limit) + 1, .max, 1 << 31] {
            let frame = Self.altered(content) { Self.store(declared, at: 16, in: &$0) }
            #expect(
                Self.error(of: frame)
                    == .payloadTooLong(content.type, byteCount: Int(declared), limit: limit))
        }
        let real = Self.payload(of: content).count
        for declared in [0, 44, 46, limit] where declared != real && declared <= limit {
            let frame = Self.altered(content) { Self.store(UInt32(declared), at: 16, in: &$0) }
            #expect(
                Self.error(of: frame)
                    == .payloadLength(content.type, declared: declared, found: real))
        }
    }

    /// Fields that no sender of ours writes.
    @Test func fieldsOutOfRangeAreRefused() {
        func check<T: FixedWidthInteger>(
            _ types: [FrameType], at offset: Int, good: T, bad: [T]
        ) {
            for content in Self.contents where types.contains(content.type) {
                let best = Self.altered(content) { Self.store(good, at: offset, in: &$0) }
                #expect(Self.error(of: best) == nil, "\(content.type): \(good)")
                for value in bad {
                    let frame = Self.altered(content) { Self.store(value, at: offset, in: &$0) }
                    #expect(
                        Self.error(of: frame) == .fieldOutOfRange(content.type),
                        "\(content.type): \(value)")
                }
            }
        }
        let addressed: [FrameType] = [
            .stepReport, .weights, .push, .inquiry, .weightsRequest, .held, .snapshotRequest,
            .snapshotPart,
        ]
        let lastStep = UInt64(Limits.maximumStep)
        check(addressed, at: 28, good: lastStep, bad: [lastStep + 1, 1 << 63, .max])
        check(addressed, at: 36, good: UInt32(63), bad: [64, .max])
        check([.traceEvents], at: 20, good: UInt32(512), bad: [0, 513, .max])
        check([.weightsRequest], at: 40, good: lastStep, bad: [lastStep + 1, 1 << 63, .max])
        let lastNumber = Limits.maximumStatementNumber
        check([.status, .assignment], at: 20, good: lastNumber, bad: [lastNumber + 1, .max])
        let mostLeaves = UInt32(SettingLimits.maximumBatchSize)
        for type in [FrameType.push, .inquiry, .held] {
            check([type], at: 40, good: mostLeaves - 11, bad: [mostLeaves, .max])
            check([type], at: 44, good: UInt32(1), bad: [mostLeaves + 1, .max])
        }
        // Only a push has to be of some leaves.
        check([.push], at: 44, good: UInt32(1), bad: [0])
        check([.inquiry, .held], at: 44, good: UInt32(0), bad: [])
        let mostBytes = UInt64(Limits.maximumDatasetByteCount)
        check(
            [.datasetRequest, .datasetPart], at: 20, good: mostBytes, bad: [mostBytes + 1, .max])
        let longest = UInt32(Limits.partByteCount)
        check([.datasetRequest, .datasetPart], at: 28, good: longest, bad: [longest + 1, .max])
        check([.snapshotRequest, .snapshotPart], at: 44, good: longest, bad: [longest + 1, .max])
    }

    @Test func strangersAreNotOurs() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", String(repeating: "GET /\r\n", count: 20),
        ] {
            #expect(Self.error(of: Array(text.utf8)) == .wrongMagic(0x2054_4547))
        }
    }

    /// Random bytes, and headers that are right but for their fields: nothing traps, and what is
    /// read has its fields in range.
    @Test func fuzz() {
        var random = SeededRandom(seed: 11)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...160, using: &random)
            #expect(Self.error(of: random.pixels(count, density: 0.9)) != nil)
        }
        for _ in 0..<50_000 {
            let content = Self.contents[Int.random(in: 0..<Self.contents.count, using: &random)]
            let frame = Self.altered(content) { bytes in
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    bytes[Int.random(in: 6..<56, using: &random)] = .random(
                        in: 0...255, using: &random)
                }
            }
            guard let header = try? Self.decode(frame) else { continue }
            // Anything that is read can be written again.
            let payload = Array(frame[FrameHeader.byteCount...])
            #expect((try? Self.decode(Self.frame(header, payload))) == header)
        }
    }
}
