import Foundation
import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// How training scales with the global batch.
extension StudyReport {
    /// The threshold that is drawn; the table has all.
    private static let drawnThreshold = 0.96

    /// Steps at a batch to a threshold on the held-out examples, over the seeds.
    struct Crossings {
        let batchSize: Int
        /// By run: steps, and whether the threshold was reached.
        let steps: [(value: Double, isReached: Bool)]

        var reachedCount: Int { steps.count(where: \.isReached) }

        /// Nil where it falls on a run that did not reach the threshold.
        var median: Double? {
            Quantiles.median(steps.filter(\.isReached).map(\.value), of: steps.count)
        }
    }

    func crossings(
        _ preset: RunConfiguration.Preset, threshold: Double
    ) -> [Crossings] {
        results.scale.filter { $0.key.preset == preset }.map { point in
            Crossings(
                batchSize: point.key.batchSize,
                steps: point.outcomes.map { run in
                    guard let crossing = Crossing(of: threshold, in: run.validationCurve) else {
                        return (Double(run.end?.steps ?? 0), false)
                    }
                    return (Double(crossing.point.step), crossing.isReached)
                })
        }
    }

    func criticalBatch(_ preset: RunConfiguration.Preset, threshold: Double) -> Double? {
        CriticalBatch(
            crossings(preset, threshold: threshold).compactMap { crossing in
                crossing.median.map { (batchSize: Double(crossing.batchSize), steps: $0) }
            })?.batchSize
    }

    /// The noise scale over the first and the last epoch of a point's runs.
    private func noise(_ point: Study.Tuned<Study.ScalePoint>) -> (first: Double?, last: Double?) {
        var (first, last): ([Double], [Double]) = ([], [])
        for run in point.runs {
            guard let log = try? MetricsFile(reading: run.directory.metricsPath) else { continue }
            let epochs = log.records.compactMap { record in
                if case .step(let step) = record { step.epoch } else { nil }
            }
            guard let newest = epochs.max() else { continue }
            let configuration = run.run.configuration
            func scale(_ epoch: Int) -> Double? {
                GradientNoise(
                    log.records, microBatch: configuration.effectiveMicroBatch,
                    batchSize: configuration.batchSize
                ) { $0.epoch == epoch }.scale
            }
            if let value = scale(1) { first.append(value) }
            if let value = scale(newest) { last.append(value) }
        }
        return (Summary(first)?.mean, Summary(last)?.mean)
    }

    func scaleSection() throws -> ReportPage.Section {
        let outcomes = results.scale.flatMap(\.outcomes)
        let drawn = StudyPlan.scalePresets.flatMap {
            crossings($0, threshold: Self.drawnThreshold)
        }
        let censored = drawn.reduce(0) { $0 + $1.steps.count - $1.reachedCount }
        let source = try ChartSource(outcomes, censoredCount: censored)
        let percent = Figures.fixed(Self.drawnThreshold * 100, 0)
        func chart(
            _ name: String, _ title: String, _ label: String, factor: (Double) -> Double,
            _ ideal: (_ first: Double, _ from: Double, _ to: Double) -> Double
        ) -> Chart {
            let series = StudyPlan.scalePresets.map { preset in
                let points = crossings(preset, threshold: Self.drawnThreshold)
                let seeds = points.map(\.steps.count).max() ?? 0
                return LineChart.Series(
                    label: preset.rawValue,
                    runs: (0..<seeds).map { seed in
                        LineChart.Run(
                            label: "seed \(seed + 1)",
                            points: points.filter { seed < $0.steps.count }.map { point in
                                let batch = Double(point.batchSize)
                                return LineChart.Point(
                                    x: [batch], y: point.steps[seed].value * factor(batch),
                                    isCensored: !point.steps[seed].isReached)
                            })
                    }, colour: Self.colour(of: preset), hasMarkers: true)
            }
            let ideals = StudyPlan.scalePresets.compactMap { preset -> LineChart.Ideal? in
                let points = crossings(preset, threshold: Self.drawnThreshold)
                guard let first = points.first(where: { $0.median != nil }),
                    let median = first.median, let last = points.last
                else { return nil }
                let (from, to) = (Double(first.batchSize), Double(last.batchSize))
                let start = median * factor(from)
                return LineChart.Ideal(
                    label: "perfect scaling",
                    points: [
                        LineChart.Point(x: [from], y: start),
                        LineChart.Point(x: [to], y: ideal(start, from, to)),
                    ])
            }
            return Chart(
                name: name, title: title,
                summary:
                    "Learning rates are chosen at each point; the accuracy is read on held-out training "
                    + "examples."
                    + (censored == 0
                        ? ""
                        : " Hollow, with an arrow: the median run ended without it, and would take more."),
                source: source,
                kind: .lines(
                    LineChart(
                        xAxes: [ChartAxis(label: "global batch", unit: .count, scale: .binary)],
                        yAxis: ChartAxis(label: label, unit: .count, scale: .logarithmic),
                        series: series, ideals: ideals)))
        }
        return ReportPage.Section(
            "scale", title: "At scale",
            blocks: [
                .paragraph(criticalText),
                .chart(
                    chart(
                        "steps-to-accuracy", "Steps to \(percent) %", "steps", factor: { _ in 1 }
                    ) { $0 * $1 / $2 }),
                .chart(
                    chart(
                        "examples-to-accuracy", "Examples to \(percent) %", "examples",
                        factor: { $0 }
                    ) { first, _, _ in first }),
                .table(scaleTable(try ChartSource(outcomes))),
            ])
    }

