import Foundation

/// Who listens on a TCP port of this host, as far as /proc tells this user.
package enum PortHolder {
    /// For instance `lockstep (process 4711)`; nil where it cannot be known.
    package static func find(port: UInt16) -> String? {
        let inodes = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { listeners(port, in: $0) })
        guard !inodes.isEmpty else { return nil }
        let manager = FileManager.default
        let processes = (try? manager.contentsOfDirectory(atPath: "/proc")) ?? []
        for process in processes where Int(process) != nil {
            let folder = "/proc/\(process)/fd"
            for descriptor in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
                let target = try? manager.destinationOfSymbolicLink(
                    atPath: "\(folder)/\(descriptor)")
                guard let target, inodes.contains(target) else { continue }
                let name = SystemFile.text("/proc/\(process)/comm")
                let trimmed = name?.trimmingCharacters(in: .whitespacesAndNewlines)
                return "\(trimmed ?? "a program") (process \(process))"
            }
        }
        return nil
    }

    /// `socket:[INODE]` of the sockets that listen on the port.
    private static func listeners(_ port: UInt16, in table: String) -> [String] {
        guard let text = SystemFile.text(table) else { return [] }
        let suffix = ":" + String(format: "%04X", port)
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" else {
                return nil
            }
            return "socket:[\(fields[9])]"
        }
    }
}
