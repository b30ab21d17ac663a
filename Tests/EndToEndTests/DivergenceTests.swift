import Formats
import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// A run whose numbers leave the finite ones is a result: exit code 0, step, cause, and the
    /// last finite weights.
    @Suite struct Divergence {
        /// The first at its second step, the second some steps on, the third in its second epoch:
        /// there the rate has grown for that long.
        static let recipes = [
            ["--optimizer", "sgd", "--learning-rate", "1e30"],
            [
                "--hidden-activation", "identity", "--output-activation", "identity",
                "--loss", "mse", "--optimizer",
                "sgd", "--learning-rate", "3",
            ],
            [
                "--hidden-activation", "identity", "--output-activation", "identity",
                "--loss", "mse", "--optimizer",
                "sgd", "--learning-rate", "20", "--warmup-steps", "1500", "--batch-size", "128",
            ],
        ]

        @Test(arguments: recipes)
        func theLastFiniteWeightsRemain(recipe: [String]) throws {
            let lockstep = try Lockstep()
            let here = try train(lockstep, "here", recipe + ["--workers", "0"])
            let across = try train(
                lockstep, "across", recipe + ["--workers", "2", "--servers", "3"])
            #expect(here.weightsSHA256 == across.weightsSHA256)
            #expect(here.steps == across.steps)
            #expect(here.divergedStep == across.divergedStep)
            #expect(here.testAccuracy == across.testAccuracy)
        }

        private func train(
            _ lockstep: Lockstep, _ name: String, _ arguments: [String]
        ) throws -> EndRecord {
            let directory = lockstep.folder.path(name)
            let run = try lockstep.run(
                ["train", "--epochs", "3", "--json", "--run-dir", directory] + arguments)
            #expect(run.status == 0, "\(run.standardError)")
            let end = try run.end()
            #expect(end.status == .diverged)
            #expect(end.steps > 0)
            #expect(end.divergedStep == end.steps + 1)
            #expect(end.cause?.contains("is not finite") == true)
            let log = try String(contentsOfFile: directory + "/metrics.jsonl", encoding: .utf8)
            for text in [run.standardOutput, log] {
                #expect(!text.lowercased().contains(/[:,\[](nan|-?inf)/))
            }
            #expect(run.standardError.contains("diverged at step \(end.steps + 1)"))

            let file = try Safetensors(
                reading: "\(directory)/checkpoints/step-\(end.steps)/model.safetensors")
            #expect(file.metadata["status"] == "diverged")
            #expect(file.metadata["weights_sha256"] == end.weightsSHA256)
            for tensor in file.tensors {
                #expect(tensor.values.allSatisfy { $0.isFinite }, "\(tensor.name)")
            }
            return end
        }
    }
}