    private var criticalText: String {
        let parts = StudyPlan.scalePresets.map { preset in
            let batch = criticalBatch(preset, threshold: Self.drawnThreshold)
            return "\(preset.rawValue): "
                + (batch.map { Figures.count(Int($0.rounded())) } ?? "cannot be fitted")
        }
        return
            "Below the critical batch a larger batch saves steps nearly in proportion, and above it little; "
            + "at it a run takes twice the fewest steps and twice the fewest examples. Fitted, in "
            + "examples, to the median steps to "
            + "\(Figures.fixed(Self.drawnThreshold * 100, 0)) %: \(parts.joined(separator: "; "))."
    }

    private func scaleTable(_ source: ChartSource) -> ReportTable {
        let rows = StudyPlan.scalePresets.flatMap { preset in
            let byThreshold = Comparison.thresholds.map { crossings(preset, threshold: $0) }
            return results.scale.filter { $0.key.preset == preset }.enumerated().map {
                index, point in
                ScaleRow(
                    point: point, medianSteps: byThreshold.map { $0[index].median },
                    noise: noise(point))
            }
        }
        let steps = Comparison.thresholds.enumerated().map { index, threshold in
            let percent = Figures.fixed(threshold * 100, 0)
            return ReportTable.Column<ScaleRow>.fixed(
                "steps_to_\(percent)", "steps to \(percent) %, median", digits: 0
            ) { $0.medianSteps[index] }
        }
        return ReportTable(
            name: "scale", title: "Every batch at its own learning rate", source: source, of: rows,
            columns: [
                .text("configuration") { $0.point.key.preset.rawValue },
                .count("batch_size", "batch") { $0.point.key.batchSize },
                .number("learning_rate", "learning rate", shown: { "\($0)" }) { $0.point.rate },
                .count("n", "runs") { $0.point.runs.count },
            ] + steps + [
                .fixed("noise_first", "noise scale, first epoch", digits: 0) { $0.noise.first },
                .fixed("noise_last", "last epoch", digits: 0) { $0.noise.last },
                .percent("mean_test_accuracy", "test accuracy at the end, mean") {
                    $0.point.accuracy?.mean
                },
                .percent("least_test_accuracy", "least") { $0.point.accuracy?.minimum },
            ],
            note:
                "A dash: the median run did not reach it. The noise scale, in examples, is estimated in the "
                + "first and in the last epoch of each run and needs at least two micro-batches a step; a "
                + "mean over the runs. A run ends where it reaches 97 % on the held-out examples."
        )
    }

    private struct ScaleRow {
        let point: Study.Tuned<Study.ScalePoint>
        let medianSteps: [Double?]
        let noise: (first: Double?, last: Double?)
    }
}
