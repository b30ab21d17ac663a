import Glibc

/// What a peer says of itself before any key is used: the greeting of ZMTP 3 (ZeroMQ RFC 23).
///
/// libzmq does not tell why a handshake comes to nothing. The greeting does: it names the security
/// mechanism that the peer insists on.
package enum Greeting: Equatable, Sendable {
    /// Nobody answers there, or not in time.
    case silence
    /// Something that does not speak ZMTP 3.
    case foreign
    /// `NULL`, `CURVE`, …
    case mechanism(String)

    /// Asks a port over a connection of its own, and waits.
    package static func of(_ endpoint: Endpoint, timeoutMilliseconds: Int) -> Greeting {
        guard let address = try? endpoint.addresses().first else { return .silence }
        let (_, file) = Reachability.connecting(address, timeoutMilliseconds: timeoutMilliseconds)
        guard file >= 0 else { return .silence }
        defer { close(file) }
        // No more than the version: a mechanism that is not its own ends the conversation before it
        // has named that.
        let own = signature + [3]
        guard unsafe Glibc.send(file, own, own.count, CInt(MSG_NOSIGNAL)) == own.count else {
            return .silence
        }
        var bytes: [UInt8] = []
        let end = ContinuousClock.now + .milliseconds(timeoutMilliseconds)
        // One that says a byte at a time has no longer than one that says nothing.
        while bytes.count < mechanismEnd, ContinuousClock.now < end {
            var part = [UInt8](repeating: 0, count: byteCount - bytes.count)
            let count = unsafe recv(file, &part, part.count, 0)
            guard count > 0 else { return bytes.isEmpty ? .silence : .foreign }
            bytes += part.prefix(count)
        }
        guard bytes.count >= mechanismEnd, bytes[0] == 0xff, bytes[9] & 1 == 1, bytes[10] >= 3
        else { return .foreign }
        let mechanism = bytes[mechanismStart..<mechanismEnd].prefix { $0 != 0 }
        return .mechanism(String(decoding: mechanism, as: UTF8.self))
    }

    private static let byteCount = 64
    private static let mechanismStart = 12
    private static let mechanismEnd = 32
    private static let signature: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]
}
