import Foundation
import Report
import RunRecords
import Statistics
import TestSupport
import Testing

/// What a report reads from logs.
@Suite struct RecordsTests {
    @Test func reportsTellOfGaps() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        do {
            let log = try MetricsLog(creating: path, provenance: Samples.provenance)
            for record: MetricsRecord in [
                .run(Samples.run()), .epoch(Samples.epoch(1)),
                .gap(GapRecord(firstStep: 1_200, lastStep: 3_400)), .end(Samples.end()),
            ] { try log.append(record) }
        }
        let notes = try RunCollection(folders: [folder.path]).notes
        #expect(notes.count == 1 && notes[0].contains("1,200 to 3,400"), "\(notes)")
    }

    /// The layers of a run that ended within its first epoch lie where its accuracy does. An epoch's
    /// length is that of its own evaluations, else that of other runs on as many examples, and
    /// else nobody knows it.
    @Test(arguments: [
        (true, false, 0.4), (false, true, 750 / 1_875.0), (true, true, 0.4), (false, false, .nan),
    ])
    func layersOfAnUnfinishedEpochLieWhereItsAccuracyDoes(
        isEvaluated: Bool, hasNeighbour: Bool, epoch: Double
    ) throws {
        let folder = try TemporaryFolder()
        func write(_ name: String, _ records: [MetricsRecord], hash: String) throws {
            let path = folder.path + "/" + name
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            var provenance = Samples.provenance
            provenance.configurationSHA256 = String(repeating: hash, count: 32)
            let log = try MetricsLog(creating: path + "/metrics.jsonl", provenance: provenance)
            for record in records { try log.append(record) }
            log.flush()
        }
        let evaluation = EvaluationRecord(
            step: 500, epoch: 500 / 1_875.0, split: .test, loss: 1, accuracy: 0.9, seconds: 1)
        try write(
            "short",
            [.run(Samples.run())] + (1...750).map { .step(Samples.step($0)) }
                + (isEvaluated ? [.evaluation(evaluation)] : []), hash: "c1")
        if hasNeighbour {
            try write("whole", [.run(Samples.run(seed: 2)), .epoch(Samples.epoch(1))], hash: "c2")
        }
        let runs = try RunCollection(folders: [folder.path]).runs
        let last = try #require(runs.first { $0.path.hasSuffix("short") }?.layers.last)
        #expect(last.step == 750)
        #expect(epoch.isNaN ? last.epoch.isNaN : abs(last.epoch - epoch) < 1e-12)
    }

    /// From the norms of a log, in the steps that are asked for and have both.
    @Test func noiseScaleOfALog() throws {
        func record(_ step: Int, epoch: Int, _ leaves: [Float], _ batch: [Float]) -> MetricsRecord {
            .step(
                StepRecord(
                    step: step, epoch: epoch, loss: 1, accuracy: 0, learningRate: 1,
                    gradientNorms: leaves, batchGradientNorms: batch, saturation: []))
        }
        let records = [
            record(1, epoch: 1, [3, 4], [2, 4]), record(2, epoch: 1, [6, 8], []),
            record(3, epoch: 2, [5, 5], [6, 2]), record(4, epoch: 2, [5, 0], [3, 4]),
        ]
        func scale(micro: Int = 16, batch: Int = 64, epoch: Int?) -> Double? {
            GradientNoise(records, microBatch: micro, batchSize: batch) {
                epoch == nil || $0.epoch == epoch
            }.scale
        }
        // |g|² of 16 examples is 25 and of 64 examples 20.
        let signal = (64.0 * 20 - 16 * 25) / 48
        let noise = (25.0 - 20) / (1 / 16.0 - 1 / 64.0)
        #expect(abs(try #require(scale(epoch: 1)) - noise / signal) < 1e-9)
        // Of 50 and 40, and of 25 and 25: sums over both steps, then the ratio.
        let more = (64.0 * 40 - 16 * 50) / 48 + 25
        #expect(abs(try #require(scale(epoch: 2)) - 2 * noise / more) < 1e-9)
        #expect(
            abs(try #require(scale(epoch: nil)) - 3 * noise / (signal + more)) < 1e-9)
        #expect(scale(epoch: 3) == nil)
        // One micro-batch a step has no second size.
        #expect(scale(micro: 64, epoch: 1) == nil)
    }

    @Test func epochLine() {
        #expect(
            Samples.epoch(3).line(epochs: 10, examplesPerSecond: 412_345)
                == "epoch  3/10  train loss 0.25000 acc 93.00 %  test loss 0.12500 acc 96.00 %"
                + "  412,345 ex/s")
    }
}
