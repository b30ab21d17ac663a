import Formats
import Foundation
import RunRecords
import TestSupport
import Testing
import TrainingPlan

extension EndToEndTests {
    /// What a run leaves behind, and what can be made of it.
    @Suite struct RunRecords {
        let lockstep: Lockstep
        let arguments: [String]

        init() throws {
            lockstep = try Lockstep()
            arguments = [
                "train", "--preset", "mse-tanh-rescaled", "--batch-size", "100", "--epochs",
                "2", "--evaluate-every", "7", "--validation-examples", "130", "--learning-rate",
                "0.002", "--schedule", "cosine", "--seed", "42", "--json", "--run-dir",
                lockstep.folder.path("run"),
            ]
        }

        private func path(_ name: String) -> String { lockstep.folder.path("run/\(name)") }

        @Test(arguments: [0, 2])
        func everyStepEvaluationAndEpochIsLogged(workers: Int) throws {
            let end = try lockstep.run(arguments + ["--workers", "\(workers)"]).end()
            let file = try MetricsFile(reading: path("metrics.jsonl"))
            #expect(file.cutOffByteCount == 0)
            #expect(file.provenance == end.provenance)
            var steps: [Int] = []
            var evaluations: [Int] = []
            var epochs: [EpochRecord] = []
            for record in file.records {
                switch record {
                case .run(let run):
                    #expect(run.configuration == "mse-tanh-rescaled")
                    #expect(run.settings["learning_rate"] == "0.002")
                    #expect(run.placement.workers == workers)
                case .step(let step): steps.append(step.step)
                case .evaluation(let evaluation):
                    evaluations.append(evaluation.step)
                    #expect(evaluation.split == .validation)
                case .epoch(let epoch): epochs.append(epoch)
                case .gap(let gap): Issue.record("\(gap)")
                case .end(let last): #expect(last == end)
                }
            }
            // 1,900 examples are trained on, in 19 batches of 100.
            #expect(steps == Array(1...38))
            #expect(Set(evaluations) == [7, 14, 19, 21, 28, 35, 38])
            #expect(epochs.map(\.step) == [19, 38])
            #expect(epochs.map(\.examples) == [1_900, 1_900])
            #expect(epochs.last?.weightsSHA256 == end.weightsSHA256)
            #expect(epochs.last?.testAccuracy == end.testAccuracy)
            #expect(epochs[0].trainLoss > epochs[1].trainLoss)
        }

        /// Only the log is thinner, also that of a run that continues from the file of its
        /// settings.
        @Test(arguments: [0, 2])
        func aLogCanBeThinned(workers: Int) throws {
            func steps(_ path: String) throws -> [Int] {
                try MetricsFile(reading: path + "/metrics.jsonl").records.compactMap {
                    if case .step(let step) = $0 { step.step } else { nil }
                }
            }
            let thin = lockstep.folder.path("thin")
            let common = ["train", "--epochs", "2", "--batch-size", "100", "--json"]
            let whole = try lockstep.run(
                common + ["--workers", "0", "--run-dir", lockstep.folder.path("whole")]
            ).end()
            let run = try lockstep.run(
                common + ["--workers", "\(workers)", "--log-every", "6", "--run-dir", thin])
            #expect(try run.end().weightsSHA256 == whole.weightsSHA256, "\(run.standardError)")
            // 21 steps an epoch.
            #expect(try steps(thin) == Array(stride(from: 6, through: 42, by: 6)))
            #expect(try steps(lockstep.folder.path("whole")) == Array(1...42))
            let config = try String(contentsOfFile: thin + "/config.yaml", encoding: .utf8)
            #expect(config.contains("log_every: 6"), "\(config)")
            let sweep = try lockstep.run([
                "sweep", "seed=1", "--epochs", "1", "--batch-size", "10", "--log-every", "50",
                "--json", "--run-dir", lockstep.folder.path("sweep"),
            ])
            let id = try sweep.end().configurationSHA256.prefix(16)
            #expect(try steps(lockstep.folder.path("sweep/\(id)")) == [50, 100, 150, 200])
            let none = try lockstep.run(common + ["--log-every", "0"])
            #expect(none.status == 64 && none.message.contains("--log-every"), "\(none.message)")
        }

        /// What is measured of a step is put together from leaves, threads and shards: bit for bit
        /// the same.
        @Test(arguments: [(0, 2, 1), (1, 1, 1), (2, 2, 2), (3, 1, 3)])
        func stepsAreLoggedAlikeOnAnyPlacement(workers: Int, threads: Int, servers: Int) throws {
            func steps(_ placement: [String], _ name: String) throws -> [StepRecord] {
                let path = lockstep.folder.path(name)
                let run = try lockstep.run(
                    arguments.dropLast() + [path, "--layers", "784,33,17,10"] + placement)
                try #require(run.status == 0, "\(run.standardError)")
                return try MetricsFile(reading: path + "/metrics.jsonl").records.compactMap {
                    if case .step(let step) = $0 { step } else { nil }
                }
            }
            let here = try steps(["--workers", "0"], "here")
            let there = try steps(
                [
                    "--workers", "\(workers)", "--threads", "\(threads)", "--servers",
                    "\(servers)",
                ], "there")
            #expect(here.count == 38 && here.allSatisfy { $0.batchGradientNorms.count == 3 })
            #expect(there == here)
        }

