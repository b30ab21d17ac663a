import Foundation

/// What this process may use of its host.
package enum HostResources {
    /// The CPUs that it may run on, and no more than its control groups give it time for.
    package static var cores: Int {
        let affinity = max(allowedProcessors, 1)
        guard let quota = quotaInCores(ofGroups: ownGroups, root: "/sys/fs/cgroup") else {
            return affinity
        }
        return max(1, min(affinity, Int(quota.rounded(.up))))
    }

    /// Those that this process may run on; Foundation counts all that are there.
    private static var allowedProcessors: Int {
        let status = SystemFile.text("/proc/self/status") ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        guard let mask = line?.split(whereSeparator: \.isWhitespace).last else {
            return ProcessInfo.processInfo.activeProcessorCount
        }
        return mask.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// The bytes of memory that a process can still get: what the system has, no more than its
    /// control groups and its own limit leave. Nil where the system does not tell.
    package static var availableMemory: UInt64? {
        let text = SystemFile.text("/proc/meminfo") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ UInt64($0) })
        else { return nil }
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        return min(
            kilobytes << 10, UInt64(limit.rlim_cur),
            memory(ofGroups: ownGroups, root: "/sys/fs/cgroup") ?? .max)
    }

    /// The least that a group and those around it leave (version 2), in bytes; nil where there is
    /// no limit.
    package static func memory(ofGroups groups: String, root: String) -> UInt64? {
        let own = groups.split(separator: "\n").first { $0.hasPrefix("0::") }
        guard let own else { return nil }
        var folders = own.dropFirst(3).split(separator: "/").map(String.init)
        var least: UInt64?
        while true {
            let folder = ([root] + folders).joined(separator: "/")
            if let limit = read("\(folder)/memory.max").flatMap(UInt64.init) {
                let used = read("\(folder)/memory.current").flatMap(UInt64.init) ?? 0
                least = min(least ?? .max, limit > used ? limit - used : 0)
            }
            if folders.isEmpty { return least }
            folders.removeLast()
        }
    }

    private static var ownGroups: String {
        SystemFile.text("/proc/self/cgroup") ?? ""
    }

    /// The least quota of a group and those around it, in CPUs; nil where there is none.
    ///
    /// - Parameters:
    ///   - groups: as in `/proc/self/cgroup`: `0::/a/b` for version 2, `4:cpu,cpuacct:/a` for
    ///     version 1.
    ///   - root: where they are mounted.
    package static func quotaInCores(ofGroups groups: String, root: String) -> Double? {
        var least: Double?
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isVersion2 = parts[1].isEmpty
            guard isVersion2 || parts[1].split(separator: ",").contains("cpu") else { continue }
            var folders = parts[2].split(separator: "/").map(String.init)
            while true {
                let folder = ([isVersion2 ? root : "\(root)/\(parts[1])"] + folders)
                    .joined(separator: "/")
                if let quota = isVersion2 ? quota2(folder) : quota1(folder) {
                    least = min(least ?? quota, quota)
                }
                if folders.isEmpty { break }
                folders.removeLast()
            }
        }
        return least
    }

    private static func quota2(_ folder: String) -> Double? {
        guard let text = read("\(folder)/cpu.max") else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]) else {
            return nil
        }
        return quota / period
    }

    private static func quota1(_ folder: String) -> Double? {
        guard let quota = read("\(folder)/cpu.cfs_quota_us").flatMap(Double.init), quota > 0,
            let period = read("\(folder)/cpu.cfs_period_us").flatMap(Double.init), period > 0
        else { return nil }
        return quota / period
    }

    private static func read(_ path: String) -> String? {
        SystemFile.text(path)?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
