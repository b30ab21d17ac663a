import Formats
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

/// Runs in this process: what is recorded, and what people are told.
@Suite struct TrainHereTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Notes what it is told.
    private final class Witness: SessionObserver {
        private let lines = Mutex<[String]>([])
        /// Called at the end of each epoch.
        private let atEpochEnd: @Sendable (EpochRecord) -> Void

        init(atEpochEnd: @escaping @Sendable (EpochRecord) -> Void = { _ in }) {
            self.atEpochEnd = atEpochEnd
        }

        var told: [String] { lines.withLock { $0 } }

        private func note(_ line: String) { lines.withLock { $0.append(line) } }

        func notice(_ text: String) { note("notice") }
        func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {
            note("started \(configuration.seed)")
        }
        func progress(_ progress: RunProgress) {}
        func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {
            note("epoch \(record.epoch) of \(epochs)")
            atEpochEnd(record)
        }
        func runEnded(_ outcome: RunOutcome) {
            note("ended \(outcome.end?.status.rawValue ?? "without a record")")
        }
    }

    private func plannedRun(seed: UInt64) throws -> PlannedRun {
        var configuration = RunConfiguration(preset: .ceSoftmax)
        configuration.architecture.layers = [784, 16, 10]
        configuration.batchSize = 300
        configuration.epochs = 2
        configuration.seed = seed
        return PlannedRun(
            configuration,
            directory: try RunDirectory.fresh(
                in: folder.path, configuration: configuration.name, seed: seed))
    }

    private func train(
        _ runs: [PlannedRun], _ witness: Witness, _ interruption: Interruption = Interruption()
    ) -> SessionResult {
        Roles.trainHere(
            SessionRequest(
                runs: runs, dataset: SmallDigits.dataset,
                placement: SessionPlacement(workers: 0), kernels: .baseline,
                waitTimeoutMilliseconds: 1_000), observer: witness, interruption: interruption)
    }

    @Test func tellsAndRecordsRunAfterRun() throws {
        let runs = try [plannedRun(seed: 1), plannedRun(seed: 2)]
        let witness = Witness()
        let result = train(runs, witness)
        #expect(result.reason.exitCode == .success)
        #expect(
            witness.told
                == [1, 2].flatMap { seed in
                    ["started \(seed)", "epoch 1 of 2", "epoch 2 of 2", "ended completed"]
                })
        for (run, outcome) in zip(runs, result.outcomes) {
            let file = try MetricsFile(reading: run.directory.metricsPath)
            // The log gives the start in whole seconds.
            let logged = try #require(RunOutcome(file))
            #expect(logged.end != nil && logged.end == outcome.end)
            #expect(logged.epochs.count == 2 && logged.epochs == outcome.epochs)
            #expect(logged.saturation == outcome.saturation)
        }
        #expect(
            result.outcomes[0].end?.weightsSHA256 != result.outcomes[1].end?.weightsSHA256)
    }

    /// Keras' way: an epoch's train figures are means over its steps as they came, each example
    /// alike.
    @Test func epochFiguresAreRunningMeans() throws {
        let run = try plannedRun(seed: 1)
        _ = train([run], Witness())
        var losses = 0.0
        var correct = 0.0
        var examples = 0
        var epochs = 0
        // Six full batches and a last one of 230.
        let sizes = [300, 300, 300, 300, 300, 300, 230]
        for record in try MetricsFile(reading: run.directory.metricsPath).records {
            switch record {
            case .step(let step):
                let size = sizes[(step.step - 1) % sizes.count]
                losses += Double(step.loss) * Double(size)
                correct += Double(step.accuracy) * Double(size)
                examples += size
                #expect(step.gradientNorms.count == 2 && step.gradientNorms.allSatisfy { $0 > 0 })
                // The mean of vectors is no longer than the root mean square of their lengths.
                #expect(step.batchGradientNorms.count == 2)
                for (batch, leaves) in zip(step.batchGradientNorms, step.gradientNorms) {
                    #expect(batch > 0 && batch <= leaves * 1.000_1)
                }
                #expect(step.saturation.allSatisfy { 0...1 ~= $0 })
            case .epoch(let epoch):
                epochs += 1
                #expect(epoch.examples == examples && examples == SmallDigits.trainCount)
                #expect(abs(epoch.trainLoss - losses / Double(examples)) < 1e-5)
                #expect(abs(epoch.trainAccuracy - correct / Double(examples)) < 1e-6)
                losses = 0
                correct = 0
                examples = 0
            case .run, .evaluation, .gap, .end: continue
            }
        }
        #expect(epochs == 2)
    }

    /// What is done is kept, and what has not begun does not begin.
    @Test func anInterruptionEndsTheSession() throws {
        let runs = try [plannedRun(seed: 1), plannedRun(seed: 2)]
        let interruption = Interruption()
        let witness = Witness { _ in
            interruption.request(StopReason(.interrupted, "enough"))
            // The first reason counts.
            interruption.request(StopReason(.terminated, "too late"))
        }
        let result = train(runs, witness, interruption)
        #expect(result.reason == StopReason(.interrupted, "enough"))
        #expect(witness.told == ["started 1", "epoch 1 of 2", "ended interrupted"])
        let end = try #require(result.outcomes.first?.end)
        #expect(result.outcomes.count == 1)
        #expect(end.status == .interrupted && end.cause == "enough")
        #expect(end.steps == 7 && end.epochs == 1)
        let weights = try Safetensors(
            reading: runs[0].directory.checkpointPath(step: 7) + "/model.safetensors")
        #expect(weights.metadata["weights_sha256"] == end.weightsSHA256)
        #expect(weights.metadata["status"] == "interrupted")
    }

    @Test func aLogOfAnotherRunIsNotTouched() throws {
        let run = try plannedRun(seed: 1)
        let url = URL(fileURLWithPath: run.directory.metricsPath)
        try Data("mine".utf8).write(to: url)
        let result = train([run], Witness())
        #expect(result.reason.exitCode == .cannotWrite)
        #expect(result.reason.text.contains(run.directory.metricsPath))
        #expect(result.outcomes.isEmpty)
        #expect(try Data(contentsOf: url) == Data("mine".utf8))
    }
}
