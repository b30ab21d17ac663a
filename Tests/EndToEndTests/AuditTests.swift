import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import LockstepSimulator
import NeuralNetwork
import RunRecords
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

extension EndToEndTests {
    /// Two workers compute each sum, and steps are computed again.
    @Suite struct Audits {
        private static let training = [
            "--preset", "ce-softmax", "--batch-size", "40", "--micro-batch", "5", "--epochs",
            "20",
        ]

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        @Test(arguments: ["0.3", "1"])
        func auditsMoveNoBit(rate: String) throws {
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            let audited = try lockstep.train(
                ["--workers", "3", "--servers", "2", "--audit-rate", rate] + Self.training)
            #expect(audited.weightsSHA256 == reference.weightsSHA256)
        }

        /// One of three computes wrongly from some step on: it is named with the first element that
        /// differs, and leaves; the weights are those of sound machines.
        @Test func aWorkerThatComputesWronglyIsExpelled() throws {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "3", "--audit-rate",
                    "1", "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            let address = try coordinator.endpoint()
            let sound = try (0..<2).map { _ in
                try lockstep.start(["worker", "--coordinator", address])
            }
            var options = MemberOptions(
                coordinator: try Endpoint(address), waitTimeoutMilliseconds: 20_000,
                kernels: .baseline, cache: DatasetCache(environment: lockstep.environment)
            ) { _ in }
            options.sending = {
                WrongSums($0, from: 50, inputs: 784, Wire(kernels: KernelSet(.baseline)))
            }
            let reason = try Roles.work(options, interruption: Interruption())
            #expect(reason.exitCode == .internalError)
            #expect(
                reason.text.contains(/computes wrongly: of lea.* of step 5\d .*differs from that/))
            #expect(
                reason.text.contains(/first in layers.0.kernel\[\d+, \d+\]: 0x\w{8} instead of 0x/),
                "\(reason.text)")
            let run = coordinator.end()
            #expect(run.standardError.contains(reason.text), "\(run.standardError)")
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            for worker in sound { #expect(worker.end().status == 0) }
        }

