import CSodium

/// SHA-256 (FIPS 180-4) over bytes that come in pieces or at once, computed by libsodium.
package struct SHA256: Sendable {
    private var state = crypto_hash_sha256_state()

    package init() {
        _ = unsafe crypto_hash_sha256_init(&state)
    }

    package mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            _ = unsafe crypto_hash_sha256_update(&state, start, UInt64(bytes.count))
        }
    }

    package mutating func update(_ bytes: some Collection<UInt8>) {
        let contiguous: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            unsafe update(UnsafeRawBufferPointer(bytes).bytes)
        }
        if contiguous == nil { unsafe update([UInt8](bytes).span.bytes) }
    }

    /// The digest of all bytes so far.
    package consuming func finalize() -> Digest {
        var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
        _ = unsafe crypto_hash_sha256_final(&state, &bytes)
        return Digest(bytes: bytes)
    }

    package static func hash(_ bytes: RawSpan) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    package static func hash(_ bytes: some Collection<UInt8>) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }
}

extension SHA256 {
    /// Thirty-two bytes; their description is 64 lowercase hexadecimal digits.
    package struct Digest: Hashable, Sendable, LosslessStringConvertible {
        package static let byteCount = 32

        package let bytes: [UInt8]

        fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

        /// A digest received as raw bytes; nil unless there are 32.
        package init?(_ bytes: some Collection<UInt8>) {
            guard bytes.count == Self.byteCount else { return nil }
            self.bytes = [UInt8](bytes)
        }

        /// A digest written as 64 hexadecimal digits; nil for anything else.
        package init?(_ description: String) {
            let nibbles = description.compactMap(\.hexDigitValue)
            guard nibbles.count == 2 * Self.byteCount, description.utf8.count == nibbles.count
            else {
                return nil
            }
            bytes = (0..<Self.byteCount).map { UInt8(nibbles[2 * $0] << 4 | nibbles[2 * $0 + 1]) }
        }

        package var description: String {
            let digits = Array("0123456789abcdef")
            return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        }
    }
}
