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

    /// Shakes hands as a DEALER of ZMTP 3.0 without security (RFC 23) with a routing id of its choice.
    func greet(routingID: [UInt8]) throws {
        var greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]
        greeting += "NULL".utf8
        greeting += [UInt8](repeating: 0, count: 64 - greeting.count)
        var ready: [UInt8] = [5] + "READY".utf8
        for (name, value) in [("Socket-Type", Array("DEALER".utf8)), ("Identity", routingID)] {
            ready += [UInt8(name.utf8.count)] + name.utf8 + [0, 0, 0, UInt8(value.count)] + value
        }
        try write(greeting + [0x04, UInt8(ready.count)] + ready)
        // libzmq takes a message that comes before its own READY is out for a broken handshake.
        let head = try read(greeting.count + 2)
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
    private let descriptor: CInt

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        let code = unsafe withLoopbackAddress(port: 0) { unsafe bind(descriptor, $0, $1) }
        try #require(code == 0)
        var address = sockaddr_in()
        var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe getsockname(descriptor, $0, &byteCount)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
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
