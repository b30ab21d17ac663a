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
        guard let address = try? endpoint.addresses().first, let host = address.host,
            let port = address.port
        else { return .silence }
        let file = connect(host, port, timeoutMilliseconds)
        guard file >= 0 else { return .silence }
        defer { close(file) }
        // No more than the version: a mechanism that is not its own ends the conversation before it
        // has named that.
        let own = signature + [3]
        guard unsafe Glibc.send(file, own, own.count, CInt(MSG_NOSIGNAL)) == own.count else {
            return .silence
        }
        var bytes: [UInt8] = []
        while bytes.count < mechanismEnd {
            var part = [UInt8](repeating: 0, count: byteCount - bytes.count)
            let count = unsafe recv(file, &part, part.count, 0)
            guard count > 0 else { return bytes.isEmpty ? .silence : .foreign }
            bytes += part.prefix(count)
        }
        guard bytes[0] == 0xff, bytes[9] & 1 == 1, bytes[10] >= 3 else { return .foreign }
        let mechanism = bytes[mechanismStart..<mechanismEnd].prefix { $0 != 0 }
        return .mechanism(String(decoding: mechanism, as: UTF8.self))
    }

    private static let byteCount = 64
    private static let mechanismStart = 12
    private static let mechanismEnd = 32
    private static let signature: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]

    /// - Returns: -1 where it does not come to be; whoever waits on it does so for as long as given.
    private static func connect(
        _ host: String, _ port: UInt16, _ timeoutMilliseconds: Int
    ) -> CInt {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = unsafe list
        else {
            return -1
        }
        defer { unsafe freeaddrinfo(list) }
        let file = unsafe socket(
            first.pointee.ai_family,
            first.pointee.ai_socktype | CInt(SOCK_CLOEXEC.rawValue), first.pointee.ai_protocol)
        guard file >= 0 else { return -1 }
        var time = timeval(
            tv_sec: timeoutMilliseconds / 1_000, tv_usec: timeoutMilliseconds % 1_000 * 1_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        // On Linux a connection that is being made keeps to the time for sending.
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = unsafe setsockopt(file, SOL_SOCKET, option, &time, size)
        }
        guard unsafe Glibc.connect(file, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0
        else {
            close(file)
            return -1
        }
        return file
    }
}
