import Foundation
import Glibc
import Testing

/// A TCP connection that may say anything: a browser, a port scan, or a peer that breaks the rules.
final class RawPeer {
    private let descriptor: CInt

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var limit = timeval(tv_sec: patienceMilliseconds / 1000, tv_usec: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let code = unsafe withLoopbackAddress(port: port) { unsafe connect(descriptor, $0, $1) }
        try #require(code == 0, "cannot connect to port \(port)")
    }

    deinit { close(descriptor) }

    func write(_ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        let count = unsafe Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        try #require(count == bytes.count)
    }

    /// Reads whatever comes until the other side closes.
    /// - Returns: false when it has not closed in time.
    func isClosedByPeer() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno == ECONNRESET }
        }
    }

    /// Shakes hands as a DEALER of ZMTP 3.0 without security (RFC 23) with a routing id of its
    /// choice.
    func greet(routingID: [UInt8]) throws {
        let properties = [("Socket-Type", Array("DEALER".utf8)), ("Identity", routingID)]
        try write(ZMTP.greeting + ZMTP.ready(properties))
        // libzmq takes a message that comes before its own READY is out for a broken handshake.
        let head = try read(ZMTP.greeting.count + 2)
        _ = try read(Int(#require(head.last)))
    }

    private func read(_ byteCount: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            var rest = [UInt8](repeating: 0, count: byteCount - bytes.count)
            let count = unsafe recv(descriptor, &rest, rest.count, 0)
            try #require(count > 0, "the other side is silent")
            bytes += rest.prefix(count)
        }
        return bytes
    }

    /// Sends one message of one long frame of blanks.
    func sendMessage(announcing byteCount: Int) throws {
        let size = (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * $0)) }
        try write([0x02] + size + [UInt8](repeating: 0x20, count: byteCount))
    }

    /// Sends one message of short frames.
    func sendMessage(frames: [String]) throws {
        for (index, frame) in frames.enumerated() {
            let flags: UInt8 = index < frames.count - 1 ? 0x01 : 0
            try write([flags, UInt8(frame.utf8.count)] + frame.utf8)
        }
    }
}

/// A port that nobody listens on and nobody else can take.
final class UnansweredPort {
    let port: UInt16
    private var descriptor: CInt

    init() throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        port = try bindToLoopback(descriptor)
    }

    deinit { giveUp() }

    /// From now on others may have the port.
    func giveUp() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}

/// A ROUTER that accepts connections and reads nothing of what comes.
final class UnreadPeer {
    let port: UInt16
    private let listener: CInt
    private var connections: [CInt] = []

    init() throws {
        listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var small: CInt = 4096
        let byteCount = socklen_t(MemoryLayout<CInt>.size)
        unsafe setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, byteCount)
        port = try bindToLoopback(listener)
        try #require(listen(listener, 8) == 0)
    }

    deinit { for descriptor in connections + [listener] { close(descriptor) } }

    /// Accepts the next connection and shakes hands.
    func accept(withinMilliseconds limit: Int) -> Bool {
        var item = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&item, 1, CInt(limit)) == 1 else { return false }
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else { return false }
        connections.append(descriptor)
        let bytes = ZMTP.greeting + ZMTP.ready([("Socket-Type", Array("ROUTER".utf8))])
        return unsafe Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count
    }
}

/// What begins a connection of ZMTP 3.0 without security (RFC 23).
private enum ZMTP {
    static let greeting: [UInt8] = {
        let start: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0] + "NULL".utf8
        return start + [UInt8](repeating: 0, count: 64 - start.count)
    }()

    static func ready(_ properties: [(name: String, value: [UInt8])]) -> [UInt8] {
        var ready: [UInt8] = [5] + "READY".utf8
        for (name, value) in properties {
            ready += [UInt8(name.utf8.count)] + name.utf8 + [0, 0, 0, UInt8(value.count)] + value
        }
        return [0x04, UInt8(ready.count)] + ready
    }
}

/// `TCP_USER_TIMEOUT` of the connections of this process to and from a port.
struct TCPUserTimeouts {
    private(set) var accepted: [CInt] = []
    private(set) var connecting: [CInt] = []

    init(port: UInt16) {
        for descriptor in 0..<CInt(1024) {
            guard let peer = unsafe Self.port(descriptor, getpeername),
                let own = unsafe Self.port(descriptor, getsockname)
            else { continue }
            var value: CInt = 0
            var byteCount = socklen_t(MemoryLayout<CInt>.size)
            let code = unsafe getsockopt(
                descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, &byteCount)
            guard code == 0 else { continue }
            if own == port { accepted.append(value) }
            if peer == port { connecting.append(value) }
        }
    }

    private static func port(
        _ descriptor: CInt,
        _ name: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> UInt16? {
        var address = sockaddr_in()
        var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe name(descriptor, $0, &byteCount)
            }
        }
        guard code == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// - Returns: the port that the system chose.
private func bindToLoopback(_ descriptor: CInt) throws -> UInt16 {
    let code = unsafe withLoopbackAddress(port: 0) { unsafe bind(descriptor, $0, $1) }
    try #require(code == 0)
    var address = sockaddr_in()
    var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = unsafe getsockname(descriptor, $0, &byteCount)
        }
    }
    return UInt16(bigEndian: address.sin_port)
}

private func withLoopbackAddress(
    port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
) -> CInt {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return unsafe withUnsafePointer(to: address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
