import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// `--trace FILE`: the timeline of real processes.
    @Suite struct TraceTests {
        private static let training = [
            "--batch-size", "100", "--micro-batch", "8", "--epochs", "2",
        ]

        private struct Traced {
            let trace: TraceDocument
            let end: EndRecord
            /// How long all of it took.
            let microseconds: Double
            /// Whether each worker did its own part of each step: on a busy machine one may be
            /// late, and others do it.
            let isUndisturbed: Bool
        }

        private static func train(_ lockstep: Lockstep, _ arguments: [String]) throws -> Traced {
            let path = lockstep.folder.path("run.trace.json")
            // A file that is there is replaced.
            try "old".write(toFile: path, atomically: true, encoding: .utf8)
            let start = Date()
            let run = try lockstep.run(
                ["train", "--json", "--run-dir", lockstep.folder.path("run"), "--trace", path]
                    + training + arguments)
            try #require(run.status == 0, "\(run.standardError)")
            return Traced(
                trace: try TraceDocument(path), end: try run.end(),
                microseconds: Date().timeIntervalSince(start) * 1e6,
                isUndisturbed: !run.standardError.contains(" late with step"))
        }

        private static func check(
            _ traced: Traced, workers: Int, shards: Int
        ) throws {
            let (trace, steps, end) = (traced.trace, traced.end.steps, traced.microseconds)
            let all = Array(1...steps)
            let names = trace.tracks.keys
            let workerNames = names.filter { $0.hasPrefix("worker ") }
            #expect(workerNames.count == workers, "\(names)")
            for worker in workerNames where traced.isUndisturbed {
                for kind in ["compute", "push", "wait", "adopt"] {
                    #expect(trace.steps(kind, of: worker) == all, "\(kind) of \(worker)")
                }
            }
            for shard in 0..<shards {
                for kind in ["fold", "update", "broadcast"] {
                    let found = trace.steps(kind, of: "server of shard \(shard)")
                    #expect(found == all, "\(kind) of shard \(shard)")
                }
                #expect(
                    trace.steps("wait", of: "server of shard \(shard)") == Array(all.dropFirst()))
            }
            #expect(trace.steps("evaluate", of: "evaluation") == [steps / 2, steps])
            #expect(trace.overlaps.isEmpty, "\(trace.overlaps.first.map { "\($0)" } ?? "")")
            for span in trace.spans {
                #expect(span.start >= 0 && span.end <= end && (span.dur ?? -1) >= 0, "\(span)")
            }
            #expect(Set(trace.spans.map(\.pid)).isSubset(of: trace.processNames.keys))

            // One clock: nobody folds what was not pushed, or adopts what was not sent.
            for shard in 0..<shards {
                let server = firsts(trace, "server of shard \(shard)") { _ in true }
                for worker in workerNames where traced.isUndisturbed {
                    let spans = firsts(trace, worker) {
                        $0.name != "push" || $0.args.shard == shard
                    }
                    for step in all {
                        let push = try #require(spans["push \(step)"])
                        let fold = try #require(server["fold \(step)"])
                        let broadcast = try #require(server["broadcast \(step)"])
                        let adopt = try #require(spans["adopt \(step)"])
                        #expect(push < fold && fold < broadcast && broadcast < adopt)
                    }
                }
            }
        }

        /// When the first span of each kind and step begins on a row, by `kind step`.
        private static func firsts(
            _ trace: TraceDocument, _ track: String, where isWanted: (TraceDocument.Event) -> Bool
        ) -> [String: Double] {
            (trace.tracks[track] ?? []).filter(isWanted).reduce(into: [:]) { firsts, span in
                let key = "\(span.name) \(span.step)"
                firsts[key] = firsts[key] ?? span.start
            }
        }

        @Test(
            arguments: [
                (2, ["--servers", "2"], 2), (2, ["--servers", "auto"], nil),
                (3, ["--servers", "1"], 1),
            ] as [(Int, [String], Int?)])
        func hasEachStepOfEachProcess(workers: Int, servers: [String], shards: Int?) throws {
            let lockstep = try Lockstep()
            let plain = try lockstep.train(Self.training + ["--workers", "0"])
            let traced = try Self.train(lockstep, ["--workers", "\(workers)"] + servers)
            #expect(traced.end.weightsSHA256 == plain.weightsSHA256)
            try Self.check(traced, workers: workers, shards: shards ?? traced.end.servers)
            let trace = traced.trace
            let processes = trace.processNames.values
            #expect(processes.count { $0.hasPrefix("worker ") } == workers, "\(processes)")
            #expect(processes.count { $0.hasPrefix("coordinator (host ") } == 1)
            #expect(processes.count == workers + 1)
            if shards != nil {
                // Servers of the coordinator are rows of its process.
                let pids = Set(trace.tracks["server of shard 0"]?.map(\.pid) ?? [])
                #expect(
                    pids.compactMap { trace.processNames[$0] }.first?.hasPrefix("coord") == true)
            }
        }

        @Test func hasTheStepsOfAProcessAlone() throws {
            let lockstep = try Lockstep()
            let traced = try Self.train(lockstep, ["--workers", "0"])
            let (trace, end, microseconds) = (traced.trace, traced.end, traced.microseconds)
            #expect(trace.steps("compute", of: "training") == Array(1...end.steps))
            #expect(trace.steps("evaluate", of: "evaluation") == [end.steps / 2, end.steps])
            #expect(trace.overlaps.isEmpty)
            #expect(trace.spans.allSatisfy { $0.start >= 0 && $0.end <= microseconds })
            #expect(trace.processNames.values.map { $0.prefix(7) } == ["trainer"])
        }

        @Test(arguments: ["0", "2"])
        func anInterruptedRunHasWhatThereIs(workers: String) throws {
            let lockstep = try Lockstep()
            let path = lockstep.folder.path("run.trace.json")
            let tool = try lockstep.start([
                "train", "--epochs", "100000", "--workers", workers, "--trace", path, "--run-dir",
                lockstep.folder.path("run"),
            ])
            #expect(tool.says("2/100000"))
            tool.send(SIGINT)
            let run = tool.end()
            #expect(run.status == 130, "\(run.standardError)")
            let trace = try TraceDocument(path)
            let track = workers == "0" ? "training" : "server of shard 0"
            let steps = trace.steps(workers == "0" ? "compute" : "update", of: track)
            #expect(steps.count > 10 && steps == Array(1...steps.count))
        }

        /// Told before anything is trained, with the name, and nothing is left behind.
        @Test func aFileThatCannotBeWrittenIsRefused() throws {
            let lockstep = try Lockstep()
            let folder = lockstep.folder.path("no-such-folder/run.trace.json")
            for path in [folder, lockstep.folder.path, "/dev/null"] {
                let run = try lockstep.run([
                    "train", "--workers", "0", "--trace", path, "--run-dir",
                    lockstep.folder.path("run"),
                ])
                #expect(run.status == 73 && run.message.contains("cannot write \(path)"))
                #expect(!run.standardError.contains("epoch 1"))
            }
            #expect(
                !FileManager.default.fileExists(atPath: lockstep.folder.path("run/metrics.jsonl")))
            let worker = try lockstep.run(["worker", "--trace", "x"])
            #expect(worker.status == 64)
        }
    }
}
