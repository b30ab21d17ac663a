import Foundation
import Synchronization
import Testing

/// Stands between peers and a port of this host, passes all bytes on, and keeps what both sides
/// say.
final class Wiretap: Sendable {
    let port: UInt16
    /// The port behind it.
    let target: UInt16
    private let listener: Int32
    private let heard = Mutex<[[UInt8]]>([])
    private let answered = Mutex<[UInt8]>([])

    /// - Parameter own: where it listens; 0 for a port from the system.
    init(to port: UInt16, at own: UInt16 = 0) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        target = port
        var address = Self.address(own)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                var size = size
                return unsafe bind(listener, address, size) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        try #require(isBound && listen(listener, 8) == 0)
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while case let peer = accept(listener, nil, nil), peer >= 0 {
                guard let own = Self.connected(to: port) else {
                    close(peer)
                    continue
                }
                let index = heard.withLock { heard in
                    heard.append([])
                    return heard.count - 1
                }
                Self.copy(peer, to: own) { bytes in
                    self.heard.withLock { $0[index] += bytes }
                }
                Self.copy(own, to: peer) { bytes in self.answered.withLock { $0 += bytes } }
            }
        }
    }

    deinit { close(listener) }

    /// What each connection has said.
    var conversations: [[UInt8]] { heard.withLock(\.self) }

    /// All that has gone by, in both directions.
    var everything: Data {
        Data(heard.withLock { $0.joined() } + answered.withLock { $0 })
    }

    static func connected(to port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = address(port)
        let isConnected = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(
                    descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        close(descriptor)
        return nil
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func copy(
        _ source: Int32, to target: Int32, _ tell: @escaping @Sendable ([UInt8]) -> Void
    ) {
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = unsafe recv(source, &bytes, bytes.count, 0), count > 0 {
                tell(Array(bytes.prefix(count)))
                _ = unsafe send(target, bytes, count, Int32(MSG_NOSIGNAL))
            }
            shutdown(target, Int32(SHUT_RDWR))
        }
    }
}
