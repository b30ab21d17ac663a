import CSodium

/// What CURVE does to each message: libsodium's box, closed on one side and opened on the other.
enum Sealing {
    /// Seconds of one core for a byte on its way, best of some rounds over messages of this length.
    static func secondsPerByte(messageByteCount: Int) -> Double {
        let key = [UInt8](repeating: 1, count: Int(crypto_box_BEFORENMBYTES))
        var nonce = [UInt8](repeating: 0, count: Int(crypto_box_NONCEBYTES))
        var open = [UInt8](repeating: 7, count: messageByteCount)
        var sealed = [UInt8](repeating: 0, count: messageByteCount + Int(crypto_box_MACBYTES))
        let timed = Timed(calls: 16) {
            nonce[0] &+= 1
            _ = unsafe crypto_box_easy_afternm(&sealed, open, UInt64(open.count), nonce, key)
            let status = unsafe crypto_box_open_easy_afternm(
                &open, sealed, UInt64(sealed.count), nonce, key)
            precondition(status == 0, "what was sealed is opened")
        }
        let best = (0..<200).map { _ in timed.sample() }.min() ?? .nan
        return best / Double(messageByteCount)
    }
}
