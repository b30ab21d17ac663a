import Foundation
import Testing

/// A TCP connection of a stranger, who speaks ZMTP 3.0 (RFC 23) as far as it suits.
///
/// Whatever the other side does is no failure of a test: a connection may be closed at any time.
final class Stranger {
    private let descriptor: Int32
    /// Nothing more can be said: the other side has closed.
    private(set) var isClosed = false

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        // A port that takes nothing more keeps nobody here.
        var limit = timeval(tv_sec: 0, tv_usec: 100_000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        isClosed = code != 0
    }

    deinit { close(descriptor) }

    /// A DEALER that has shaken hands.
    convenience init(greeting port: UInt16, routingID: [UInt8] = []) throws {
        try self.init(port: port)
        write(
            ZMTP.greeting
                + ZMTP.ready([("Socket-Type", Array("DEALER".utf8)), ("Identity", routingID)]))
        // libzmq takes a message that comes before its own READY is out for a broken handshake.
        var answer = 0
        while answer < ZMTP.greeting.count + 2, case let count = drain(), count > 0 {
            answer += count
        }
    }

    func write(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count, !isClosed {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe send(
                    descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            // Half a frame ends the connection's use, too.
            if count <= 0 { isClosed = true } else { offset += count }
        }
    }

    /// Takes what has come, waiting for a moment; how much it was.
    @discardableResult
    func drain(waiting: Bool = true) -> Int {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(
            descriptor, &buffer, buffer.count, waiting ? 0 : Int32(MSG_DONTWAIT))
        if count == 0 { isClosed = true }
        return max(count, 0)
    }
}

/// The bytes of ZMTP 3.0 without security.
enum ZMTP {
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

    /// - Parameter hasMore: whether the message continues in another frame.
    static func frame(_ bytes: [UInt8], hasMore: Bool = false) -> [UInt8] {
        header(bytes.count, hasMore: hasMore) + bytes
    }

    static func header(_ byteCount: Int, hasMore: Bool = false) -> [UInt8] {
        let more: UInt8 = hasMore ? 1 : 0
        if byteCount < 256 { return [more, UInt8(byteCount)] }
        return [more | 2]
            + (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * $0)) }
    }
}
