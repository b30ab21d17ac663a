import Datasets
import Experiments
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import Synchronization
import TerminalText
import TestSupport
import Testing
import TrainingPlan

/// Sweeps in this process, on small runs.
@Suite struct SweepTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Notes what it is told.
    private final class Witness: SweepObserver {
        private let endings = Mutex<[String]>([])
        private let notices = Mutex<[String]>([])
        private let atEnd: @Sendable (SweepResult.Run) -> Void

        init(atEnd: @escaping @Sendable (SweepResult.Run) -> Void = { _ in }) {
            self.atEnd = atEnd
        }

        var endedIDs: [String] { endings.withLock { $0 } }
        var told: [String] { notices.withLock { $0 } }

        func notice(_ text: String) { notices.withLock { $0.append(text) } }
        func progress(_ progress: SweepProgress) {
            if !(0...1 ~= progress.share) { Issue.record("a share of \(progress.share)") }
        }
        func runEnded(_ run: SweepResult.Run, progress: SweepProgress) {
            endings.withLock { endings in
                endings.append(run.id)
                if progress.runsDone < endings.count { Issue.record("\(progress)") }
            }
            atEnd(run)
        }
    }

    private func configuration(
        seed: UInt64, batchSize: Int = 300, epochs: Int = 2, learningRate: Double = 0.001
    ) -> RunConfiguration {
        var configuration = RunConfiguration(preset: .ceSoftmax)
        configuration.architecture.layers = [784, 16, 10]
        configuration.batchSize = batchSize
        configuration.epochs = epochs
        configuration.seed = seed
        configuration.optimizer.learningRate = learningRate
        return configuration
    }

    private func sweep(
        _ configurations: [RunConfiguration], _ name: String = "sweep", parallelism: Int = 2
    ) -> Sweep {
        Sweep(
            runs: configurations.map { SweepRun($0) }, dataset: SmallDigits.dataset,
            directory: folder.path(name), parallelism: parallelism, kernels: .baseline)
    }

    private func hashes(_ result: SweepResult) -> [String?] {
        result.runs.map { $0.outcome?.end?.weightsSHA256 }
    }

    @Test func parallelismMovesNoBit() throws {
        let configurations = [
            configuration(seed: 1), configuration(seed: 2, epochs: 1),
            configuration(seed: 1, batchSize: 64), configuration(seed: 3, epochs: 3),
        ]
        let one = try sweep(configurations, "one", parallelism: 1)
            .run(observer: Witness(), interruption: Interruption())
        let three = try sweep(configurations, "three", parallelism: 3)
            .run(observer: Witness(), interruption: Interruption())
        #expect(one.reason.exitCode == .success && three.reason.exitCode == .success)
        #expect(Set(hashes(one).compactMap(\.self)).count == 4)
        #expect(hashes(one) == hashes(three))
        // How many went on at a time stands beside their seconds, and is no part of what they are.
        #expect(one.outcomes.allSatisfy { $0.end?.parallelism == 1 && $0.hadMachineAlone })
        #expect(three.outcomes.allSatisfy { $0.end?.parallelism == 3 && !$0.hadMachineAlone })
        #expect(three.outcomes.allSatisfy { $0.run.machine?.cores ?? 0 >= 1 })
        #expect(one.runs.map(\.id) == three.runs.map(\.id))
        #expect(one.runs.map(\.run.configuration) == configurations)
        // The same as when it is trained by itself.
        let alone = Roles.trainHere(
            SessionRequest(
                runs: [
                    PlannedRun(
                        configurations[2],
                        directory: try RunDirectory.fresh(
                            in: folder.path, configuration: "alone", seed: 1))
                ], dataset: SmallDigits.dataset,
                placement: SessionPlacement(workers: 0), kernels: .baseline,
                waitTimeoutMilliseconds: 1_000), observer: Silent(), interruption: Interruption())
        #expect(alone.outcomes[0].end?.weightsSHA256 == hashes(one)[2])
    }

    private struct Silent: SessionObserver {
        func notice(_ text: String) {}
        func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {}
        func progress(_ progress: RunProgress) {}
        func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {}
        func runEnded(_ outcome: RunOutcome) {}
    }

    /// The second way to decode needs no training; a run of its own comes to the same.
    @Test func whatDiffersInDecodingOnlyIsTrainedOnce() throws {
        let configurations = RunConfiguration.Preset.allCases.map { preset in
            var run = configuration(seed: 1)
            run.name = preset.rawValue
            run.architecture.decoding = preset.architecture.decoding
            run.architecture.output = preset.architecture.output
            run.architecture.loss = preset.architecture.loss
            return run
        }
        let witness = Witness()
        let sweep = sweep(configurations)
        let result = try sweep.run(observer: witness, interruption: Interruption())
        #expect(result.reason.exitCode == .success)
        #expect(witness.endedIDs.count == 3 && witness.endedIDs.last == result.runs[1].id)
        #expect(witness.told.contains { $0.contains("1 of 3 runs") })
        let ends = result.outcomes.compactMap(\.end)
        #expect(ends.map(\.configuration) == configurations.map(\.name))
        #expect(ends.map(\.weightsFrom) == [nil, ends[0].configurationSHA256, nil])
        #expect(ends[1].weightsSHA256 == ends[0].weightsSHA256)
        #expect(result.runs[1].directory.checkpoints.count == 1)
        let own = try self.sweep([configurations[1]], "own")
            .run(observer: Witness(), interruption: Interruption()).outcomes
        #expect(own[0].end?.weightsFrom == nil)
        #expect(own[0].end?.weightsSHA256 == ends[1].weightsSHA256)
        #expect(own[0].end?.testAccuracy == ends[1].testAccuracy)
        #expect(own[0].epochs.map(\.testAccuracy) == result.outcomes[1].epochs.map(\.testAccuracy))
        // A second start finds it complete.
        let again = try sweep.run(observer: Witness(), interruption: Interruption())
        #expect(again.runs.allSatisfy(\.wasComplete) && hashes(again) == hashes(result))
    }

    @Test func theBiggestRunComesFirst() throws {
        let witness = Witness()
        let sweep = sweep(
            [1, 3, 2].map { configuration(seed: 1, epochs: $0) }, parallelism: 1)
        let result = try sweep.run(observer: witness, interruption: Interruption())
        #expect(witness.endedIDs == [1, 2, 0].map { result.runs[$0].id })
    }

    @Test func idsAreTheBeginningsOfHashes() throws {
        let configuration = configuration(seed: 1)
        let sweep = sweep([configuration])
        let result = try sweep.run(observer: Witness(), interruption: Interruption())
        let run = try #require(result.runs.first)
        #expect(run.id.count == 16)
        #expect(run.id == run.outcome?.end?.configurationSHA256.prefix(16).description)
        #expect(run.directory.path == folder.path("sweep/\(run.id)"))
        #expect(sweep.isComplete(configuration))
        #expect(!sweep.isComplete(self.configuration(seed: 2)))
        // Spelled out otherwise, it is the same run.
        var renamed = configuration
        renamed.name = "custom"
        #expect(sweep.id(of: renamed) == run.id)
        let text = String(decoding: try folder.read("sweep/sweep.json"), as: UTF8.self)
        #expect(text.contains(run.id) && text.contains("\(SmallDigits.dataset.sha256)"))
    }

    @Test func aSecondStartGoesOn() throws {
        let configurations = (1...4).map { configuration(seed: UInt64($0)) }
        let whole = try sweep(configurations, "whole")
            .run(observer: Witness(), interruption: Interruption())
        let interruption = Interruption()
        let sweep = sweep(configurations, parallelism: 1)
        let first = try sweep.run(
            observer: Witness { _ in
                interruption.request(StopReason(.interrupted, "enough"))
            }, interruption: interruption)
        #expect(first.reason == StopReason(.interrupted, "enough"))
        #expect(first.outcomes.count == 1)
        let witness = Witness()
        let second = try sweep.run(observer: witness, interruption: Interruption())
        #expect(second.reason.exitCode == .success)
        #expect(second.runs.map(\.wasComplete).count { $0 } == 1)
        #expect(witness.endedIDs.count == 3)
        #expect(hashes(second) == hashes(whole))
        // What was complete is shown, and nothing is trained.
        let third = Witness()
        let again = try sweep.run(observer: third, interruption: Interruption())
        #expect(third.endedIDs.isEmpty && again.runs.allSatisfy(\.wasComplete))
        #expect(again.outcomes.map(\.end) == second.outcomes.map(\.end))
    }

    @Test func aDivergedRunIsAResult() throws {
        var bad = configuration(seed: 1, learningRate: 1e30)
        bad.optimizer.kind = .sgd
        let result = try sweep([bad, configuration(seed: 2)])
            .run(observer: Witness(), interruption: Interruption())
        #expect(result.reason.exitCode == .success)
        #expect(result.outcomes.map(\.end?.status) == [.diverged, .completed])
    }

    /// So deep that a checkpoint's path is too long, while the log's is not.
    @Test func aFailedRunIsTriedOnceMoreAndNamed() throws {
        let maximum = 4_095
        let longestAllowed = "/0123456789abcdef/checkpoints/step-14/".utf8.count
        var deep = folder.path
        while deep.utf8.count < maximum - longestAllowed - 8 {
            let left = maximum - longestAllowed - 8 - deep.utf8.count
            deep += "/" + String(repeating: "d", count: max(1, min(200, left - 1)))
        }
        var sweep = sweep([configuration(seed: 1), configuration(seed: 2)], parallelism: 1)
        sweep.directory = deep
        sweep.runs[1].keepsWeights = false
        // Those that a busy machine gives the time for would be told of as well.
        sweep.checkpoints = CheckpointPolicy(seconds: 0)
        let witness = Witness()
        let result = try sweep.run(observer: witness, interruption: Interruption())
        #expect(result.reason.exitCode == .cannotWrite)
        let failed = try #require(result.failed.first)
        #expect(result.failed.count == 1 && failed.run.run.configuration.seed == 1)
        #expect(failed.cause.exitCode == .cannotWrite)
        #expect(result.reason.text.contains(failed.run.id))
        #expect(witness.told.count == 3, "\(witness.told)")
        #expect(result.runs[1].outcome?.end?.status == .completed)
        #expect(result.runs[1].directory.checkpoints.isEmpty)
    }

    @Test func whatIsNoneOfOursIsRefused() throws {
        let configurations = [configuration(seed: 1), configuration(seed: 2)]
        let sweep = sweep(configurations)
        #expect(throws: SweepError.duplicate(first: 0, second: 2)) {
            var twice = sweep
            twice.runs.append(twice.runs[0])
            return try twice.run(observer: Witness(), interruption: Interruption())
        }
        let path = sweep.runDirectory(of: configurations[1]).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let notes = URL(fileURLWithPath: path + "/notes.txt")
        try Data("mine".utf8).write(to: notes)
        let witness = Witness()
        let error = try #require(throws: RunDirectoryError.self) {
            try sweep.run(observer: witness, interruption: Interruption())
        }
        #expect(error.path == path && witness.endedIDs.isEmpty)
        #expect(try Data(contentsOf: notes) == Data("mine".utf8))
        // Foreign lines in the log of a run.
        try FileManager.default.moveItem(
            at: notes, to: URL(fileURLWithPath: path + "/metrics.jsonl"))
        try Data("mine\n".utf8).write(to: URL(fileURLWithPath: path + "/metrics.jsonl"))
        let broken = try #require(throws: MetricsError.self) {
            try sweep.run(observer: witness, interruption: Interruption())
        }
        #expect(broken.line == 1 && broken.path.hasPrefix(path))
    }

    @Test(arguments: [
        ("mine", "does not describe a sweep"),
        (#"{"format":"lockstep-sweep","format_version":7}"#, "version 7"),
    ])
    func aFileOfAnotherKindIsKept(text: String, words: String) throws {
        let sweep = sweep([configuration(seed: 1)])
        try FileManager.default.createDirectory(
            atPath: sweep.directory, withIntermediateDirectories: true)
        try folder.write(text, "sweep/sweep.json")
        let error = try #require(throws: RoleError.self) {
            try sweep.run(observer: Witness(), interruption: Interruption())
        }
        #expect(error.reason.exitCode == .mismatch && error.reason.text.contains(words))
        #expect(try folder.read("sweep/sweep.json") == Array(text.utf8))
    }

    @Test func stepLinesAreThinnedOut() throws {
        var sweep = sweep([configuration(seed: 1, batchSize: 10, epochs: 2)])
        sweep.stepLinesPerEpoch = 20
        let result = try sweep.run(observer: Witness(), interruption: Interruption())
        let outcome = try #require(result.outcomes.first)
        let file = try MetricsFile(reading: result.runs[0].directory.metricsPath)
        let steps = file.records.compactMap { record in
            if case .step(let step) = record { step.step } else { nil }
        }
        // 203 steps an epoch: every 11th.
        #expect(steps == Array(stride(from: 11, through: 406, by: 11)))
        #expect(outcome.epochs.count == 2 && outcome.epochs[0].examples == SmallDigits.trainCount)
        #expect(RunOutcome(file)?.saturation == outcome.saturation)
    }

    /// A session that loses its second run each time, and one that never begins.
    @Test func aClustersLostRunIsTriedOnceMore() throws {
        var sweep = sweep((1...3).map { configuration(seed: UInt64($0), epochs: $0 == 2 ? 2 : 1) })
        let sessions = Mutex<[Int]>([])
        sweep.cluster = Sweep.Cluster(
            placement: SessionPlacement(workers: 0),
            waitTimeoutMilliseconds: 1_000
        ) { request, observer, interruption in
            sessions.withLock { $0.append(request.runs.count) }
            guard request.runs.first?.configuration.seed == 2 else {
                return Roles.trainHere(request, observer: observer, interruption: interruption)
            }
            observer.runStarted(
                request.runs[0].configuration, directory: request.runs[0].directory)
            return SessionResult(outcomes: [], reason: StopReason(.lostPeer, "worker 1 is gone"))
        }
        let result = try sweep.run(observer: Witness(), interruption: Interruption())
        #expect(sessions.withLock { $0 } == [3, 3, 2])
        #expect(result.failed.map(\.run.run.configuration.seed) == [2])
        #expect(result.failed.first?.cause.text == "worker 1 is gone")
        #expect(result.outcomes.count == 2 && result.reason.exitCode == .lostPeer)
        sweep.cluster = Sweep.Cluster(
            placement: SessionPlacement(workers: 1),
            waitTimeoutMilliseconds: 1_000
        ) { _, _, _ in
            SessionResult(outcomes: [], reason: StopReason(.unavailable, "nobody came"))
        }
        let error = try #require(throws: RoleError.self) {
            try sweep.run(observer: Witness(), interruption: Interruption())
        }
        #expect(error.reason == StopReason(.unavailable, "nobody came"))
    }

    @Test func anEstimateGrowsWithTheWork() throws {
        let estimate = SweepEstimate(
            [configuration(seed: 1, epochs: 1), configuration(seed: 1, epochs: 10)],
            dataset: SmallDigits.dataset, kernels: .baseline)
        #expect(estimate.seconds.allSatisfy { $0 > 0 })
        #expect(abs(estimate.seconds[1] / estimate.seconds[0] - 10) < 1e-6)
        #expect(estimate.secondsForAll(parallelism: 2) == estimate.seconds[1])
        let one = estimate.secondsForAll(parallelism: 1)
        #expect(abs(one - estimate.seconds[0] - estimate.seconds[1]) < 1e-9)
    }
}
