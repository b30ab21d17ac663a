import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Servers and coordinators that are killed in a run and started again: the weights and the log
    /// are those of one process.
    @Suite struct AnyProcessMayDie {
        private static let epochs = 150
        private static let training = [
            "--preset", "mse-tanh", "--batch-size", "20", "--micro-batch", "5", "--epochs",
            "\(epochs)",
        ]

        let lockstep: Lockstep
        let directory: String

        init() throws {
            lockstep = try Lockstep()
            directory = lockstep.folder.path("run")
        }

        private func expectTheSame(_ run: ToolRun) throws {
            try #require(run.status == 0, "\(run.standardError)")
            let whole = lockstep.folder.path("whole")
            let reference = try lockstep.run(
                ["train", "--workers", "0", "--json", "--run-dir", whole] + Self.training)
            let (end, expected) = try (run.end(), reference.end())
            #expect(end.status == .completed && end.weightsSHA256 == expected.weightsSHA256)
            #expect(try logLines(directory) == logLines(whole))
        }

        private func waitForEpochs(_ count: Int, _ process: RunningTool) throws {
            let hasGoneOn = eventually { process.epochCount >= count || !process.isRunning }
            try #require(hasGoneOn && process.isRunning, "\(process.standardError)")
        }

        private func waitForCheckpoint(_ process: RunningTool) throws {
            let isThere = eventually {
                let names = try? FileManager.default.subpathsOfDirectory(atPath: directory)
                return names?.contains { $0.contains(/step-\d+\/manifest\.json$/) } ?? false
            }
            try #require(isThere && process.isRunning, "\(process.standardError)")
        }

        @Test func aServerThatIsKilledAndStartedAgain() throws {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "2", "--servers",
                    "2", "--servers-apart", "--checkpoint-seconds", "0.1", "--json", "--run-dir",
                    directory,
                ] + Self.training)
            let address = ["--coordinator", try coordinator.endpoint()]
            let server = ["server"] + address + ["--bind", "tcp://127.0.0.1:\(likelyFreePort())"]
            let members = try [["server"], ["worker"], ["worker"]].map {
                try lockstep.start($0 + address)
            }
            let lost = try lockstep.start(server)
            try waitForEpochs(2, coordinator)
            lost.send(SIGKILL)
            _ = lost.end()
            let again = try lockstep.start(server)
            try #require(
                coordinator.says("a server is lost: continuing from step"),
                "\(coordinator.standardError)")
            try expectTheSame(coordinator.end())
            for member in members + [again] { #expect(member.end().status == 0) }
        }

        @Test func aCoordinatorThatIsKilledAndStartedAgain() throws {
            let address = "tcp://127.0.0.1:\(likelyFreePort())"
            let command =
                [
                    "coordinator", "--bind", address, "--workers", "2", "--checkpoint-seconds",
                    "0.1", "--json", "--run-dir", directory,
                ] + Self.training
            let first = try lockstep.start(command)
            let workers = try (0..<2).map { _ in
                try lockstep.start(["worker", "--coordinator", address])
            }
            try waitForEpochs(2, first)
            try waitForCheckpoint(first)
            first.send(SIGKILL)
            _ = first.end()
            let second = try lockstep.start(command)
            try #require(second.says("resumes after step"), "\(second.standardError)")
            try expectTheSame(second.end())
            for worker in workers {
                let run = worker.end()
                #expect(run.status == 0 && run.standardError.contains("joining again"))
            }
        }

        @Test func aLocalClusterThatIsInterruptedGoesOn() throws {
            let first = try lockstep.start(
                [
                    "train", "--workers", "2", "--checkpoint-seconds", "1000", "--run-dir",
                    directory,
                ] + Self.training)
            try waitForEpochs(2, first)
            first.send(SIGINT)
            #expect(first.end().status == 130)
            // It has made one at its end.
            let second = try lockstep.start(["train", "--resume", directory, "--json"])
            try #require(second.says("resumes after step"), "\(second.standardError)")
            try expectTheSame(second.end())
        }

        private static let hasPython: Bool = {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return path.split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/python3")
            }
        }()

        @Test(.enabled(if: hasPython, "needs python3")) func atRandom() throws {
            var root = URL(fileURLWithPath: #filePath)
            for _ in 0..<3 { root.deleteLastPathComponent() }
            let script = try RunningTool(
                URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "python3", root.appendingPathComponent("Scripts/chaos-kills").path,
                    Lockstep.program.path, lockstep.folder.path("chaos"), "--kills", "4", "--stops",
                    "1", "--epochs", "900", "--port", "\(likelyFreePort())",
                ], environment: lockstep.environment)
            let run = script.end(within: 4 * patienceSeconds)
            #expect(run.status == 0, "\(run.standardOutput)\(run.standardError)")
        }
    }
}
