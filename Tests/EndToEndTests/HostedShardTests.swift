import Foundation
import Glibc
import LockstepProtocol
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Workers that serve the shards themselves, as they do by default.
    @Suite struct HostedShards {
        private static func training(epochs: Int) -> [String] {
            ["--batch-size", "20", "--micro-batch", "5", "--epochs", "\(epochs)"]
        }

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private func start(epochs: Int, _ more: [String] = []) throws -> RunningTool {
            try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "2", "--json",
                    "--checkpoint-seconds", "0.2", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training(epochs: epochs) + more)
        }

        private func expectSameBits(_ coordinator: RunningTool, epochs: Int) throws {
            let run = coordinator.end(within: 3 * patienceSeconds)
            try #require(run.status == 0, "\(run.standardError)")
            let reference = try lockstep.train(
                ["--workers", "0"] + Self.training(epochs: epochs))
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
        }

        /// What shared memory is left of a process.
        private func memory(of processes: [Int32]) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { name in
                processes.contains { name.hasPrefix("lockstep-\($0)-") }
            }
        }

        @Test func twoWorkersServeHalfEach() throws {
            let end = try lockstep.train(["--workers", "2"] + Self.training(epochs: 3))
            #expect(end.servers == 2)
            let left = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm")
            #expect(!left.contains { $0.hasPrefix("lockstep-") }, "\(left)")
        }

        /// Its shard goes to the other one, from the newest checkpoint; another worker that comes
        /// gets its share of both again.
        @Test func aKilledWorkerTakesNoWeightsWithIt() throws {
            let epochs = 160
            let coordinator = try start(epochs: epochs)
            let address = ["--coordinator", try coordinator.endpoint()]
            let kept = try lockstep.start(["worker"] + address)
            let killed = try lockstep.start(["worker"] + address)
            let isUnderWay = eventually { coordinator.epochCount > 2 }
            try #require(isUnderWay, "\(coordinator.standardError)")
            killed.send(SIGKILL)
            try #require(
                coordinator.says("a server is lost: continuing from step"),
                "\(coordinator.standardError)")
            let other = try lockstep.start(["worker"] + address)
            try #require(
                coordinator.says("process \(other.processID)) takes its share from step"),
                "\(coordinator.standardError)")
            try #require(
                coordinator.says("shards move to the hosts that are there"),
                "\(coordinator.standardError)")
            try expectSameBits(coordinator, epochs: epochs)
            #expect(kept.end().status == 0 && other.end().status == 0)
            #expect(try memory(of: [kept, killed, other].map(\.processID)).isEmpty)
        }

        /// A closed lid, or a cable that is unplugged: the others continue within seconds.
        @Test func aStoppedWorkerIsNotWaitedFor() throws {
            let epochs = 120
            let coordinator = try start(epochs: epochs)
            let address = ["--coordinator", try coordinator.endpoint()]
            let workers = try (0..<2).map { _ in try lockstep.start(["worker"] + address) }
            let isUnderWay = eventually { coordinator.epochCount > 2 }
            try #require(isUnderWay, "\(coordinator.standardError)")
            let stopped = Date()
            workers[1].send(SIGSTOP)
            try #require(
                coordinator.says("a server is lost: continuing from step"),
                "\(coordinator.standardError)")
            let before = coordinator.epochCount
            let hasGoneOn = eventually { coordinator.epochCount > before + 1 }
            #expect(hasGoneOn && Date().timeIntervalSince(stopped) < 6)
            workers[1].send(SIGCONT)
            try expectSameBits(coordinator, epochs: epochs)
            #expect(workers.allSatisfy { $0.end().status == 0 })
        }

        /// A worker beside the coordinator, which it knows by loopback, is reached from elsewhere.
        @Test func aWorkerBesideTheCoordinatorServesOtherHosts() throws {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://*:\(likelyFreePort(count: 6))", "--workers",
                    "2",
                    "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training(epochs: 3))
            let port = try #require(
                coordinator.endpoint().split(separator: ":").last.map(String.init))
            let hosts = ["127.0.0.1", try #require(ownAddress)]
            let workers = try hosts.map {
                try lockstep.start(["worker", "--coordinator", "\($0):\(port)"])
            }
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().servers == 2)
            #expect(workers.allSatisfy { $0.end().status == 0 })
        }

        /// Ports that are all taken keep a worker from serving, and nobody from training.
        @Test func aWorkerThatCannotServeWorks() throws {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://0.0.0.0:0", "--advertise", "127.0.0.1",
                    "--workers", "2", "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training(epochs: 3))
            let port = try #require(
                coordinator.endpoint().split(separator: ":").last.map(String.init))
            let first = likelyFreePort(count: 2)
            let taken = try LineServer("", port: first)
            let address = ["--coordinator", "\(try #require(ownAddress)):\(port)"]
            let workers = try [
                lockstep.start(
                    ["worker", "--data-ports", "\(first)-\(first)"] + address),
                lockstep.start(
                    ["worker", "--data-ports", "\(first + 1)-\(first + 1)"] + address),
            ]
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().servers == 1)
            let ends = workers.map { $0.end() }
            #expect(ends.allSatisfy { $0.status == 0 })
            #expect(ends[0].standardError.contains("this worker serves no shard"))
            #expect(ends[0].standardError.contains("--data-ports"))
            withExtendedLifetime(taken) {}
        }

        /// An address of this host beyond loopback, if it has one.
        private var ownAddress: String? {
            Host.current().addresses.first { $0.contains(".") && !$0.hasPrefix("127.") }
                ?? "127.0.0.2"
        }
    }
}
