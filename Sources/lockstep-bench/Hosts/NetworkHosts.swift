import Foundation
import LockstepProtocol

/// Hosts on one machine: network namespaces on a bridge, each with a link of its own. They go with
/// their owner, and with the process if a signal ends it.
final class NetworkHosts {
    let count: Int
    private let names: Names
    private let ip: String

    /// How the namespaces of one process are called; nobody else's begin like that.
    struct Names: Sendable {
        static let prefix = "lockstep-bench-"
        let processID: Int32
        let count: Int

        func host(_ index: Int) -> String { "\(Self.prefix)\(processID)-h\(index)" }
        var bridge: String { "\(Self.prefix)\(processID)-bridge" }
        var all: [String] { (0..<count).map(host) + [bridge] }

        /// The process that made a namespace, if the bench did.
        static func owner(of name: String) -> Int32? {
            guard name.hasPrefix(prefix) else { return nil }
            return name.dropFirst(prefix.count).split(separator: "-").first.flatMap { Int32($0) }
        }
    }

    /// Why there can be none here; nil where there can.
    static func obstacle() -> String? {
        guard geteuid() == 0 else {
            return "hosts are network namespaces, and only root can make them: run it as root"
        }
        for tool in ["ip", "tc"] where Tools.find(tool) == nil {
            return "there is no '\(tool)' on the PATH: install iproute2"
        }
        return nil
    }

    /// - Parameter rate: of every link, each way.
    init(count: Int, rate: LinkRate, _ folder: TemporaryFolder) throws {
        if let obstacle = Self.obstacle() { throw BenchError(.unavailable, obstacle) }
        guard let ip = Tools.find("ip"), let tc = Tools.find("tc") else {
            throw BenchError(.unavailable, "there is no 'ip' or no 'tc' on the PATH")
        }
        self.count = count
        self.ip = ip
        let names = Names(processID: getpid(), count: count)
        self.names = names
        Self.removeLeftOvers(ip)
        Children.shared.atEnd(names.bridge) { Self.remove(names.all, ip) }

        func run(_ arguments: [String]) throws {
            do {
                _ = try Child(arguments, folder: folder).waitForOutput(seconds: 20)
            } catch {
                throw BenchError(.unavailable, "this machine makes no network namespaces: \(error)")
            }
        }
        try run([ip, "netns", "add", names.bridge])
        try run([ip, "-n", names.bridge, "link", "add", "br0", "type", "bridge"])
        try run([ip, "-n", names.bridge, "link", "set", "br0", "up"])
        for index in 0..<count {
            let (space, outer, inner) = (names.host(index), "p\(index)", Self.interface(index))
            try run([ip, "netns", "add", space])
            try run(
                [ip, "link", "add", inner, "netns", space, "type", "veth"]
                    + ["peer", "name", outer, "netns", names.bridge])
            try run([ip, "-n", names.bridge, "link", "set", outer, "master", "br0", "up"])
            try run(
                [ip, "-n", space, "addr", "add", "\(Self.address(index))/24", "dev", inner])
            try run([ip, "-n", space, "link", "set", inner, "up"])
            try run([ip, "-n", space, "link", "set", "lo", "up"])
            let limit = ["root", "tbf", "rate", rate.text, "burst", "256k", "limit", "4m"]
            for (space, device) in [(space, inner), (names.bridge, outer)] {
                try run(
                    [ip, "netns", "exec", space, tc, "qdisc", "add", "dev", device] + limit)
            }
        }
    }

    deinit {
        Self.remove(names.all, ip)
        Children.shared.forget(names.bridge)
    }

    static func address(_ host: Int) -> String { "10.77.0.\(host + 1)" }
    static func interface(_ host: Int) -> String { "v\(host)" }

    /// A command as it runs on a host.
    func command(_ host: Int, _ command: [String]) -> [String] {
        [ip, "netns", "exec", names.host(host)] + command
    }

    /// Removes what a bench that was killed has left.
    private static func removeLeftOvers(_ ip: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
        let stale = names.filter { name in
            guard let owner = Names.owner(of: name) else { return false }
            return kill(owner, 0) != 0 && errno == ESRCH
        }
        remove(stale, ip)
    }

    /// Takes their links and addresses with them. One that is not there is passed over.
    private static func remove(_ names: [String], _ ip: String) {
        for name in names where FileManager.default.fileExists(atPath: "/run/netns/\(name)") {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: ip)
            process.arguments = ["netns", "del", name]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { continue }
            process.waitUntilExit()
        }
    }
}
