import Datasets
import Testing

@Suite struct GzipTests {
    static let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 4) }
    static let compressed = Gzip.compress(bytes)

    @Test(arguments: [0, 1, 1000, 1_000_000])
    func roundTrip(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(try Gzip.decompress(Gzip.compress(bytes), atMost: count) == bytes)
    }

    @Test func readsWhatGzipWrote() throws {
        // printf 'lockstep\n' | gzip -n
        let compressed: [UInt8] = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0xc9, 0x4f, 0xce,
            0x2e, 0x2e, 0x49, 0x2d, 0xe0, 0x02, 0x00,
        ]
        #expect(throws: GzipError.cutShort(byteCount: compressed.count)) {
            try Gzip.decompress(compressed, atMost: 100)
        }
        let trailer: [UInt8] = [0x1f, 0x49, 0x21, 0x56, 0x09, 0x00, 0x00, 0x00]
        #expect(try Gzip.decompress(compressed + trailer, atMost: 9) == Array("lockstep\n".utf8))
    }

    @Test func readsSeveralMembers() throws {
        let both = Gzip.compress([1, 2]) + Gzip.compress([3])
        #expect(try Gzip.decompress(both, atMost: 3) == [1, 2, 3])
    }

    @Test func cutAnywhereIsAnError() {
        for length in Self.compressed.indices {
            let error: GzipError = length < 2 ? .notGzip : .cutShort(byteCount: length)
            #expect(throws: error) {
                try Gzip.decompress(Array(Self.compressed.prefix(length)), atMost: 5000)
            }
        }
    }

    /// Time, level and system in the header, the text flag and the padding before the trailer are
    /// under no checksum. Nothing else may pass, and the data never change.
    @Test func flippedBitsNeverChangeTheData() {
        var unnoticedCount = 0
        for index in Self.compressed.indices {
            for bit in 0..<8 {
                var flipped = Self.compressed
                flipped[index] ^= 1 << bit
                guard let result = try? Gzip.decompress(flipped, atMost: 5000) else { continue }
                #expect(result == Self.bytes, "byte \(index), bit \(bit)")
                unnoticedCount += 1
            }
        }
        #expect(unnoticedCount <= 6 * 8 + 1 + 7)
    }

    @Test func wrongChecksumIsNamed() {
        var compressed = Self.compressed
        compressed[compressed.count - 8] ^= 1
        #expect {
            try Gzip.decompress(compressed, atMost: 5000)
        } throws: { error in
            guard case .wrongChecksum? = error as? GzipError else { return false }
            return true
        }
    }

    @Test func theBoundIsExact() throws {
        #expect(try Gzip.decompress(Self.compressed, atMost: 5000).count == 5000)
        #expect(throws: GzipError.largerThan(byteCount: 4999)) {
            try Gzip.decompress(Self.compressed, atMost: 4999)
        }
    }

    @Test func aBombStopsAtTheBound() {
        let bomb = Gzip.compress([UInt8](repeating: 0, count: 50_000_000), level: 9)
        #expect(bomb.count < 50_000)
        #expect(throws: GzipError.largerThan(byteCount: 100)) {
            try Gzip.decompress(bomb, atMost: 100)
        }
    }

    @Test func trailingBytesAreAnError() {
        let error = GzipError.trailingBytes(offset: Self.compressed.count, count: 3)
        #expect(throws: error) {
            try Gzip.decompress(Self.compressed + [0, 1, 2], atMost: 5000)
        }
    }
}
