import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// Coordinator, servers and workers that are started apart, each by itself.
    @Suite struct RolesApart {
        static let training = [
            "--preset", "mse-tanh", "--batch-size", "100", "--epochs", "2",
        ]

        /// Members leave within a second of the session's end. Another second is for a machine that
        /// is busy with other tests: a member that misses its order to leave would take ten (its
        /// lease).
        static let secondsToLeave = 2.0

        @Test func findEachOtherAndTrainToTheSameWeights() throws {
            let lockstep = try Lockstep()
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "3",
                    "--servers", "2", "--servers-apart", "--json", "--run-dir",
                    lockstep.folder.path("run"),
                ] + Self.training)
            let address = ["--coordinator", try coordinator.endpoint()]
            let data = try digitsFolder.get()
            let caches = ["first", "second"].map { ["XDG_CACHE_HOME": lockstep.folder.path($0)] }
            let members = [
                try lockstep.start(["server"] + address),
                try lockstep.start(["worker", "--data", data] + address, caches[0]),
                try lockstep.start(["worker", "--threads", "2"] + address, caches[1]),
                try lockstep.start(["server"] + address),
                try lockstep.start(["worker"] + address, caches[1]),
            ]

            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            let end = try run.end()
            #expect(end.weightsSHA256 == reference.weightsSHA256)
            #expect(end.workers == 3 && end.servers == 2)
            #expect(!run.standardError.contains("has not said goodbye"), "\(run.standardError)")

            // The end's record is written as the session ends.
            let attributes = try FileManager.default.attributesOfItem(
                atPath: lockstep.folder.path("run/metrics.jsonl"))
            let sessionEnd = try #require(attributes[.modificationDate] as? Date)
            for member in members {
                let run = member.end()
                #expect(run.status == 0, "\(run.standardError)")
                let endTime = try #require(member.endTime)
                #expect(endTime.timeIntervalSince(sessionEnd) < Self.secondsToLeave)
            }
            let endTime = try #require(coordinator.endTime)
            #expect(endTime.timeIntervalSince(sessionEnd) < Self.secondsToLeave)

            // Whoever was given the data keeps none; the others got it over the wire.
            #expect(try lockstep.run(["data", "verify"], caches[0]).output.contains("no data set"))
            let kept = try lockstep.run(["data", "verify"], caches[1]).output
            #expect(kept.contains(end.datasetSHA256), "\(kept)")
        }

        /// A worker with the data in its cache needs nothing from the coordinator but orders.
        @Test func cachedDataIsNotSentAgain() throws {
            let lockstep = try Lockstep()
            func session() throws -> Date {
                let coordinator = try lockstep.start(
                    [
                        "coordinator", "--bind", "tcp://127.0.0.1:0", "--min-workers", "1",
                        "--run-dir", lockstep.folder.path(UUID().uuidString),
                    ] + Self.training)
                let worker = try lockstep.start(
                    ["worker", "--coordinator", try coordinator.endpoint()])
                #expect(coordinator.end().status == 0)
                #expect(worker.end().status == 0)
                let cache = lockstep.folder.path("cache/lockstep")
                let names = try FileManager.default.contentsOfDirectory(atPath: cache)
                    .filter { $0.hasSuffix(".idx") }
                let name = try #require(names.first)
                #expect(names.count == 1)
                let attributes = try FileManager.default.attributesOfItem(
                    atPath: "\(cache)/\(name)")
                return try #require(attributes[.modificationDate] as? Date)
            }
            let first = try session()
            #expect(try session() == first)
        }

        @Test func aListOfRunsGoesThroughOneCluster() throws {
            let lockstep = try Lockstep()
            let directory = lockstep.folder.path("runs")
            let arguments = [
                "compare", "--seeds", "1,2", "--epochs", "1", "--batch-size", "100", "--json",
                "--run-dir", directory, "--workers", "2", "--servers", "2",
            ]
            let run = try lockstep.run(arguments)
            #expect(run.status == 0, "\(run.standardError)")
            let ends = try run.ends()
            let names = ["mse-tanh", "mse-tanh-rescaled", "ce-softmax"]
            #expect(ends.map(\.configuration) == names + names)
            #expect(ends.map(\.seed) == [1, 1, 1, 2, 2, 2])
            #expect(run.standardError.split(separator: "listening on").count == 2)
            // Rescaling is a matter of the decision: the weights are those of mse-tanh.
            #expect(ends[0].weightsSHA256 == ends[1].weightsSHA256)
            #expect(
                ends.map(\.weightsFrom)
                    == [0, 3].flatMap { first in
                        [nil, ends[first].configurationSHA256, nil]
                    })
            #expect(run.standardError.contains("run 4/4: ce-softmax, seed 2"))
            #expect(ends[1].rescalingChangedDecisions == 0)
            #expect(ends[1].rescalingComparedDecisions == SmallDigits.testCount)
            for end in ends {
                let alone = try lockstep.train([
                    "--preset", end.configuration, "--seed", "\(end.seed)", "--epochs", "1",
                    "--batch-size", "100", "--workers", "0",
                ])
                #expect(alone.weightsSHA256 == end.weightsSHA256, "\(end.configuration)")
                #expect(alone.configurationSHA256 == end.configurationSHA256)
                #expect(alone.testAccuracy == end.testAccuracy)
                #expect(alone.testLoss == end.testLoss)
                #expect(alone.weightsFrom == nil)
            }
            // What was not trained is a run as any other: it can be evaluated and computed again.
            let folder = directory + "/mse-tanh-rescaled-seed1"
            let evaluated = try lockstep.run(["evaluate", folder, "--json"])
            let line = try #require(
                try JSONSerialization.jsonObject(with: Data(evaluated.standardOutput.utf8))
                    as? [String: Any])
            #expect(line["configuration"] as? String == "mse-tanh-rescaled")
            #expect(line["configuration_sha256"] as? String == ends[1].configurationSHA256)
            #expect(line["weights_sha256"] as? String == ends[1].weightsSHA256)
            #expect(line["test_accuracy"] as? Double == ends[1].testAccuracy)
            #expect(line["test_examples"] as? Int == SmallDigits.testCount)
            #expect(
                (line["confusion"] as? [[Int]])?.flatMap(\.self).reduce(0, +)
                    == SmallDigits.testCount)
            #expect(try lockstep.run(["replay", folder]).status == 0)

            // All is there already: nothing is trained, and the table shows what is.
            let again = try lockstep.run(arguments)
            #expect(try again.ends() == ends)
            #expect(!again.standardError.contains("listening on"))
            let table = try lockstep.run(arguments.filter { $0 != "--json" }).standardOutput
            for end in ends { #expect(table.contains(end.weightsSHA256.prefix(8))) }
            #expect(table.contains("mse-tanh-rescaled has the weights of mse-tanh"))
        }
    }
}
