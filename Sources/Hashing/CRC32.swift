import CZlib

/// CRC-32 (RFC 1952, section 8), the checksum of gzip and ZIP, computed by zlib.
package enum CRC32 {
    package static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        let bytes = [UInt8](bytes)
        return UInt32(truncatingIfNeeded: unsafe crc32_z(0, bytes, bytes.count))
    }
}
