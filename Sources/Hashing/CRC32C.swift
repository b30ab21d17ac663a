/// CRC-32C (Castagnoli; RFC 3720, section 12.1), the checksum of TensorBoard's records.
package enum CRC32C {
    /// 0x1EDC6F41 with its bits reversed.
    private static let polynomial: UInt32 = 0x82F6_3B78

    /// Eight tables of 256: what a byte adds to the remainder with 0 to 7 bytes behind it.
    private static let tables: [UInt32] = {
        var tables = (0..<256 as Range<UInt32>).map { byte in
            (0..<8).reduce(byte) { remainder, _ in
                remainder >> 1 ^ (remainder & 1 == 0 ? 0 : polynomial)
            }
        }
        for entry in 256..<2048 {
            let before = tables[entry - 256]
            tables.append(before >> 8 ^ tables[Int(before & 0xFF)])
        }
        return tables
    }()

    /// Takes eight bytes a round (slicing-by-8; Kounavis & Berry 2005).
    package static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        let bytes = [UInt8](bytes)
        var remainder = UInt32.max
        var position = 0
        while position + 8 <= bytes.count {
            var folded: UInt32 = 0
            for index in 0..<8 {
                var byte = UInt32(bytes[position + index])
                if index < 4 { byte ^= remainder >> UInt32(8 * index) & 0xFF }
                folded ^= tables[256 * (7 - index) + Int(byte)]
            }
            remainder = folded
            position += 8
        }
        while position < bytes.count {
            let byte = UInt32(bytes[position])
            remainder = remainder >> 8 ^ tables[Int((remainder ^ byte) & 0xFF)]
            position += 1
        }
        return ~remainder
    }
}
