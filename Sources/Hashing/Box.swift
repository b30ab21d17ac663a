import CSodium

/// libsodium's box with one message in it: what CURVE does to each message on its way, to be timed.
package struct Box {
    private let key = [UInt8](repeating: 1, count: Int(crypto_box_BEFORENMBYTES))
    private var nonce = [UInt8](repeating: 0, count: Int(crypto_box_NONCEBYTES))
    private var open: [UInt8]
    private var sealed: [UInt8]

    package init(messageByteCount: Int) {
        open = [UInt8](repeating: 7, count: messageByteCount)
        sealed = [UInt8](repeating: 0, count: messageByteCount + Int(crypto_box_MACBYTES))
    }

    /// Seals the message as its sender does, and opens it as its receiver does.
    package mutating func sealAndOpen() {
        nonce[0] &+= 1
        _ = unsafe crypto_box_easy_afternm(&sealed, open, UInt64(open.count), nonce, key)
        let status = unsafe crypto_box_open_easy_afternm(
            &open, sealed, UInt64(sealed.count), nonce, key)
        precondition(status == 0, "what was sealed is opened")
    }
}
