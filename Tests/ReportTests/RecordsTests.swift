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

    /// Of runs that were trained beside others a report shows no seconds.
    @Test(arguments: [1, 2]) func secondsAreThoseOfRunsAlone(parallelism: Int) throws {
        let folder = try TemporaryFolder()
        var run = Samples.run("mse-tanh")
        run.machine = Machine(host: "alpha", cores: 2)
        var end = Samples.end(configuration: "mse-tanh", epochs: 1)
        end.parallelism = parallelism
        do {
            let log = try MetricsLog(
                creating: folder.path + "/metrics.jsonl", provenance: Samples.provenance)
            for record in [MetricsRecord.run(run), .epoch(Samples.epoch(1)), .end(end)] {
                try log.append(record)
            }
        }
        let runs = try RunCollection(folders: [folder.path]).runs
        let page = try RunsReport(runs).page
        let isAlone = parallelism == 1
        let machine = "alpha, 2 cores, \(isAlone ? "1 run" : "2 runs") at a time"
        let text = page.markdown
        #expect(text.contains(machine))
        #expect(text.contains("| 1.50 |") == isAlone && text.contains("| 412,346 |") == isAlone)
        let axes = page.charts.flatMap { chart -> [String] in
            if case .lines(let lines) = chart.kind { lines.xAxes.map(\.label) } else { [] }
        }
        #expect(axes.contains("seconds") == isAlone && axes.contains("steps"))
        let table = Comparison(runs.map(\.outcome)).table()
        #expect(table.contains(machine))
        #expect(table.contains("training time, s") == isAlone)
        #expect(table.contains("seconds to 95 %") == isAlone)
    }

    /// The layers of a run that ended within its first epoch lie where its accuracy does. An
    /// epoch's length is that of its own evaluations, else that of other runs on as many examples,
    /// and else nobody knows it.
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
            record(5, epoch: 4, [5, 4], [2, 5]),
        ]
        func scale(micro: Int = 16, batch: Int = 64, epoch: Int?) -> Double? {
            GradientNoise(
                records, microBatch: micro, examples: { $0.step == 5 ? 24 : batch },
                steps: { epoch == nil || $0.epoch == epoch }
            ).scale
        }
        // |g|² of 16 examples is 25 and of 64 examples 20.
        let signal = (64.0 * 20 - 16 * 25) / 48
        let noise = (25.0 - 20) / (1 / 16.0 - 1 / 64.0)
        #expect(abs(try #require(scale(epoch: 1)) - noise / signal) < 1e-9)
        // Of 50 and 40, and of 25 and 25: sums over both steps, then the ratio.
        let more = (64.0 * 40 - 16 * 50) / 48 + 25
        #expect(abs(try #require(scale(epoch: 2)) - 2 * noise / more) < 1e-9)
        // Leaves of 16 and 8 examples: 41 = 10/9 |G|² + tr Σ / 12 and 29 = |G|² + tr Σ / 24.
        let shortNoise = (41 - 10.0 / 9 * 29) / (1 / 12.0 - 10.0 / 9 / 24)
        let shortSignal = 29 - shortNoise / 24
        #expect(abs(try #require(scale(epoch: 4)) - shortNoise / shortSignal) < 1e-9)
        // Each weighs by its examples.
        let combined =
            (64 * 3 * noise + 24 * shortNoise) / (64 * (signal + more) + 24 * shortSignal)
        #expect(
            abs(try #require(scale(epoch: nil)) - combined) < 1e-9)
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
