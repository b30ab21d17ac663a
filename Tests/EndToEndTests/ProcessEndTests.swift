import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// However a session ends, no process stays behind and nobody waits for ever.
    @Suite struct ProcessEnds {
        /// With the exit code that each leads to.
        static let signals: [(Int32, Int32)] = [(SIGINT, 130), (SIGTERM, 143)]

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        /// A run that continues until somebody ends it.
        private func startEndlessRun() throws -> (RunningTool, workers: [Int32]) {
            let parent = try lockstep.start([
                "train", "--workers", "2", "--epochs", "100000", "--json", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let workers = try parent.workers(2)
            try #require(parent.says("train loss"), "\(parent.standardError)")
            try #require(workers.allSatisfy(isAlive))
            return (parent, workers)
        }

        private func expectGone(_ processes: [Int32]) {
            for process in processes {
                // At once, in truth; a busy machine may take its time.
                #expect(eventually(within: 10) { !isAlive(process) }, "process \(process)")
            }
        }

        private func records() throws -> [MetricsRecord] {
            try MetricsFile(reading: lockstep.folder.path("run/metrics.jsonl")).records
        }

        private func endRecord() throws -> EndRecord {
            guard case .end(let end) = try records().last else {
                throw NoEnd()
            }
            return end
        }

        private struct NoEnd: Error {}

        @Test func workersLeaveAfterARun() throws {
            let parent = try lockstep.start([
                "train", "--workers", "2", "--epochs", "3", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let workers = try parent.workers(2)
            let run = parent.end()
            #expect(run.status == 0, "\(run.standardError)")
            expectGone(workers)
        }

        @Test(arguments: Self.signals)
        func aSignalEndsAllOfIt(signal: Int32, status: Int32) throws {
            let (parent, workers) = try startEndlessRun()
            parent.send(signal)
            let run = parent.end()
            #expect(run.status == status, "\(run.standardError)")
            expectGone(workers)
            let end = try endRecord()
            #expect(end.status == .interrupted)
            #expect(end.steps > 0)
            #expect(try run.end() == end)
        }

        @Test(arguments: Self.signals)
        func aSignalEndsARunInOneProcess(signal: Int32, status: Int32) throws {
            let process = try lockstep.start([
                "train", "--workers", "0", "--epochs", "100000", "--json", "--run-dir",
                lockstep.folder.path("run"),
            ])
            try #require(process.says("train loss"), "\(process.standardError)")
            process.send(signal)
            let run = process.end()
            #expect(run.status == status, "\(run.standardError)")
            let end = try endRecord()
            #expect(end.status == .interrupted)
            #expect(!end.weightsSHA256.isEmpty)
        }

        @Test func workersFollowAKilledParent() throws {
            let (parent, workers) = try startEndlessRun()
            parent.send(SIGKILL)
            #expect(parent.end().status == -1)
            expectGone(workers)
        }

        @Test func workersLeaveAfterAnError() throws {
            let parent = try lockstep.start([
                "train", "--workers", "2", "--epochs", "20", "--json", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let workers = try parent.workers(2)
            try #require(parent.says("train loss"), "\(parent.standardError)")
            // The weights that are kept at the end find a file in their way.
            try FileManager.default.removeItem(atPath: lockstep.folder.path("run/checkpoints"))
            try lockstep.folder.write("in the way", "run/checkpoints")
            let run = parent.end()
            #expect(run.status == 73, "\(run.standardError)")
            #expect(run.message.contains("run/checkpoints"), "\(run.standardError)")
            #expect(run.standardOutput.isEmpty)
            expectGone(workers)
        }

        /// Others do its work, until the one that is started in its place takes its share.
        @Test func aKilledWorkerIsReplaced() throws {
            let (parent, workers) = try startEndlessRun()
            for (index, worker) in workers.enumerated() {
                kill(worker, SIGKILL)
                try #require(
                    parent.says("worker process \(worker) was killed by signal 9"),
                    "\(parent.standardError)")
                _ = try parent.workers(3 + index)
                let epochs = parent.epochCount
                try #require(eventually { parent.epochCount > epochs + 1 || !parent.isRunning })
                try #require(parent.isRunning, "\(parent.standardError)")
            }
            let all = try parent.workers(4)
            parent.send(SIGINT)
            let run = parent.end()
            #expect(run.status == 130 && run.standardError.contains("another one takes its place"))
            #expect(try endRecord().steps > 0)
            expectGone(all)
        }

        /// The program's name is gone before its workers are started: they are started all the
        /// same.
        @Test func workersNeedNoNameToBeStarted() throws {
            let copy = lockstep.folder.path("program")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: copy)
            let shell = try RunningTool(
                URL(fileURLWithPath: "/bin/bash"),
                [
                    "-c",
                    "exec 9< \(copy); rm \(copy); cd \(lockstep.folder.path); "
                        + "exec /proc/self/fd/9 train --workers 2 --epochs 2",
                ], environment: lockstep.environment)
            let run = shell.end()
            #expect(run.status == 0, "\(run.standardError)")
        }
    }
}
