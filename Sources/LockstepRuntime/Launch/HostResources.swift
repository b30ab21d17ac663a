import Foundation

/// What this process may use of its host.
package enum HostResources {
    /// The CPUs that it may run on, and no more than its control groups give it time for.
    package static var cores: Int {
        let affinity = max(ProcessInfo.processInfo.activeProcessorCount, 1)
        guard let quota = quotaInCores(ofGroups: ownGroups, root: "/sys/fs/cgroup") else {
            return affinity
        }
        return max(1, min(affinity, Int(quota.rounded(.up))))
    }

    private static var ownGroups: String {
        (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
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
        (try? String(contentsOfFile: path, encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
