import Foundation
import LockstepProtocol
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// `lockstep sweep` as a person starts it, and ends it at the wrong moment.
    @Suite struct SweepCommand {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private static let grid = [
            "loss=mse,cross-entropy", "batch_size=16,64", "seed=1-2", "--epochs", "4", "--layers",
            "784,64,10",
        ]

        private func start(_ name: String, _ more: [String] = []) throws -> RunningTool {
            try lockstep.start(
                ["sweep", "--run-dir", lockstep.folder.path(name)] + Self.grid + more)
        }

        private func sweep(_ name: String, _ more: [String] = []) throws -> ToolRun {
            let run = try start(name, more).end()
            try #require(run.status == 0, "\(run.standardError)")
            return run
        }

        /// Every file of the sweep without times, by its path.
        private func records(_ name: String) throws -> [String: String] {
            let path = lockstep.folder.path(name)
            let names = try FileManager.default.subpathsOfDirectory(atPath: path)
            let times = try Self.times
            var texts: [String: String] = [:]
            for name in names {
                guard !name.hasSuffix("/log"), !name.hasSuffix("/checkpoints") else { continue }
                // Whoever was killed left its name.
                guard name != "lock", !name.hasSuffix("/lock") else { continue }
                let data = FileManager.default.contents(atPath: path + "/" + name)
                guard let data, !data.isEmpty else { continue }
                texts[name] =
                    name.hasSuffix(".safetensors")
                    ? data.base64EncodedString()
                    : String(decoding: data, as: UTF8.self).replacing(times, with: "")
            }
            return texts
        }

        private static var times: Regex<Substring> {
            get throws {
                try Regex(
                    #""(?:seconds|examples_per_second|started|parallelism)":(?:"[^"]*"|[^,}]*)"#)
            }
        }

        /// By signal, which is told to the program, and by one that is not; soon, and later on.
        @Test func killedAndStartedAgainItComesToTheSame() throws {
            let whole = try sweep("whole", ["--parallelism", "2"])
            #expect(whole.standardOutput.contains("mse"), "\(whole.standardOutput)")
            let kills: [(Int32, runs: Int, more: [String])] = [
                (SIGKILL, 0, ["--parallelism", "1"]), (SIGKILL, 2, ["--parallelism", "2"]),
                (SIGTERM, 3, ["--parallelism", "1"]), (SIGKILL, 5, ["--parallelism", "3"]),
            ]
            var completeRuns = 0
            for (signal, runs, more) in kills {
                let process = try start("killed", more)
                let path = lockstep.folder.path("killed/sweep.json")
                let hasCome = eventually {
                    FileManager.default.fileExists(atPath: path)
                        && (completeRuns + endedRuns(process) >= runs || !process.isRunning)
                }
                try #require(hasCome, "\(process.standardError)")
                // Into the next run.
                usleep(15_000)
                process.send(signal)
                let run = process.end()
                #expect([-1, 143, 0].contains(run.status), "\(run.standardError)")
                completeRuns = try completeFolders()
            }
            let rest = try sweep("killed")
            #expect(rest.standardOutput == whole.standardOutput)
            #expect(try records("killed") == records("whole"))
        }

        private func endedRuns(_ process: RunningTool) -> Int {
            process.standardError.matches(of: /\d steps in \d/).count
        }

        private func completeFolders() throws -> Int {
            let path = lockstep.folder.path("killed")
            return try FileManager.default.contentsOfDirectory(atPath: path).count { name in
                let file = try? MetricsFile(reading: "\(path)/\(name)/metrics.jsonl")
                guard case .end(let end) = file?.records.last else { return false }
                return end.status.isFinal
            }
        }

        /// The second start reads what the first one wrote, in this process and through a cluster.
        @Test func aClusterComesToTheSame() throws {
            let here = try sweep("here", ["--json"])
            let ends = try here.ends()
            #expect(ends.count == 8 && ends.allSatisfy { $0.status == .completed })
            let again = try sweep("here", ["--json"])
            #expect(again.standardOutput == here.standardOutput)
            #expect(again.standardError.contains("8 of 8 runs are complete already"))
            let across = try sweep("across", ["--json", "--workers", "2"]).ends()
            #expect(across.map(\.weightsSHA256) == ends.map(\.weightsSHA256))
            #expect(across.allSatisfy { $0.workers == 2 })
        }

        @Test func aDryRunTouchesNothing() throws {
            let run = try sweep("dry", ["--dry-run"])
            #expect(run.standardOutput.contains("8 runs, 8 to train"), "\(run.standardOutput)")
            #expect(run.standardOutput.contains("loss=mse batch_size=16 seed=1"))
            #expect(run.standardOutput.contains("measurement of this machine"))
            #expect(!FileManager.default.fileExists(atPath: lockstep.folder.path("dry")))
        }

        @Test func aFileHoldsAGrid() throws {
            try lockstep.folder.write(
                """
                seed: 1-2
                epochs: [1]
                layers: 784,16,10
                runs:
                  - {preset: mse-tanh, learning_rate: 0.01}
                  - preset: ce-softmax
                """, "grid.yaml")
            let run = try lockstep.run([
                "sweep", "--grid", lockstep.folder.path("grid.yaml"), "--json", "--run-dir",
                lockstep.folder.path("sweep"), "seed=7",
            ])
            let ends = try run.ends()
            #expect(ends.map(\.configuration) == ["mse-tanh", "ce-softmax"])
            #expect(ends.map(\.seed) == [7, 7])
        }

        @Test func onePlaceForOneProcess() throws {
            let first = try start("busy", ["--epochs", "100000"])
            try #require(
                eventually {
                    FileManager.default.fileExists(
                        atPath: lockstep.folder.path("busy/sweep.json"))
                })
            let second = try start("busy").end()
            #expect(second.status == 75)
            #expect(second.message.contains("is in use by another process"), "\(second.message)")
            first.send(SIGINT)
            #expect(first.end().status == 130)
        }

        static let mistakes: [(String, [String])] = [
            ("los=mse", ["los=mse", "“loss”"]), ("loss=msee", ["loss=msee", "“mse”"]),
            ("", ["empty"]), ("seed=1-9 --max-runs 8", ["more numbers", "--max-runs"]),
            ("seed=1-3 epochs=1-3 --max-runs 8", ["9 runs", "--max-runs is 8"]),
            ("seed=1,2,1", ["“seed=1” and “seed=1” are the same run"]),
            ("batch_size=32,0", ["point batch_size=0", "at least one", "--skip-invalid"]),
            (
                "output_activation=tanh,softmax loss=cross-entropy",
                [
                    "point output_activation=tanh loss=cross-entropy", "softmax or sigmoid",
                    "--skip-invalid",
                ]
            ),
            ("batch_size=4000", ["point batch_size=4000", "2030"]),
            ("seed=1 --threads 2", ["--threads 2", "--parallelism"]),
            ("--grid /nonexistent/grid.yaml", ["/nonexistent/grid.yaml", "cannot be read"]),
        ]

        @Test(arguments: mistakes)
        func aMistakeIsNamed(arguments: String, words: [String]) throws {
            let run = try lockstep.run(
                ["sweep", "--run-dir", lockstep.folder.path("none")]
                    + arguments.split(separator: " ").map(String.init))
            #expect(run.status == 64, "\(run.standardError)")
            for word in words { #expect(run.message.contains(word), "\(run.message)") }
            #expect(!FileManager.default.fileExists(atPath: lockstep.folder.path("none")))
        }

        /// No file may be longer than 128 KiB: the weights of one of the networks are.
        @Test func aFailedRunIsNamedToPrograms() throws {
            let path = lockstep.folder.path("limited")
            let run = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"),
                [
                    "-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", Lockstep.program.path,
                    "sweep", "layers=784x128x10,784x16x10", "--epochs", "1", "--json",
                    "--run-dir", path,
                ], environment: lockstep.environment
            ).end()
            // Another start would be of no use before there is room.
            #expect(run.status == 73, "\(run.standardError)")
            let lines = run.standardOutput.split(separator: "\n").map(String.init)
            try #require(lines.count == 2, "\(run.standardOutput)")
            let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8))
            let failed = try #require(object as? [String: Any])
            #expect(failed["status"] as? String == "failed")
            #expect(failed["seed"] as? Int == 1 && failed["exit_code"] as? Int == 73)
            #expect((failed["settings"] as? [String: String])?["layers"] == "784,128,10")
            let id = try #require(failed["run"] as? String)
            #expect(failed["directory"] as? String == "\(path)/\(id)")
            #expect((failed["error"] as? String)?.contains("model.safetensors") == true)
            let hash = try #require(failed["configuration_sha256"] as? String)
            #expect(hash.hasPrefix(id))
            // The other one is printed as ever.
            let ended = try JSONDecoder().decode(EndRecord.self, from: Data(lines[1].utf8))
            #expect(ended.status == .completed)
            #expect(ended.datasetSHA256 == failed["dataset_sha256"] as? String)
        }

        /// Not one of the weights could be kept.
        @Test func whatNoRunCouldWriteIsNotTrained() throws {
            let path = lockstep.folder.path("limited")
            let run = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"),
                [
                    "-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", Lockstep.program.path,
                    "sweep", "seed=1,2", "--epochs", "1", "--json", "--run-dir", path,
                ], environment: lockstep.environment
            ).end()
            #expect(run.status == 73 && run.standardOutput.isEmpty, "\(run.standardError)")
            #expect(run.message.contains("ulimit -f"), "\(run.standardError)")
            let logs = try FileManager.default.subpathsOfDirectory(atPath: path)
                .filter { $0.hasSuffix("metrics.jsonl") }
            #expect(logs.isEmpty)
        }

        @Test func whatCannotBeTrainedIsLeftOutOnDemand() throws {
            let run = try lockstep.run([
                "sweep", "output_activation=tanh,softmax", "loss=cross-entropy", "--skip-invalid",
                "--epochs",
                "1", "--json", "--run-dir", lockstep.folder.path("skip"),
            ])
            #expect(try run.ends().count == 1)
            #expect(
                run.standardError.contains("left out: output_activation=tanh loss=cross-entropy"))
        }
    }
}
