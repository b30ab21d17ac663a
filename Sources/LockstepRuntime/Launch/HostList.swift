import Foundation

/// A host to start a process on over ssh.
package struct RemoteHost: Hashable, Sendable {
    package var user: String?
    /// A name or an address, without brackets.
    package var name: String
    package var port: UInt16?

    /// What ssh is told: `-p PORT` and `USER@HOST`.
    package var sshArguments: [String] {
        (port.map { ["-p", "\($0)"] } ?? []) + [(user.map { $0 + "@" } ?? "") + name]
    }

    /// - Parameter text: `[USER@]HOST[:PORT]`, an address of version 6 in brackets where a port
    ///   follows.
    /// - Returns: nil for anything else.
    package init?(_ text: Substring) {
        var rest = text
        if let at = rest.lastIndex(of: "@") {
            user = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
            guard let user, !user.isEmpty, !user.hasPrefix("-"), user.utf8.allSatisfy(Self.isPlain)
            else {
                return nil
            }
        }
        var portText: Substring?
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            name = String(rest[rest.index(after: rest.startIndex)..<end])
            let behind = rest[rest.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return nil }
            if !behind.isEmpty { portText = behind.dropFirst() }
        } else if rest.count(where: { $0 == ":" }) == 1, let colon = rest.firstIndex(of: ":") {
            name = String(rest[..<colon])
            portText = rest[rest.index(after: colon)...]
        } else {
            name = String(rest)
        }
        if let portText {
            guard let number = UInt16(portText), number > 0 else { return nil }
            port = number
        }
        // What begins with a dash would be an option of ssh.
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isPlain), !name.hasPrefix("-") else {
            return nil
        }
    }

    /// Whether another name is the same one: the user does not matter, nor how it is spelt.
    func isSame(as other: RemoteHost) -> Bool {
        name.lowercased() == other.name.lowercased()
            && (port ?? Self.sshPort) == (other.port ?? Self.sshPort)
    }

    private static let sshPort: UInt16 = 22

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}

/// The hosts of a cluster, the coordinator's first.
package enum HostList {
    package enum Problem: Error, Equatable {
        case malformed(line: Int, text: String)
        case double(line: Int, text: String)
        case empty
    }

    /// Hosts with commas between them.
    package static func parse(_ list: String) throws(Problem) -> [RemoteHost] {
        try hosts(list.split(separator: ",").map { (1, $0) })
    }

    /// A host a line, as Open MPI's: `#` begins a comment, and what follows the host, `slots=N` for
    /// instance, has no meaning here.
    package static func parse(file: String) throws(Problem) -> [RemoteHost] {
        let lines = file.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        return try hosts(
            lines.enumerated().compactMap { index, line in
                line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).first
                    .map { (index + 1, $0) }
            })
    }

    private static func hosts(_ words: [(line: Int, text: Substring)]) throws(Problem)
        -> [RemoteHost]
    {
        var hosts: [RemoteHost] = []
        for (line, word) in words {
            let text = word.trimmingCharacters(in: .whitespaces)
            guard let host = RemoteHost(text[...]) else {
                throw .malformed(line: line, text: text)
            }
            guard !hosts.contains(where: { host.isSame(as: $0) }) else {
                throw .double(line: line, text: text)
            }
            hosts.append(host)
        }
        guard !hosts.isEmpty else { throw .empty }
        return hosts
    }

    /// The first node of a list as Slurm writes it: `node[03-07,9],other`.
    package static func firstSlurmNode(_ list: String) -> String? {
        guard let open = list.firstIndex(of: "["),
            list[..<open].firstIndex(of: ",") == nil
        else { return list.split(separator: ",").first.map(String.init) }
        guard let close = list[open...].firstIndex(of: "]") else { return nil }
        let number = list[list.index(after: open)..<close].prefix { $0.isNumber }
        let behind = list[list.index(after: close)...].prefix { $0 != "," }
        return number.isEmpty ? nil : "\(list[..<open])\(number)\(behind)"
    }
}
