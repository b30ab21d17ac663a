import Foundation
import LockstepProtocol
import Synchronization
import Testing
import ZeroMQ

/// A program that is none of ours: says one thing to whoever connects, and holds the line.
final class LineServer {
    let port: Int
    private let listener: Int32

    /// - Parameters:
    ///   - own: where it listens; 0 for a port from the system.
    ///   - pause: between two bytes.
    init(_ text: String, port own: Int = 0, microsecondsBetween pause: UInt32 = 0) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(own).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let code = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        try #require(code)
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                let bytes = Array(text.utf8)
                guard pause > 0 else {
                    _ = unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    continue
                }
                Thread.detachNewThread {
                    for byte in bytes {
                        var one = byte
                        guard unsafe send(connection, &one, 1, Int32(MSG_NOSIGNAL)) == 1 else {
                            break
                        }
                        usleep(pause)
                    }
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

/// Answers whoever asks what a cluster is at, with what a test has made up.
final class OverviewServer {
    let endpoint: String
    private let shared = Shared()
    private let ended = DispatchSemaphore(value: 0)

    private final class Shared: Sendable {
        let version = Atomic(protocolVersion)
        let isEnding = Atomic(false)
        let endpoint = Mutex<String?>(nil)
        let isReady = DispatchSemaphore(value: 0)
    }

    /// Of the protocol, as the answers say.
    func setVersion(_ version: UInt16) { shared.version.store(version, ordering: .relaxed) }

    init(_ overview: ClusterOverview) throws {
        let answer = Frames.frame(.overview, payload: overview.encoded(), isStatement: true)
        Thread.detachNewThread { [shared, ended] in
            try? Self.serve(answer, shared)
            shared.isReady.signal()
            ended.signal()
        }
        shared.isReady.wait()
        let bound = shared.endpoint.withLock { $0 }
        endpoint = try #require(bound)
    }

    deinit {
        shared.isEnding.store(true, ordering: .relaxed)
        ended.wait()
    }

    private static func serve(_ answer: [UInt8], _ shared: Shared) throws {
        let context = try Context()
        let socket = try Socket(.router, in: context)
        let bound = try socket.bind(to: Endpoint("tcp://127.0.0.1:*"))
        shared.endpoint.withLock { $0 = bound.text }
        shared.isReady.signal()
        var message = Message()
        while !shared.isEnding.load(ordering: .relaxed) {
            guard case .message(let peer) = try socket.receiveRouted(into: &message) else {
                usleep(1_000)
                continue
            }
            let frame = Frames.ofVersion(shared.version.load(ordering: .relaxed), answer)
            _ = try socket.send(Message(copying: frame), to: peer)
        }
    }
}
