import Hashing
import TestSupport
import Testing

@Suite struct ChecksumTests {
    @Test(arguments: published)
    func publishedCRC32CExamples(bytes: [UInt8], expected: UInt32) {
        #expect(CRC32C.checksum(bytes) == expected)
    }

    /// RFC 3720, section B.4, the check value of every list of CRCs, and nothing.
    private static let published: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ([UInt8](0..<32), 0x46DD_794E),
        ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
        (readCommand, 0xD996_3A56),
        (Array("123456789".utf8), 0xE306_9283),
        ([], 0),
    ]

    /// The RFC's iSCSI SCSI Read (10) command.
    private static let readCommand: [UInt8] = [
        0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0,
        0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    ]

    /// Every length around a round of eight, against one bit at a time.
    @Test func crc32cEqualsItsNaiveTwin() {
        var random = SeededRandom(seed: 1)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(CRC32C.checksum(bytes) == Self.naive(bytes, 0x82F6_3B78), "\(count) bytes")
            #expect(CRC32C.checksum(AnyCollection(bytes)) == CRC32C.checksum(bytes))
        }
    }

    @Test func crc32EqualsItsNaiveTwin() {
        var random = SeededRandom(seed: 2)
        for count in 0..<20 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(CRC32.checksum(bytes) == Self.naive(bytes, 0xEDB8_8320), "\(count) bytes")
            #expect(CRC32.checksum(AnyCollection(bytes)) == CRC32.checksum(bytes))
        }
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
    }

    private static func naive(_ bytes: [UInt8], _ polynomial: UInt32) -> UInt32 {
        var remainder = UInt32.max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 == 1 ? polynomial : 0)
            }
        }
        return ~remainder
    }
}
