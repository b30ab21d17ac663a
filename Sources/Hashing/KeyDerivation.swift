import CSodium

/// Keys that follow from one, by libsodium's KDF (BLAKE2b): who has one of them learns nothing of
/// the others.
package enum KeyDerivation {
    package static let keyByteCount = Int(crypto_kdf_KEYBYTES)

    /// - Parameters:
    ///   - key: ``keyByteCount`` bytes.
    ///   - number: of the key that is wanted.
    package static func derive(_ number: UInt64, from key: [UInt8]) -> [UInt8] {
        precondition(key.count == keyByteCount, "a key of 32 bytes")
        var derived = [UInt8](repeating: 0, count: keyByteCount)
        _ = unsafe crypto_kdf_derive_from_key(&derived, derived.count, number, "lockstep", key)
        return derived
    }

    /// A new key, from the random numbers of the system.
    package static func makeKey() -> [UInt8] {
        var key = [UInt8](repeating: 0, count: keyByteCount)
        unsafe crypto_kdf_keygen(&key)
        return key
    }
}
