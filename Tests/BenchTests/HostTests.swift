import Foundation
import TestSupport
import Testing

/// Whether this machine makes network namespaces for us.
enum NetworkNamespaces {
    /// Why not; nil where it does. Tried once.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "needs root" }
        guard let ip = ToolRun.find("ip"), ToolRun.find("tc") != nil else {
            return "needs ip and tc (Debian package iproute2)"
        }
        let name = "lockstep-test-\(getpid())"
        guard let run = try? ToolRun(ip, ["netns", "add", name]), run.status == 0 else {
            return "needs network namespaces, which this machine does not make"
        }
        _ = try? ToolRun(ip, ["netns", "del", name])
        return nil
    }()

    /// Those of a running or ended bench.
    static func of(_ processID: Int32) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
        return names.filter { $0.hasPrefix("lockstep-bench-\(processID)-") }
    }
}

/// Hosts that are network namespaces.
@Suite(.serialized)
struct HostTests {
    @Test(
        .enabled(if: geteuid() == 0, "needs root, to be the one who could"))
    func withoutItsToolsItSaysSo() throws {
        let run = try ToolRun(BenchRun.program, ["hosts"], environment: ["PATH": "/nowhere"])
        #expect(run.status == 69)
        #expect(run.output.contains("iproute2"), "\(run.output)")
    }

    /// As root it runs as somebody else, with a copy of the program that he may read.
    @Test(arguments: [["hosts"], ["scaling", "--over", "hosts"]])
    func withoutRootItSaysSo(arguments: [String]) throws {
        var (program, arguments) = (BenchRun.program, arguments)
        let folder = try TemporaryFolder()
        if geteuid() == 0 {
            guard let setpriv = ToolRun.find("setpriv") else {
                print("skipped: needs setpriv (Debian package util-linux) when run as root")
                return
            }
            let copy = folder.path("lockstep-bench")
            try FileManager.default.copyItem(atPath: program.path, toPath: copy)
            for path in [folder.path, copy] {
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o755], ofItemAtPath: path)
            }
            arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", copy] + arguments
            program = setpriv
        }
        let run = try ToolRun(program, arguments)
        #expect(run.status == 69, "\(run.output)")
        #expect(run.output.contains("only root can make them"), "\(run.output)")
    }

    @Test(
        .enabled(
            if: NetworkNamespaces.obstacle == nil,
            "skipped: \(NetworkNamespaces.obstacle ?? "")"))
    func twoHostsTrainAndAreGone() throws {
        let data = try BenchDigits()
        let run = try BenchRun(
            ["hosts", "--hosts", "2", "--rate", "100mbit", "--examples", "100"], data: data.path,
            command: "hosts")
        #expect(run.lines.map(\.what) == ["2 hosts", "2 hosts", "2 hosts"])
        #expect(run.lines[0].unit == "examples/s" && run.lines[0].against == nil)
        // Half of the model out in pushes, half in weights: all of it at 100 Mb/s.
        let link = run.lines[1]
        #expect(abs(try #require(link.againstValue) - 32.5664) < 1e-9)
        #expect(link.value > 20, "a step over a link of 100 Mb/s takes \(link.value) ms")
        #expect(run.lines[2].against == "in the clear")
        // Goals are for 1 Gb/s and 128 examples.
        #expect(run.lines.allSatisfy { $0.goal == nil })
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
        let left = names.filter { $0.hasPrefix("lockstep-bench-") }.filter { name in
            let owner = name.split(separator: "-").dropFirst(2).first.flatMap { Int32($0) } ?? 0
            return kill(owner, 0) != 0
        }
        #expect(left.isEmpty)
    }

    @Test(
        .enabled(
            if: NetworkNamespaces.obstacle == nil,
            "skipped: \(NetworkNamespaces.obstacle ?? "")"), arguments: [SIGINT, SIGTERM])
    func aSignalTakesTheHostsAway(signal: Int32) throws {
        let data = try BenchDigits()
        var environment = ProcessInfo.processInfo.environment
        environment["LOCKSTEP_DATA"] = data.path
        let tool = try RunningTool(
            BenchRun.program, ["hosts", "--hosts", "4", "--rounds", "50"],
            environment: environment)
        let deadline = Date().addingTimeInterval(60)
        while NetworkNamespaces.of(tool.processID).count < 4, Date() < deadline { usleep(5_000) }
        try #require(NetworkNamespaces.of(tool.processID).count >= 4)
        kill(tool.processID, signal)
        let run = tool.end(within: 30)
        #expect(run.status == 128 + signal, "\(run.output)")
        #expect(NetworkNamespaces.of(tool.processID).isEmpty)
    }
}
