import Foundation

/// An HTTP server on loopback that answers each request once and closes.
final class LocalServer: Sendable {
    enum Reply: Sendable {
        case body([UInt8])
        case status(Int)
        /// A body that announces more bytes than come; then silence.
        case stall([UInt8])
        /// A body of a byte every 20 ms.
        case trickle([UInt8])
        /// A body cut off by the end of the connection.
        case cut([UInt8])
    }

    struct NoSocket: Error {}

    let port: UInt16
    private let listener: Int32

    var mirror: String { "http://127.0.0.1:\(port)/" }

    /// - Parameter reply: the answer for a path, without its slash.
    init(_ reply: @escaping @Sendable (String) -> Reply) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard bound else { throw NoSocket() }
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { Self.serve(connection, reply) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func serve(_ connection: Int32, _ reply: (String) -> Reply) {
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(connection, &buffer, buffer.count, 0)
        let request = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
        let path = request.split(separator: " ").dropFirst().first.map { $0.dropFirst() } ?? ""
        switch reply(String(path)) {
        case .body(let body): send(connection, "200 OK", body.count, body)
        case .status(let status): send(connection, "\(status) Refused", 0, [])
        case .cut(let body): send(connection, "200 OK", body.count + 100, body)
        case .trickle(let body):
            send(connection, "200 OK", body.count, [])
            for byte in body {
                var byte = byte
                guard unsafe Foundation.send(connection, &byte, 1, Int32(MSG_NOSIGNAL)) == 1 else {
                    return
                }
                Thread.sleep(forTimeInterval: 0.02)
            }
        case .stall(let body):
            send(connection, "200 OK", body.count + 100, body)
            // Until the client hangs up; bounded, should it never do so.
            var limit = timeval(tv_sec: 20, tv_usec: 0)
            unsafe setsockopt(
                connection, SOL_SOCKET, SO_RCVTIMEO, &limit,
                socklen_t(MemoryLayout<timeval>.size))
            _ = unsafe recv(connection, &buffer, buffer.count, 0)
        }
    }

    private static func send(
        _ connection: Int32, _ status: String, _ announced: Int, _ body: [UInt8]
    ) {
        let header =
            "HTTP/1.1 \(status)\r\nContent-Length: \(announced)\r\nConnection: close\r\n\r\n"
        var rest = (Array(header.utf8) + body)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Foundation.send(
                    connection, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
