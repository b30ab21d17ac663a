import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// What the signals of a terminal, a supervisor and a scheduler do to a run.
    @Suite struct SignalTests {
        static let orderlyEnds: [(signal: Int32, status: Int32)] = [(SIGHUP, 129), (SIGXCPU, 152)]

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private var runPath: String { lockstep.folder.path("run") }

        private func startEndlessRun(
            workers: Int, _ more: [String] = []
        ) throws -> (RunningTool, workers: [Int32]) {
            let parent = try lockstep.start(
                [
                    "train", "--workers", "\(workers)", "--epochs", "100000", "--json", "--run-dir",
                    runPath,
                ] + more)
            let processes = workers > 0 ? try parent.workers(workers) : []
            try #require(parent.says("train loss"), "\(parent.standardError)")
            return (parent, processes)
        }

        /// The `end` records of the log, which are no more than one.
        private func endRecords() throws -> [EndRecord] {
            try MetricsFile(reading: runPath + "/metrics.jsonl").records.compactMap {
                if case .end(let end) = $0 { end } else { nil }
            }
        }

        private func expectGone(_ processes: [Int32]) {
            for process in processes {
                #expect(eventually(within: 10) { !isAlive(process) }, "process \(process)")
            }
        }

        private var checkpointSteps: [Int] {
            let folder = runPath + "/checkpoints"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.filter {
                FileManager.default.fileExists(atPath: "\(folder)/\($0)/manifest.json")
            }.compactMap { Int($0.dropFirst("step-".count)) }
        }

        @Test(arguments: orderlyEnds, [0, 2])
        func theEndOfASessionEndsItsRun(end: (signal: Int32, status: Int32), workers: Int) throws {
            let (parent, processes) = try startEndlessRun(workers: workers)
            parent.send(end.signal)
            let run = parent.end()
            #expect(run.status == end.status, "\(run.standardError)")
            #expect(try endRecords().map(\.status) == [.interrupted])
            #expect(!checkpointSteps.isEmpty)
            expectGone(processes)
        }

        /// The kernel tells all of a terminal's processes, and its shell tells them again.
        @Test func twoSignalsForOneReasonAreOne() throws {
            let (parent, processes) = try startEndlessRun(workers: 2)
            parent.send(SIGHUP)
            parent.send(SIGTERM)
            parent.send(SIGHUP)
            let run = parent.end()
            // Whichever the system delivers first.
            #expect([129, 143].contains(run.status), "\(run.standardError)")
            #expect(try endRecords().count == 1)
            expectGone(processes)
        }

        @Test func nohupOutlivesItsTerminal() throws {
            let shell = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"),
                [
                    "-c",
                    "trap '' HUP; exec \(Lockstep.program.path) train --workers 0 --epochs 100000 "
                        + "--run-dir \(runPath)",
                ], environment: lockstep.environment)
            try #require(shell.says("train loss"), "\(shell.standardError)")
            shell.send(SIGHUP)
            let epochs = shell.epochCount
            #expect(eventually { shell.epochCount > epochs + 1 }, "\(shell.standardError)")
            shell.send(SIGTERM)
            #expect(shell.end().status == 143)
        }

        /// There is no other reason for one.
        @Test(arguments: [SIGUSR1, SIGUSR2], [0, 2])
        func aCheckpointIsWrittenWhenAskedFor(signal: Int32, workers: Int) throws {
            let (parent, processes) = try startEndlessRun(
                workers: workers, ["--checkpoint-seconds", "0"])
            #expect(checkpointSteps.isEmpty)
            for process in processes { kill(process, signal) }
            parent.send(signal)
            #expect(eventually { !checkpointSteps.isEmpty }, "\(parent.standardError)")
            let epochs = parent.epochCount
            #expect(eventually { parent.epochCount > epochs + 1 }, "\(parent.standardError)")
            #expect(processes.allSatisfy(isAlive))
            parent.send(SIGTERM)
            #expect(parent.end().status == 143)
        }

        /// Whoever has no checkpoint to write does not die of being asked for one.
        @Test func othersGoOnWaiting() throws {
            let coordinator = try lockstep.start([
                "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "1", "--run-dir",
                runPath,
            ])
            let endpoint = try coordinator.endpoint()
            let worker = try lockstep.start(["worker", "--coordinator", "tcp://127.0.0.1:9"])
            for signal in [SIGUSR1, SIGUSR2] {
                coordinator.send(signal)
                worker.send(signal)
            }
            usleep(200_000)
            #expect(coordinator.isRunning && worker.isRunning, "\(endpoint)")
            for tool in [coordinator, worker] {
                tool.send(SIGTERM)
                #expect(tool.end().status == 143)
            }
        }

        /// systemd, Kubernetes and scancel tell every process at once, in any order.
        @Test(arguments: [[1, 2, 0], [0, 1, 2], [2, 0, 1]], [SIGTERM, SIGHUP])
        func aSignalToAllProcessesIsOneEnd(order: [Int], signal: Int32) throws {
            let (parent, workers) = try startEndlessRun(workers: 2)
            let processes = [parent.processID] + workers
            for index in order {
                kill(processes[index], signal)
                usleep(20_000)
            }
            let run = parent.end()
            #expect(run.status == (signal == SIGTERM ? 143 : 129), "\(run.standardError)")
            let ends = try endRecords()
            #expect(ends.map(\.status) == [.interrupted])
            // Nobody has left before the last checkpoint was there.
            let lost = (ends.first?.steps ?? 0) - (checkpointSteps.max() ?? 0)
            #expect(lost < 500, "\(run.standardError)")
            #expect(!run.standardError.contains("left:"), "\(run.standardError)")
            expectGone(workers)
        }

        /// A child to whom nobody but it was told something leaves a little later.
        @Test func aWorkerThatAloneIsToldToEndLeaves() throws {
            let (parent, workers) = try startEndlessRun(workers: 2)
            kill(workers[0], SIGTERM)
            #expect(eventually { !isAlive(workers[0]) }, "\(parent.standardError)")
            let epochs = parent.epochCount
            #expect(eventually { parent.epochCount > epochs + 1 }, "\(parent.standardError)")
            parent.send(SIGTERM)
            #expect(parent.end().status == 143)
        }

        /// Also one that is stopped.
        @Test func noWorkerOutlivesItsParent() throws {
            let (parent, workers) = try startEndlessRun(workers: 2)
            kill(workers[0], SIGSTOP)
            parent.send(SIGKILL)
            expectGone(workers)
        }

        /// Whatever kills a comparison, the same command brings it to its end.
        @Test(arguments: [SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGABRT, SIGKILL])
        func anEndAtAnyMomentCanBeGoneOnFrom(signal: Int32) throws {
            let arguments = [
                "compare", "--workers", "2", "--epochs", "40", "--batch-size", "128", "--json",
                "--run-dir", runPath,
            ]
            let first = try lockstep.start(arguments, ["SWIFT_BACKTRACE": "enable=no"])
            let workers = try first.workers(2)
            usleep(UInt32.random(in: 0..<600_000))
            first.send(signal)
            _ = first.end()
            expectGone(workers)
            let second = try lockstep.run(arguments)
            #expect(second.status == 0, "\(second.standardError)")
            #expect(try second.ends().map(\.status) == [.completed, .completed, .completed])
        }
    }
}
