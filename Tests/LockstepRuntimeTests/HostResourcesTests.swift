import Foundation
import LockstepRuntime
import TestSupport
import Testing

/// What control groups leave of a host, read from a tree as the kernel mounts it.
@Suite struct HostResourcesTests {
    let root: TemporaryFolder

    init() throws { root = try TemporaryFolder() }

    private func write(_ path: String, _ text: String) throws {
        let file = URL(fileURLWithPath: root.path(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((text + "\n").utf8).write(to: file)
    }

    private func cores(_ groups: String) -> Double? {
        HostResources.quotaInCores(ofGroups: groups, root: root.path)
    }

    @Test func theLeastQuotaOfAGroupAndThoseAroundItCounts() throws {
        #expect(cores("0::/a/b") == nil)
        try write("a/b/cpu.max", "max 100000")
        #expect(cores("0::/a/b") == nil)
        try write("a/cpu.max", "150000 100000")
        #expect(cores("0::/a/b") == 1.5)
        try write("a/b/cpu.max", "50000 100000")
        #expect(cores("0::/a/b") == 0.5)
        #expect(cores("0::/a") == 1.5)
        #expect(cores("0::/other") == nil)
    }

    @Test func version1HasItsOwnFiles() throws {
        let groups = "4:memory:/x\n3:cpu,cpuacct:/a/b\n"
        try write("cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1")
        try write("cpu,cpuacct/a/b/cpu.cfs_period_us", "100000")
        #expect(cores(groups) == nil)
        try write("cpu,cpuacct/a/cpu.cfs_quota_us", "200000")
        try write("cpu,cpuacct/a/cpu.cfs_period_us", "100000")
        #expect(cores(groups) == 2)
    }

    @Test func theLeastMemoryThatAGroupLeavesCounts() throws {
        func memory(_ groups: String) -> UInt64? {
            HostResources.memory(ofGroups: groups, root: root.path)
        }
        #expect(memory("0::/a/b") == nil)
        try write("a/memory.max", "1000000")
        try write("a/memory.current", "400000")
        try write("a/b/memory.max", "max")
        #expect(memory("0::/a/b") == 600_000)
        try write("a/b/memory.max", "300000")
        try write("a/b/memory.current", "350000")
        #expect(memory("0::/a/b") == 0)
        #expect(memory("4:cpu:/a/b") == nil)
    }

    @Test func thisHostHasACoreAndMemory() {
        #expect((1...ProcessInfo.processInfo.processorCount).contains(HostResources.cores))
        #expect((HostResources.availableMemory ?? 0) > 1 << 20)
    }
}
