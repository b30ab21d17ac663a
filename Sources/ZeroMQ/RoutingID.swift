/// The name that a ROUTER gives to a connection: 5 bytes when it is automatic, as ours all are.
///
/// Up to eight bytes are kept in place. A peer that gave itself a longer one is none of ours; a ROUTER
/// reports its messages as malformed.
package struct RoutingID: Hashable, Sendable {
    package static let maximumByteCount = 8

    /// The bytes as they lie in memory, then zeros.
    private let word: UInt64
    package let byteCount: Int

    /// - Returns: nil unless there are 1 to 8 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard 1...RoutingID.maximumByteCount ~= bytes.count else { return nil }
        var word: UInt64 = 0
        unsafe Swift.withUnsafeMutableBytes(of: &word) { unsafe $0.copyBytes(from: bytes) }
        self.init(word: word, byteCount: bytes.count)
    }

    /// - Returns: nil unless `byteCount` is 1 to 8; what follows those bytes in `word` must be zero.
    init?(word: UInt64, byteCount: Int) {
        guard 1...RoutingID.maximumByteCount ~= byteCount else { return nil }
        self.word = word
        self.byteCount = byteCount
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe Swift.withUnsafeBytes(of: word) {
            unsafe body(UnsafeRawBufferPointer(rebasing: $0.prefix(byteCount)))
        }
    }
}

extension RoutingID: CustomStringConvertible {
    /// The bytes in hexadecimal.
    package var description: String {
        unsafe withUnsafeBytes { bytes in
            unsafe bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
