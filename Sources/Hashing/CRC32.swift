import CZlib

/// CRC-32 (RFC 1952, section 8), the checksum of gzip and ZIP, computed by zlib.
package enum CRC32 {
    package static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        checksum([[UInt8](bytes)[...]])
    }

    /// Of pieces laid end to end.
    package static func checksum(_ pieces: [ArraySlice<UInt8>]) -> UInt32 {
        let checksum = pieces.reduce(0) { checksum, piece in
            unsafe piece.withUnsafeBufferPointer { bytes in
                unsafe crc32_z(checksum, bytes.baseAddress, bytes.count)
            }
        }
        return UInt32(truncatingIfNeeded: checksum)
    }
}
