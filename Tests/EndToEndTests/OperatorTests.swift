import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// What a person asks of a running cluster.
    @Suite struct Operators {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private func status(_ endpoint: String) throws -> [String: Any] {
            let run = try lockstep.run(["status", "--coordinator", endpoint, "--json"])
            try #require(run.status == 0, "\(run.standardError)")
            return try #require(
                try JSONSerialization.jsonObject(with: Data(run.standardOutput.utf8))
                    as? [String: Any])
        }

        private func scale(_ endpoint: String, to workers: Int) throws -> ToolRun {
            try lockstep.run(["scale", "--coordinator", endpoint, "--workers", "\(workers)"])
        }

        private func workerCount(_ endpoint: String) throws -> Int {
            let members = try #require(try status(endpoint)["members"] as? [[String: Any]])
            return members.count { $0["role"] as? String == "worker" && $0["leaves"] as? Int != 0 }
        }

        @Test func aLocalClusterGrowsAndShrinks() throws {
            let train = try lockstep.start([
                "train", "--workers", "1", "--batch-size", "128", "--epochs", "100000",
                "--checkpoint-seconds", "0.1",
                "--run-dir", lockstep.folder.path("run"),
            ])
            let endpoint = try train.endpoint()
            try #require(train.says("train loss"), "\(train.standardError)")
            for (before, after) in [(1, 3), (3, 1)] {
                let run = try scale(endpoint, to: after)
                #expect(run.status == 0, "\(run.standardError)")
                #expect(run.standardOutput.contains("from \(before) to \(after) workers"))
                let isReached = try eventually { try workerCount(endpoint) == after }
                #expect(isReached, "\(train.standardError)")
            }
            for workers in [0, 10_000] {
                let run = try scale(endpoint, to: workers)
                #expect(run.status == 64 && run.message.contains("1 to 256"), "\(run.message)")
            }
            let object = try status(endpoint)
            #expect(object["stage"] as? String == "training" && object["runs"] as? Int == 1)
            #expect(object["run"] as? Int == 0 && object["generation"] as? Int == 0)
            #expect(object["configuration"] as? String != nil)
            let step = try #require(object["step"] as? Int)
            let checkpoint = try #require(object["checkpoint_step"] as? Int)
            #expect(step > 0 && checkpoint > 0)
            #expect(try #require(object["steps"] as? Int) > step)
            #expect(try #require(object["view"] as? Int) >= 2)
            #expect(try #require(object["examples_per_second"] as? Double) > 0)
            let members = try #require(object["members"] as? [[String: Any]])
            for member in members {
                #expect(
                    Set(member.keys) == [
                        "role", "incarnation", "host", "process", "threads", "leaves",
                        "silent_seconds", "late", "phase",
                    ])
            }
            train.send(SIGINT)
            #expect(train.end().status == 130)
        }

        @Test func workersElsewhereAreNotScaled() throws {
            let coordinator = try lockstep.start([
                "coordinator", "--bind", "tcp://127.0.0.1:0", "--run-dir",
                lockstep.folder.path("run"),
            ])
            let endpoint = try coordinator.endpoint()
            let run = try scale(endpoint, to: 2)
            #expect(run.status == 78 && run.message.contains("lockstep worker"), "\(run.message)")
            #expect(try status(endpoint)["stage"] as? String == "waiting for members")
            coordinator.send(SIGTERM)
            #expect(coordinator.end().status == 143)
        }

        @Test func nobodyAnswers() throws {
            let run = try lockstep.run([
                "status", "--coordinator", "tcp://127.0.0.1:9", "--wait-timeout", "0.3",
            ])
            #expect(run.status == 69 && run.message.contains("--wait-timeout"), "\(run.message)")
        }
    }
}