        @Test func aWrittenConfigurationTrainsToTheSameWeights() throws {
            let end = try lockstep.run(arguments + ["--workers", "2", "--servers", "2"]).end()
            let again = try lockstep.train(["--config", path("config.yaml")])
            #expect(again.weightsSHA256 == end.weightsSHA256)
            #expect(again.configurationSHA256 == end.configurationSHA256)
            #expect(again.placement == end.placement)
            let flag = try lockstep.train([
                "--config", path("config.yaml"), "--seed", "43", "--workers", "0",
            ])
            #expect(flag.weightsSHA256 != end.weightsSHA256)
            #expect(flag.seed == 43)
        }

        @Test func aCheckpointEvaluatesToTheAccuracyOfTheRun() throws {
            let end = try lockstep.run(arguments + ["--workers", "0"]).end()
            let run = try lockstep.run(["evaluate", path("checkpoints/step-\(end.steps)")])
            #expect(run.status == 0, "\(run.standardError)")
            let accuracy = String(format: "%.2f %%", end.testAccuracy * 100)
            for text in [
                accuracy, String(format: "%.5f", end.testLoss), end.weightsSHA256,
                "mse-tanh-rescaled, seed 42",
            ] {
                #expect(run.standardOutput.contains(text), "\(run.standardOutput)")
            }
            // On other data it is another figure, and says so.
            let other = try lockstep.run([
                "evaluate", path("checkpoints/step-\(end.steps)"), "--data", "synthetic",
            ])
            #expect(other.standardOutput.contains("synthetic-digits"))
            #expect(!other.standardOutput.contains(accuracy), "\(other.standardOutput)")
        }

        /// Earlier versions had other names for three settings, and dashes in the rest.
        @Test func aCheckpointOfAnEarlierVersionEvaluates() throws {
            let end = try lockstep.run(arguments + ["--workers", "0"]).end()
            var file = try Safetensors(
                reading: path("checkpoints/step-\(end.steps)/model.safetensors"))
            for key in RunConfiguration.Key.allCases {
                let text = file.metadata.removeValue(forKey: key.rawValue)
                file.metadata[key.firstName] = text
            }
            #expect(file.metadata["hidden"] == "tanh" && file.metadata["batch-size"] == "100")
            let old = lockstep.folder.path("old.safetensors")
            try file.write(to: old)
            let run = try lockstep.run(["evaluate", old, "--json"])
            #expect(
                run.standardOutput.contains(#""test_accuracy":\#(end.testAccuracy)"#),
                "\(run.standardOutput)")
            #expect(run.standardOutput.contains(#""configuration":"mse-tanh-rescaled""#))
        }

        @Test func aFinishedRunIsShownAgain() throws {
            let first = try lockstep.run(arguments + ["--workers", "0"])
            let log = try lockstep.folder.read("run/metrics.jsonl")
            // Placement is not part of a run.
            let second = try lockstep.run(arguments + ["--workers", "2"])
            #expect(second.status == 0)
            #expect(second.standardOutput == first.standardOutput)
            #expect(second.standardError.contains("shown again"))
            #expect(!second.standardError.contains("train loss"))
            #expect(try lockstep.folder.read("run/metrics.jsonl") == log)
        }

        @Test func anAccuracyThatIsReachedEndsTheRun() throws {
            let arguments = [
                "--target-accuracy", "0.3", "--evaluate-every", "5", "--epochs", "50",
                "--batch-size", "100",
            ]
            let here = try lockstep.train(arguments + ["--workers", "0"])
            let across = try lockstep.train(arguments + ["--workers", "2"])
            #expect(here.status == .target && across.status == .target)
            #expect(here.testAccuracy >= 0.3)
            #expect(here.steps % 5 == 0 && here.steps < 50 * 21)
            #expect(across.steps == here.steps)
            #expect(across.weightsSHA256 == here.weightsSHA256)
        }

        @Test func settingsAreShownWithWhereTheyCameFrom() throws {
            try lockstep.folder.write("epochs: 3\nbatch_size: 64\n", "my.yaml")
            let run = try lockstep.run(
                [
                    "train", "--print-config", "--config", lockstep.folder.path("my.yaml"),
                    "--seed", "5",
                ], ["LOCKSTEP_BATCH_SIZE": "256"])
            #expect(run.status == 0)
            let rows = run.standardOutput.split(separator: "\n").map {
                $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
            }
            for row in [
                "seed 5 --seed", "batch_size 256 LOCKSTEP_BATCH_SIZE",
                "epochs 3 \(lockstep.folder.path("my.yaml")), line 1", "workers 2 default",
            ] {
                #expect(rows.contains(row), "\(run.standardOutput)")
            }
        }
    }
}
