import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Workers, each a process of its own, that are killed, stopped, sent away and added while a
    /// run continues: the weights are those of one process.
    @Suite struct WorkersComeAndGo {
        /// Short steps, so that one process is done with all of them soon.
        private static func training(epochs: Int) -> [String] {
            [
                "--preset", "mse-tanh", "--batch-size", "20", "--micro-batch", "5",
                "--epochs",
                "\(epochs)",
            ]
        }

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        /// A coordinator with so many workers, and its run under way.
        private func startRun(
            workers count: Int, epochs: Int = 150, _ more: [String] = []
        ) throws -> Cluster {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "\(count)",
                    "--servers", "1", "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training(epochs: epochs) + more)
            var cluster = Cluster(
                lockstep: lockstep, epochs: epochs, coordinator: coordinator,
                endpoint: try coordinator.endpoint())
            for _ in 0..<count { try cluster.addWorker() }
            try cluster.waitForEpochs(2)
            return cluster
        }

        private struct Cluster {
            let lockstep: Lockstep
            let epochs: Int
            let coordinator: RunningTool
            let endpoint: String
            var workers: [RunningTool] = []

            mutating func addWorker() throws {
                workers.append(try lockstep.start(["worker", "--coordinator", endpoint]))
            }

            /// The run continues for so many epochs.
            func waitForEpochs(_ count: Int) throws {
                let before = coordinator.epochCount
                let hasGoneOn = eventually {
                    coordinator.epochCount >= before + count || !coordinator.isRunning
                }
                try #require(hasGoneOn && coordinator.isRunning, "\(coordinator.standardError)")
            }

            func waitForWord(_ text: String) throws {
                try #require(coordinator.says(text), "\(coordinator.standardError)")
            }

            /// What the coordinator calls a worker.
            func name(_ worker: Int) -> String { "process \(workers[worker].processID))" }

            /// The run ends as one in a single process does.
            func expectSameBits() throws {
                let run = coordinator.end(within: 2 * patienceSeconds)
                try #require(run.status == 0, "\(run.standardError)")
                let end = try run.end()
                #expect(end.status == .completed)
                let reference = try lockstep.train(
                    ["--workers", "0"] + WorkersComeAndGo.training(epochs: epochs))
                #expect(end.weightsSHA256 == reference.weightsSHA256)
            }
        }

        /// Its leaves are missed before anybody knows that it is gone.
        @Test func aKilledWorkerIsDoneWithout() throws {
            let cluster = try startRun(workers: 2)
            cluster.workers[1].send(SIGKILL)
            try cluster.waitForWord("\(cluster.name(1)) is late with step")
            try cluster.expectSameBits()
            #expect(cluster.workers[0].end().status == 0)
        }

        @Test func aWorkerMayLeave() throws {
            let cluster = try startRun(workers: 2)
            cluster.workers[1].send(SIGTERM)
            let left = cluster.workers[1].end()
            #expect(left.status == 143, "\(left.standardError)")
            try cluster.waitForWord("\(cluster.name(1)) left")
            try cluster.waitForEpochs(2)
            try cluster.expectSameBits()
            #expect(cluster.workers[0].end().status == 0)
        }

        @Test func aWorkerThatJoinsTakesItsShare() throws {
            var cluster = try startRun(workers: 2)
            try cluster.addWorker()
            try cluster.waitForWord("\(cluster.name(2)) takes its share from step")
            try cluster.waitForEpochs(2)
            try cluster.expectSameBits()
            for worker in cluster.workers { #expect(worker.end().status == 0) }
        }

        /// The run continues meanwhile, and the worker takes its share again afterwards.
        @Test func aStoppedWorkerIsNotWaitedFor() throws {
            let cluster = try startRun(workers: 2, epochs: 500)
            cluster.workers[0].send(SIGSTOP)
            try cluster.waitForWord("\(cluster.name(0)) is late with step")
            let before = cluster.coordinator.epochCount
            usleep(3_000_000)
            #expect(cluster.coordinator.epochCount > before)
            cluster.workers[0].send(SIGCONT)
            try cluster.waitForWord("\(cluster.name(0)) takes its share from step")
            try cluster.expectSameBits()
            for worker in cluster.workers { #expect(worker.end().status == 0) }
        }

        /// It was silent for longer than its lease: it is a member no more, and becomes one again.
        @Test func aWorkerThatWasStoppedForLongJoinsAgain() throws {
            let cluster = try startRun(workers: 2, epochs: 100_000)
            cluster.workers[0].send(SIGSTOP)
            try cluster.waitForWord("\(cluster.name(0)) left: has been silent for 10")
            try cluster.waitForEpochs(1)
            cluster.workers[0].send(SIGCONT)
            try cluster.waitForWord("\(cluster.name(0)) takes its share from step")
            #expect(cluster.workers[0].says("joining again"), "\(cluster.workers[0].standardError)")
            cluster.coordinator.send(SIGTERM)
            #expect(cluster.coordinator.end().status == 143)
            for worker in cluster.workers { #expect(worker.end().status == 0) }
        }

        // MARK: Nobody left

        @Test func aRunWithoutWorkersWaitsForOne() throws {
            var cluster = try startRun(workers: 1)
            cluster.workers[0].send(SIGTERM)
            try cluster.waitForWord("0 workers are there, too few to continue")
            try cluster.addWorker()
            try cluster.waitForWord("\(cluster.name(1)) takes its share from step")
            try cluster.expectSameBits()
        }

        @Test func aRunThatNobodyComesToEnds() throws {
            let cluster = try startRun(workers: 1, ["--wait-timeout", "1"])
            cluster.workers[0].send(SIGTERM)
            let run = cluster.coordinator.end()
            #expect(run.status == 75, "\(run.standardError)")
            for word in ["has waited for 1 s", "0 of at least 1 workers", "--wait-timeout"] {
                #expect(run.message.contains(word), "\(run.message)")
            }
        }
    }
}
