import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Real processes that are ended in the middle of a run, and the same command again.
    @Suite struct ResumeCommands {
        let lockstep: Lockstep
        let directory: String

        init() throws {
            lockstep = try Lockstep()
            directory = lockstep.folder.path("run")
        }

        private func arguments(_ directory: String, epochs: Int = 60) -> [String] {
            [
                "train", "--workers", "0", "--epochs", "\(epochs)", "--layers", "784,32,10",
                "--checkpoint-seconds", "0.02", "--run-dir", directory,
            ]
        }

        /// Ends a run by a signal when it has a checkpoint.
        private func interrupt(_ signal: Int32, epochs: Int = 60) throws -> ToolRun {
            let process = try lockstep.start(arguments(directory, epochs: epochs))
            try #require(
                eventually { hasCheckpoint || !process.isRunning }, "\(process.standardError)")
            process.send(signal)
            return process.end()
        }

        private var hasCheckpoint: Bool {
            Self.hasCheckpoint(below: directory)
        }

        /// Not one that is still being written under another name.
        private static func hasCheckpoint(below path: String) -> Bool {
            let names = try? FileManager.default.subpathsOfDirectory(atPath: path)
            return names?.contains { $0.contains(/step-\d+\/manifest\.json$/) } ?? false
        }

        private func lines(_ directory: String) throws -> [String] {
            try String(contentsOfFile: directory + "/metrics.jsonl", encoding: .utf8)
                .replacing(/"(seconds|examples_per_second|started)":("[^"]*"|[0-9.e+-]+)/, with: "")
                .split(separator: "\n").map(String.init)
        }

        /// A folder that is moved while a run continues in it: nothing is written to what takes its
        /// place.
        @Test func aFolderThatIsMovedAwayIsLetGo() throws {
            let moved = lockstep.folder.path("moved")
            let first = try lockstep.start(arguments(directory, epochs: 100_000))
            try #require(eventually { hasCheckpoint }, "\(first.standardError)")
            try FileManager.default.moveItem(atPath: directory, toPath: moved)
            try #require(
                first.says("was moved, removed or replaced"), "\(first.standardError)")
            #expect(!FileManager.default.fileExists(atPath: directory))
            // Another run where it was.
            let other = arguments(directory, epochs: 100_000) + ["--seed", "2"]
            let second = try lockstep.start(other)
            try #require(eventually { hasCheckpoint }, "\(second.standardError)")
            usleep(300_000)
            first.send(SIGINT)
            let end = first.end()
            #expect(end.status == 73, "\(end.standardError)")
            #expect(end.message.contains("was moved"), "\(end.message)")
            second.send(SIGKILL)
            _ = second.end()
            for arguments in [other, arguments(moved, epochs: 100_000)] {
                let again = try lockstep.start(arguments)
                #expect(again.says("resumes after step"), "\(again.standardError)")
                again.send(SIGKILL)
                _ = again.end()
            }
        }

        @Test(arguments: [(SIGKILL, -1), (SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
        func theSameLinesAndWeights(signal: Int32, status: Int32) throws {
            let whole = lockstep.folder.path("whole")
            #expect(try lockstep.run(arguments(whole)).status == 0)
            let first = try interrupt(signal)
            try #require(first.status == status, "\(first.standardError)")
            // Once more, and then with the folder alone.
            let second = try lockstep.start(arguments(directory))
            try #require(second.says("resumes after step"), "\(second.standardError)")
            second.send(signal)
            _ = second.end()
            let third = try lockstep.run(["train", "--resume", directory, "--json"])
            #expect(third.status == 0, "\(third.standardError)")
            #expect(try lines(directory) == lines(whole))
            #expect(try third.end().status == .completed)
            let again = try lockstep.run(["train", "--resume", directory])
            #expect(again.standardError.contains("finished: shown again"))
            // Only what a finished run needs is kept.
            let names = try FileManager.default.subpathsOfDirectory(
                atPath: directory + "/checkpoints")
            #expect(names.count == 2 && names.contains { $0.hasSuffix("model.safetensors") })
        }

        private func expectRefused(
            _ run: ToolRun, _ status: Int32, _ words: [String]
        ) throws {
            #expect(run.status == status, "\(run.standardError)")
            for word in words { #expect(run.message.contains(word), "\(run.standardError)") }
        }

        @Test func whatDoesNotFitIsRefused() throws {
            _ = try interrupt(SIGKILL, epochs: 100_000)
            let log = try Data(contentsOf: URL(fileURLWithPath: directory + "/metrics.jsonl"))
            try expectRefused(
                lockstep.run(arguments(directory, epochs: 3)), 78, [directory, "--run-dir"])
            try expectRefused(
                lockstep.run(["train", "--resume", directory, "--data", "synthetic"]), 78,
                [directory, "other data", "--data"])
            // The folder is as it was.
            #expect(
                try Data(contentsOf: URL(fileURLWithPath: directory + "/metrics.jsonl")) == log)
            try Data("foreign\n".utf8 + log).write(
                to: URL(fileURLWithPath: directory + "/metrics.jsonl"))
            try expectRefused(
                lockstep.run(["train", "--resume", directory]), 65,
                [directory + "/metrics.jsonl", "line 1"])
        }

        @Test func aFolderInUseIsRefused() throws {
            let first = try lockstep.start(arguments(directory, epochs: 100_000))
            try #require(first.says("train loss"), "\(first.standardError)")
            try expectRefused(
                lockstep.run(["train", "--resume", directory]), 75,
                [directory, "process \(first.processID)", ProcessInfo.processInfo.hostName])
            first.send(SIGINT)
            #expect(first.end().status == 130)
        }

        @Test(arguments: [
            ("--resume none", "none"), ("--checkpoint-seconds -1", "--checkpoint-seconds -1"),
            ("--checkpoint-seconds x", "'x' is invalid"), ("--keep-checkpoints 0", "from 1 to"),
            ("--resume a --run-dir b", "leave out --run-dir"),
        ])
        func mistakesAreNamed(arguments: String, words: String) throws {
            let run = try lockstep.run(
                ["train"] + arguments.split(separator: " ").map(String.init))
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.standardError.contains(words), "\(run.standardError)")
        }

        @Test func settingsComeFromEverywhere() throws {
            try lockstep.folder.write("keep_checkpoints: 5\n", "some.yaml")
            let run = try lockstep.run(
                ["train", "--print-config", "--config", lockstep.folder.path("some.yaml")],
                ["LOCKSTEP_CHECKPOINT_SECONDS": "7"])
            #expect(run.status == 0, "\(run.standardError)")
            let rows = run.standardOutput.split(separator: "\n")
            #expect(
                rows.contains {
                    $0.hasPrefix("checkpoint_seconds") && $0.contains("7")
                        && $0.contains("LOCKSTEP_CHECKPOINT_SECONDS")
                }, "\(run.standardOutput)")
            #expect(rows.contains { $0.hasPrefix("keep_checkpoints") && $0.contains("line 1") })
            // The default is shown, too.
            let plain = try lockstep.run(["train", "--print-config"]).standardOutput
            #expect(plain.contains(/checkpoint_seconds +1\.5 +default/), "\(plain)")
            #expect(plain.contains(/keep_checkpoints +2 +default/), "\(plain)")
        }

        /// Foundation's functions on paths trap there.
        @Test func aFolderMayHaveANameOfOneLetter() throws {
            let train = "exec \(Lockstep.program.path) train --workers 0 --epochs 40 --run-dir r"
            let run = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"),
                ["-c", "cd \(lockstep.folder.path) && \(train) --checkpoint-seconds 0.01"],
                environment: lockstep.environment
            ).end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(FileManager.default.fileExists(atPath: lockstep.folder.path("r/metrics.jsonl")))
        }

        /// A sweep continues with the run that it was stopped in.
        @Test func aSweepGoesOnInTheMiddleOfARun() throws {
            func sweep(_ name: String) throws -> RunningTool {
                try lockstep.start([
                    "sweep", "seed=1,2", "--epochs", "60", "--layers", "784,32,10",
                    "--checkpoint-seconds", "0.02", "--parallelism", "1", "--json", "--run-dir",
                    lockstep.folder.path(name),
                ])
            }
            let whole = try sweep("whole").end()
            #expect(whole.status == 0, "\(whole.standardError)")
            let first = try sweep("killed")
            let path = lockstep.folder.path("killed")
            let isThere = eventually { Self.hasCheckpoint(below: path) }
            #expect(isThere)
            first.send(SIGKILL)
            _ = first.end()
            let second = try sweep("killed").end()
            #expect(second.standardError.contains("resumes after step"), "\(second.standardError)")
            #expect(try second.ends().map(\.weightsSHA256) == whole.ends().map(\.weightsSHA256))
        }
    }
}
