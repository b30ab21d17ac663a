import Datasets
import Foundation
import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// How training scales with the global batch.
extension StudyReport {
    /// When the runs at one batch reached the primary target on the held-out examples.
    struct BatchTimes {
        let batchSize: Int
        /// By seed, in steps and in examples; a run that diverged never gets there.
        let steps: [UInt64: TimeToEvent]
        let examples: [UInt64: TimeToEvent]

        var reachedCount: Int { steps.values.count(where: \.isReached) }

        /// Nil where it falls on a run that did not get there.
        var medianSteps: Double? { Self.median(steps) }
        var medianExamples: Double? { Self.median(examples) }

        private static func median(_ times: [UInt64: TimeToEvent]) -> Double? {
            times.isEmpty ? nil : KaplanMeier(Array(times.values)).median
        }
    }

    /// The examples that every run may use, whatever its batch.
    var exampleBudget: Double {
        Double(
            study.plan.scale.epochs * (study.dataset.train.count - study.plan.validationExamples))
    }

    func batchTimes(_ preset: RunConfiguration.Preset) -> [BatchTimes] {
        results.scale.filter { $0.key.preset == preset }.map { point in
            var (steps, examples): ([UInt64: TimeToEvent], [UInt64: TimeToEvent]) = ([:], [:])
            for run in point.outcomes {
                let time = run.steps(to: Comparison.primaryThreshold, in: run.validationCurve)
                steps[run.run.seed] = time
                examples[run.run.seed] = TimeToEvent(
                    time.isReached ? Double(run.examples(atStep: Int(time.time))) : exampleBudget,
                    isReached: time.isReached)
            }
            return BatchTimes(batchSize: point.key.batchSize, steps: steps, examples: examples)
        }
    }

