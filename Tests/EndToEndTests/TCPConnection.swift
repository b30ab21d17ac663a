import Foundation
import Testing

/// A TCP connection that may say anything: a browser, a port scan, or noise.
final class TCPConnection {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0, "cannot connect to port \(port)")
    }

    deinit { close(descriptor) }

    /// What the other side makes of it is its own affair: it may have closed already.
    func write(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

/// The TCP ports that a process listens on, ascending, as /proc tells.
func listeningPorts(of process: Int32) -> [UInt16] {
    let folder = "/proc/\(process)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let sockets = Set(
        names.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
        })
    guard let table = try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8) else {
        return []
    }
    return table.split(separator: "\n").dropFirst().compactMap { line -> UInt16? in
        let fields = line.split(separator: " ")
        guard fields.count > 9, fields[3] == "0A", sockets.contains("socket:[\(fields[9])]"),
            let port = fields[1].split(separator: ":").last
        else { return nil }
        return UInt16(port, radix: 16)
    }.sorted()
}
