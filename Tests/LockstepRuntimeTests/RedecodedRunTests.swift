import LockstepRuntime
import RunRecords
import TestSupport
import Testing
import TrainingPlan

/// Runs that differ only in how their outputs are decoded.
@Suite struct RedecodedRunTests {
    private static let plain = RunConfiguration(preset: .mseTanh)
    private static let rescaled = RunConfiguration(preset: .mseTanhRescaled)

    @Test func weightsAreSharedWhereOnlyTheDecodingDiffers() {
        func isShared(_ change: (inout RunConfiguration) -> Void) -> Bool {
            var (run, other) = (Self.rescaled, Self.plain)
            change(&other)
            // What both have in common stays so.
            run.targetAccuracy = other.targetAccuracy
            return RedecodedRun.sources(of: [other, run]) == [1: 0]
        }
        #expect(isShared { _ in })
        #expect(isShared { $0.name = "custom" })
        #expect(!isShared { $0.seed = 2 })
        #expect(!isShared { $0.architecture.loss = .crossEntropy })
        #expect(!isShared { $0.architecture.decoding = .rescaled })
        // Decisions say when such a run ends.
        #expect(!isShared { $0.targetAccuracy = 0.9 })
    }

    /// A log in which the two decodings decide differently, so that none passes for the other.
    @Test func recordsFollowFromThoseOfTheOtherRun() throws {
        let folder = try TemporaryFolder()
        let dataset = SmallDigits.dataset
        let source = RunDirectory(path: folder.path("source"))
        let directory = RunDirectory(path: folder.path("redecoded"))
        for path in [source.path, directory.path] { try Files.makeFolders(path) }
        let provenance = Self.plain.provenance(dataset: dataset)
        var run = Samples.run("mse-tanh")
        run.settings = Self.plain.settings
        let step = Samples.step(1)
        var evaluation = EvaluationRecord(
            step: 1, epoch: 0.5, split: .validation, loss: 0.1, accuracy: 0.8,
            otherDecodingAccuracy: 0.7, seconds: 1)
        var epoch = EpochRecord(
            epoch: 1, step: 2, examples: 64, seconds: 2, trainLoss: 0.2, trainAccuracy: 0.5,
            testLoss: 0.3, testAccuracy: 0.9, otherDecodingTestAccuracy: 0.85, weightsSHA256: "ab")
        var end = EndRecord(
            status: .completed, configuration: "mse-tanh", provenance: provenance, seed: 1,
            placement: run.placement, batchSize: 32, steps: 2, epochs: 1, testAccuracy: 0.9,
            testLoss: 0.3, seconds: 2, examplesPerSecond: 32, weightsSHA256: "ab",
            otherDecodingTestAccuracy: 0.85)
        do {
            let log = try MetricsLog(creating: source.metricsPath, provenance: provenance)
            for record in [
                MetricsRecord.run(run), .step(step), .evaluation(evaluation), .epoch(epoch),
                .end(end),
            ] { try log.append(record) }
        }
        #expect(try RedecodedRun.isRecorded(in: source))

        let outcome = try RedecodedRun(Self.rescaled, directory: directory)
            .write(from: source, dataset: dataset)
        let log = try MetricsFile(reading: directory.metricsPath)
        #expect(log.provenance == Self.rescaled.provenance(dataset: dataset))
        #expect(outcome.end == RunOutcome(log)?.end)

        run.configuration = "mse-tanh-rescaled"
        run.settings = Self.rescaled.settings
        (evaluation.accuracy, evaluation.otherDecodingAccuracy) = (0.7, 0.8)
        (epoch.testAccuracy, epoch.otherDecodingTestAccuracy) = (0.85, 0.9)
        end.configuration = "mse-tanh-rescaled"
        end.weightsFrom = provenance.configurationSHA256
        end.configurationSHA256 = Self.rescaled.sha256(dataset: dataset)
        (end.testAccuracy, end.otherDecodingTestAccuracy) = (0.85, 0.9)
        // What was not measured equals nothing, itself included: it is looked at and set back.
        let found = log.records.map { record in
            switch record {
            case .step(var found):
                #expect(found.accuracy.isNaN)
                found.accuracy = step.accuracy
                return MetricsRecord.step(found)
            case .epoch(var found):
                #expect(found.trainAccuracy.isNaN)
                found.trainAccuracy = epoch.trainAccuracy
                return .epoch(found)
            case .run, .evaluation, .gap, .end: return record
            }
        }
        #expect(
            found == [.run(run), .step(step), .evaluation(evaluation), .epoch(epoch), .end(end)])
    }

    @Test func logsOfEarlierVersionsDoNotTellTheOtherAccuracy() throws {
        let folder = try TemporaryFolder()
        let log = try MetricsLog(
            creating: folder.path + "/metrics.jsonl", provenance: Samples.provenance)
        for record in [MetricsRecord.run(Samples.run()), .epoch(Samples.epoch(1))] {
            try log.append(record)
        }
        #expect(try !RedecodedRun.isRecorded(in: RunDirectory(path: folder.path)))
    }
}