    func criticalBatch(_ preset: RunConfiguration.Preset) -> Double? {
        CriticalBatch(
            batchTimes(preset).compactMap { times in
                times.medianSteps.map { (batchSize: Double(times.batchSize), steps: $0) }
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
            let schedule = RunSchedule(
                configuration, trainingExampleCount: study.dataset.train.count)
            func scale(_ epoch: Int) -> Double? {
                GradientNoise(
                    log.records, microBatch: configuration.effectiveMicroBatch,
                    examples: { schedule.examples(of: Step($0.step - 1)).count },
                    steps: { $0.epoch == epoch }
                ).scale
            }
            if let value = scale(1) { first.append(value) }
            if let value = scale(newest) { last.append(value) }
        }
        return (Summary(first)?.mean, Summary(last)?.mean)
    }

    func scaleSection() throws -> ReportPage.Section {
        let outcomes = results.scale.flatMap(\.outcomes)
        let drawn = StudyPlan.scalePresets.flatMap(batchTimes)
        let censored = drawn.reduce(0) { $0 + $1.steps.count - $1.reachedCount }
        let source = try ChartSource(outcomes, censoredCount: censored)
        let percent = Self.percent(Comparison.primaryThreshold)
        return ReportPage.Section(
            "scale", title: "At scale",
            blocks: [
                .paragraph(budgetText), .paragraph(criticalText),
                .chart(
                    scaleChart(
                        "steps-to-accuracy", "Steps to \(percent)", "steps", source, \.steps,
                        \.medianSteps
                    ) { $0 * $1 / $2 }),
                .chart(
                    scaleChart(
                        "examples-to-accuracy", "Examples to \(percent)", "examples", source,
                        \.examples, \.medianExamples
                    ) { first, _, _ in first }),
                .table(scaleTable(try ChartSource(outcomes))),
                .table(efficiencyTable(try ChartSource(outcomes))),
            ])
    }

    private var budgetText: String {
        "Every run may use \(Figures.fixed(exampleBudget, 0)) examples, whatever its batch, and ends where "
            + "it reaches \(Self.percent(Comparison.primaryThreshold)) on held-out digits, which are read "
            + "every \(StudyPlan.mostStepsUnread) steps or "
            + "\(Figures.count(StudyPlan.mostExamplesUnread)) examples, whichever comes first. Its "
            + "learning rate is the fastest to that target with the worst of "
            + "\(Figures.plural(study.plan.scale.tuningSeeds, "other seed")); the grid is widened while the "
            + "best rate lies at its edge."
    }

    private func scaleChart(
        _ name: String, _ title: String, _ label: String, _ source: ChartSource,
        _ times: KeyPath<BatchTimes, [UInt64: TimeToEvent]>,
        _ median: KeyPath<BatchTimes, Double?>,
        _ ideal: (_ first: Double, _ from: Double, _ to: Double) -> Double
    ) -> Chart {
        let series = StudyPlan.scalePresets.map { preset in
            let points = batchTimes(preset)
            let seeds = Set(points.flatMap { $0[keyPath: times].keys }).sorted()
            return LineChart.Series(
                label: preset.rawValue,
                runs: seeds.map { seed in
                    LineChart.Run(
                        label: "seed \(seed)",
                        points: points.compactMap { point in
                            point[keyPath: times][seed].map {
                                LineChart.Point(
                                    x: [Double(point.batchSize)], y: $0.time,
                                    isCensored: !$0.isReached)
                            }
                        })
                }, colour: Self.colour(of: preset), hasMarkers: true)
        }
        let ideals = StudyPlan.scalePresets.compactMap { preset -> LineChart.Ideal? in
            let reached = batchTimes(preset).filter { $0[keyPath: median] != nil }
            guard let first = reached.first, let last = reached.last,
                let start = first[keyPath: median]
            else { return nil }
            let (from, to) = (Double(first.batchSize), Double(last.batchSize))
            return LineChart.Ideal(
                label: "perfect scaling",
                points: [
                    LineChart.Point(x: [from], y: start),
                    LineChart.Point(x: [to], y: ideal(start, from, to)),
                ])
        }
        let isNever = StudyPlan.scalePresets.flatMap(batchTimes).contains {
            $0[keyPath: median] == nil
        }
        return Chart(
            name: name, title: title,
            summary:
                "Medians and quartiles over the seeds, each batch at its own learning rate."
                + (isNever
                    ? " A line ends at the last batch whose median run gets there; hollow, at the top: it "
                        + "does not." : ""),
            source: source,
            kind: .lines(
                LineChart(
                    xAxes: [ChartAxis(label: "global batch", unit: .count, scale: .binary)],
                    yAxis: ChartAxis(label: label, unit: .count, scale: .logarithmic),
                    series: series, ideals: ideals,
                    never: "not reached within \(Figures.fixed(exampleBudget, 0)) examples")))
    }

    private var criticalText: String {
        let parts = StudyPlan.scalePresets.map { preset in
            "\(preset.rawValue): "
                + (criticalBatch(preset).map { Figures.count(Int($0.rounded())) }
                    ?? "cannot be fitted")
        }
        return
            "Below the critical batch a larger batch saves steps nearly in proportion, and above it little; "
            + "at it a run takes twice the fewest steps and twice the fewest examples. Fitted, in "
            + "examples, to the median steps to "
            + "\(Self.percent(Comparison.primaryThreshold)): \(parts.joined(separator: "; "))."
    }

    private func scaleTable(_ source: ChartSource) -> ReportTable {
        let rows = StudyPlan.scalePresets.flatMap { preset in
            let points = results.scale.filter { $0.key.preset == preset }
            return zip(points, batchTimes(preset)).map { point, times in
                ScaleRow(point: point, times: times, noise: noise(point))
            }
        }
        return ReportTable(
            name: "scale", title: "Every batch at its own learning rate", source: source, of: rows,
            columns: [
                .text("configuration") { $0.point.key.preset.rawValue },
                .count("batch_size", "batch") { $0.point.key.batchSize },
                .number("learning_rate", "learning rate", shown: { "\($0)" }) { $0.point.rate },
                .text("rate_place", "its place in the grid") { $0.point.place.text },
                .count("n", "runs") { $0.point.runs.count },
                .count("reached", "reached it") { $0.times.reachedCount },
                .fixed("median_steps", "steps, median", digits: 0) { $0.times.medianSteps },
                .fixed("median_examples", "examples, median", digits: 0) {
                    $0.times.medianExamples
                },
                .fixed("noise_first", "noise scale, first epoch", digits: 0) { $0.noise.first },
                .fixed("noise_last", "last epoch", digits: 0) { $0.noise.last },
            ],
            note:
                "A dash: the median run did not get there. The noise scale, in examples, is estimated in the "
                + "first and in the last epoch of each run and needs at least two micro-batches a step; a "
                + "mean over the runs."
        )
    }

    private struct ScaleRow {
        let point: Study.Tuned<Study.ScalePoint>
        let times: BatchTimes
        let noise: (first: Double?, last: Double?)
    }
}
