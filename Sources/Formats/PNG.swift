import Hashing

/// Small images as PNG files (RFC 2083), not compressed: a digit has 784 bytes.
package enum PNG {
    /// - Parameter pixels: `[height, width]`, 0 is black.
    package static func grey(_ pixels: [UInt8], width: Int, height: Int) -> [UInt8] {
        precondition(pixels.count == width * height, "an image needs its pixels")
        var rows: [UInt8] = []
        for row in 0..<height {
            // Filter 0: the bytes as they are.
            rows.append(0)
            rows += pixels[row * width..<(row + 1) * width]
        }
        precondition(rows.count < 1 << 16, "one stored block holds 65,535 bytes")
        // A zlib stream of one stored block, then its Adler-32 (RFC 1950 and 1951).
        let length = UInt16(rows.count)
        var block: [UInt8] = [0x78, 0x01, 0x01]
        block.append(littleEndian: length)
        block.append(littleEndian: ~length)
        block += rows
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 0, 0, 0, 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
            + chunk("IDAT", block + bigEndian(adler32(rows))) + chunk("IEND", [])
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return bigEndian(UInt32(content.count)) + body + bigEndian(CRC32.checksum(body))
    }

    static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return b << 16 | a
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
