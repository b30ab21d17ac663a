/// The name that a ROUTER gives to a connection: a number that counts up, and wraps.
///
/// libzmq writes it as a zero and four bytes, most significant first. Peers may choose ids of their
/// own instead; ours never do, so that an id of another form is a stranger's. One of this form may
/// be a stranger's too: an id says where an answer goes, never who is there.
///
/// libzmq 4.3.4 aborts (`Assertion failed: ok`, socket_base.cpp) when the number that comes next is
/// one that a peer has chosen. The first number is random (``Context`` sees to that), and under
/// CURVE a peer has no id before its key is known; without a key, nothing here can prevent it.
package struct RoutingID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// - Returns: nil for an id of another form.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == RoutingID.byteCount, bytes.first == 0 else { return nil }
        rawValue = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    static let byteCount = 5

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let bytes = (
            UInt8(0), UInt8(truncatingIfNeeded: rawValue >> 24),
            UInt8(truncatingIfNeeded: rawValue >> 16), UInt8(truncatingIfNeeded: rawValue >> 8),
            UInt8(truncatingIfNeeded: rawValue)
        )
        return unsafe Swift.withUnsafeBytes(of: bytes) { unsafe body($0) }
    }
}
