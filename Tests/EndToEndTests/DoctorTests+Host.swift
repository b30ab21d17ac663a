import Foundation
import TestSupport
import Testing

/// Faults of the host itself, and what a run that fails for one says.
extension EndToEndTests.Doctor {
    private static let here = ["--bind", "127.0.0.1:0"]

    @Test func dataThatIsNotThere() throws {
        try expect(
            "red", "data", ["nowhere/at/all", "--data"], exitCode: 78,
            Self.here + ["--data", "nowhere/at/all"])
    }

    @Test(.enabled(if: hasNamespaces, "mounting takes a namespace"))
    func diskThatIsFull() throws {
        let disk = lockstep.folder.path("disk")
        try expect(
            "red", "run folder", [disk, "No space left", "free some space"], exitCode: 69,
            Self.here + ["--run-dir", disk + "/run"],
            within: "mkdir -p \(disk) && mount -t tmpfs -o size=256k none \(disk) &&",
            inNamespace: true)
    }

    @Test(.enabled(if: hasNamespaces, "mounting takes a namespace"))
    func diskThatIsNearlyFull() throws {
        let disk = lockstep.folder.path("disk")
        try expect(
            "red", "run folder", [disk, "8 MB free"], exitCode: 69,
            Self.here + ["--run-dir", disk + "/run"],
            within: "mkdir -p \(disk) && mount -t tmpfs -o size=8m none \(disk) &&",
            inNamespace: true)
    }

    @Test func runFolderThatCannotBeWritten() throws {
        try expect(
            "red", "run folder", ["/proc/lockstep"], exitCode: 69,
            Self.here + ["--run-dir", "/proc/lockstep/run"])
    }

    @Test func runFolderThatIsInUse() throws {
        let (process, _) = try coordinator()
        try expect(
            "red", "run folder", ["in use by another process", "\(process.processID)"],
            exitCode: 69, Self.here + ["--run-dir", lockstep.folder.path("coordinator")])
    }

    @Test func oneCoreOnly() throws {
        try expect(
            "yellow", "cores", ["1 of", "--workers 0"], Self.here,
            within: "taskset -cp 0 $$ >&2 &&")
    }

    @Test func twentyDescriptors() throws {
        try expect(
            "red", "descriptors", ["at most 20", "ulimit -n"], exitCode: 69, Self.here,
            within: "ulimit -n 20 &&")
    }

    @Test func littleMemory() throws {
        try expect(
            "yellow", "memory", ["ulimit -v"], Self.here, within: "ulimit -v 700000 &&")
    }

    @Test func kernelsThatAreNotThere() throws {
        try expect(
            "red", "kernels", ["LOCKSTEP_KERNELS=fast", "unset"], exitCode: 78, Self.here,
            ["LOCKSTEP_KERNELS": "fast"])
    }

    @Test func kernelsThatAreSlow() throws {
        try expect(
            "yellow", "kernels", ["baseline", "unset"], Self.here,
            ["LOCKSTEP_KERNELS": "baseline"])
    }

    @Test(arguments: [
        (["--run-dir", ""], "--run-dir"), (["--port", "1"], "--port goes with --hosts"),
        (["--coordinator", "127.0.0.1"], "tcp://"), (["--bind", "tcp://*:65535"], "65535"),
        (["--hosts", "a", "--copy", "--remote-path", "b"], "leave one of the two out"),
    ])
    func optionsThatDoNotFitAreNamed(arguments: [String], words: String) throws {
        let run = try lockstep.run(["doctor"] + arguments)
        #expect(run.status == 64, "\(run.output)")
        #expect(run.standardError.contains(words), "\(run.standardError)")
    }

    // MARK: Several hosts

    /// A run that fails for what the doctor would have found says so.
    @Test(arguments: [
        ["worker", "--wait-timeout", "1", "--coordinator", "tcp://127.0.0.1:1"],
        ["status", "--wait-timeout", "1", "--coordinator", "tcp://127.0.0.1:1"],
        ["coordinator", "--key", "/nowhere/cluster.key"],
        ["train", "--run-dir", "/proc/lockstep/run"],
        ["worker", "--wait-timeout=1", "--coordinator=tcp://127.0.0.1:2", "--insecure"],
    ])
    func aRunThatFailsNamesTheDoctor(command: [String]) throws {
        let run = try lockstep.run(command)
        let last = try #require(run.standardError.split(separator: "\n").last)
        let words = try #require(
            last.split(separator: "lockstep ").last?.split(separator: " ").map(String.init))
        #expect(last.hasPrefix("To look for the cause: lockstep doctor"), "\(last)")
        // As it says, it finds something.
        let found = try lockstep.run(words)
        #expect(found.status != 0 && found.standardOutput.contains("red"), "\(found.output)")
    }
}