        @Test func twoThatDisagreeWaitForAThird() throws {
            let coordinator = try lockstep.start(
                [
                    "coordinator", "--bind", "tcp://127.0.0.1:0", "--workers", "2", "--audit-rate",
                    "1", "--json", "--run-dir", lockstep.folder.path("run"),
                ] + Self.training)
            let address = try coordinator.endpoint()
            let sound = try lockstep.start(["worker", "--coordinator", address])
            let wrong = Thread {
                guard let endpoint = try? Endpoint(address) else { return }
                var options = MemberOptions(
                    coordinator: endpoint, waitTimeoutMilliseconds: 20_000, kernels: .baseline,
                    cache: DatasetCache(environment: lockstep.environment)
                ) { _ in }
                options.sending = {
                    WrongSums($0, from: 20, inputs: 784, Wire(kernels: KernelSet(.baseline)))
                }
                _ = try? Roles.work(options, interruption: Interruption())
            }
            wrong.start()
            try #require(
                coordinator.says("waiting for another worker, to tell who is right"),
                "\(coordinator.standardError)")
            let third = try lockstep.start(["worker", "--coordinator", address])
            let run = coordinator.end()
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardError.contains("computes wrongly"))
            let reference = try lockstep.train(["--workers", "0"] + Self.training)
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            for worker in [sound, third] { #expect(worker.end().status == 0) }
        }

        @Test(arguments: [
            (["--audit-rate", "1.5"], "is 0 to 1"),
            (["--audit-rate", "0.5", "--workers", "1"], "an audit takes two workers"),
        ])
        func whatCannotBeAuditedIsRefused(arguments: [String], words: String) throws {
            let run = try lockstep.run(["train"] + Self.training + arguments)
            #expect(run.status == 64)
            #expect(run.message.contains(words), "\(run.message)")
        }

        // MARK: Replay

        private func trained(_ placement: [String]) throws -> String {
            let folder = lockstep.folder.path("replayed")
            let run = try lockstep.run(
                ["train", "--run-dir", folder] + placement + Self.training)
            try #require(run.status == 0, "\(run.standardError)")
            return folder
        }

        @Test func aRunIsComputedAgainStepByStep() throws {
            let folder = try trained(["--workers", "2"])
            for (step, compared) in [("1", 1), ("77", 77)] {
                let run = try lockstep.run(["replay", folder, "--step", step, "--json"])
                #expect(run.status == 0, "\(run.standardError)")
                #expect(run.standardOutput.contains("\"compared\":\(compared),"))
                #expect(run.standardOutput.contains("\"same\":true"))
            }
            let whole = try lockstep.run(["replay", folder, "--threads", "2"])
            #expect(whole.status == 0 && whole.standardOutput.contains("the initial weights"))
        }

        @Test func theFirstStepThatDiffersIsNamed() throws {
            let folder = try trained(["--workers", "0"])
            let path = folder + "/metrics.jsonl"
            let log = try String(contentsOfFile: path, encoding: .utf8)
            var lines = log.split(separator: "\n", omittingEmptySubsequences: false).map(
                String.init)
            for (step, digits) in [(60, "0123"), (70, "4567")] {
                let index = try #require(
                    lines.firstIndex { $0.contains("\"event\":\"step\",\"step\":\(step),") })
                lines[index].replace(/(weights_digest":")..../) { "\($0.output.1)\(digits)" }
            }
            try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
            let run = try lockstep.run(["replay", folder])
            #expect(run.status == 78)
            #expect(run.message.contains("step 60: the weights' digest is 0123"), "\(run.message)")
            #expect(run.message.contains("the step before agrees"))
            #expect(try lockstep.run(["replay", folder, "--step", "59"]).status == 0)
        }

        @Test func anUnfinishedRunIsReplayedFromItsCheckpoint() throws {
            let folder = lockstep.folder.path("unfinished")
            let training = try lockstep.start(
                [
                    "train", "--run-dir", folder, "--workers", "0", "--checkpoint-seconds", "0.05",
                ] + Self.training.dropLast() + ["100000"])
            let isThere = eventually {
                let names = try? FileManager.default.subpathsOfDirectory(atPath: folder)
                // There are steps behind the first of two.
                return names?.count { $0.contains(/step-\d+\/manifest\.json$/) } == 2
            }
            try #require(isThere, "\(training.standardError)")
            training.send(SIGKILL)
            _ = training.end()
            let run = try lockstep.run(["replay", folder])
            #expect(run.status == 0, "\(run.standardError)")
            #expect(run.standardOutput.contains("the checkpoint of step"), "\(run.standardOutput)")
        }

        @Test func whatCannotBeReplayedIsNamed() throws {
            let folder = try trained(["--workers", "0"])
            let nowhere = try lockstep.run(["replay", lockstep.folder.path("nowhere")])
            #expect(nowhere.status == 65 && nowhere.message.contains("metrics.jsonl"))
            let later = try lockstep.run(["replay", folder, "--step", "100000"])
            #expect(later.status == 64 && later.message.contains("of the steps 1 to"))
            let other = try lockstep.run(["replay", folder, "--data", "synthetic"])
            #expect(other.status == 78 && other.message.contains("--data"), "\(other.message)")
            // As an older release wrote it, first one step, then all.
            let path = folder + "/metrics.jsonl"
            let log = try String(contentsOfFile: path, encoding: .utf8)
            let digest = /,"weights_digest":"[0-9a-f]*"/
            try log.replacing(digest, with: "", maxReplacements: 1)
                .write(toFile: path, atomically: true, encoding: .utf8)
            let first = try lockstep.run(["replay", folder, "--step", "1"])
            #expect(first.status == 64 && first.message.contains("not of this one"))
            try log.replacing(digest, with: "")
                .write(toFile: path, atomically: true, encoding: .utf8)
            let none = try lockstep.run(["replay", folder])
            #expect(none.status == 78 && none.message.contains("a release that writes them"))
        }

        /// A rate that a run was begun with is no reason not to continue in one process.
        @Test func anAuditedRunGoesOnWithoutWorkers() throws {
            let folder = lockstep.folder.path("audited")
            let run = try lockstep.run(
                ["train", "--run-dir", folder, "--workers", "2", "--audit-rate", "0.5"]
                    + Self.training)
            try #require(run.status == 0, "\(run.standardError)")
            let again = try lockstep.run(["train", "--resume", folder, "--workers", "0"])
            #expect(again.status == 0, "\(again.standardError)")
        }
    }
}
