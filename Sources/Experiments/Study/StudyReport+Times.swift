import Datasets
import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// How many steps the presets take to a target at their defaults.
extension StudyReport {
    /// The steps that each run may take.
    private var timesHorizon: Double {
        guard let run = study.plan.timeRuns.first else { return 0 }
        return Double(
            RunSchedule(run, trainingExampleCount: study.dataset.train.count).totalSteps)
    }

    private func outcomes(_ preset: RunConfiguration.Preset) -> [RunOutcome] {
        results.times.compactMap(\.outcome).filter { $0.run.configuration == preset.rawValue }
    }

    private func times(
        _ preset: RunConfiguration.Preset, _ target: Double
    ) -> [UInt64: TimeToEvent] {
        outcomes(preset).reduce(into: [:]) {
            $0[$1.run.seed] = $1.steps(to: target, in: $1.validationCurve)
        }
    }

    private func compared(_ target: Double) -> TargetComparison {
        TargetComparison(
            times(.mseTanh, target), times(.ceSoftmax, target), horizon: timesHorizon)
    }

    var slowness: Finding {
        let comparison = compared(Comparison.primaryThreshold)
        return Finding(
            claim: "MSE with tanh converges more slowly", effect: comparison.effect,
            evidence: "Steps to \(Self.percent(Comparison.primaryThreshold)) on held-out digits: "
                + comparison.evidence("mse-tanh", "ce-softmax"))
    }

    static func percent(_ threshold: Double) -> String {
        "\(Figures.fixed(threshold * 100, 0)) %"
    }

    func timesSection() throws -> ReportPage.Section {
        let all = results.times.compactMap(\.outcome)
        let target = Comparison.primaryThreshold
        let counts = StudyPlan.scalePresets.flatMap { times($0, target).values }
        let source = try ChartSource(all, censoredCount: counts.count { !$0.isReached })
        let series = StudyPlan.scalePresets.compactMap { preset -> LineChart.Series? in
            let times = times(preset, target).values.map { $0.restricted(to: timesHorizon) }
            guard !times.isEmpty else { return nil }
            return .reached(
                KaplanMeier(times), label: preset.rawValue, until: timesHorizon,
                colour: Self.colour(of: preset))
        }
        let steps = Figures.fixed(timesHorizon, 0)
        return ReportPage.Section(
            "time-to-target", title: "Time to a target",
            blocks: [
                .paragraph(
                    "The presets at their defaults, with "
                        + "\(Figures.count(study.plan.validationExamples)) training examples held out, on "
                        + "which the accuracy is read every "
                        + "\(Figures.plural(StudyPlan.readingInterval(batchSize: 32), "step")); at most "
                        + "\(steps) steps. A run that does not get there, or diverges, is censored and "
                        + "never dropped."),
                .chart(
                    Chart(
                        name: "time-to-target",
                        title: "Runs that have reached \(Self.percent(target)) on held-out digits",
                        summary:
                            "Kaplan–Meier estimates with pointwise 95 % bands.", source: source,
                        kind: .lines(
                            LineChart(
                                xAxes: [.steps],
                                yAxis: ChartAxis(
                                    label: "runs that have reached it", unit: .percent,
                                    range: 0...1),
                                series: series)))),
                .table(timesTable(try ChartSource(all))), .table(ratioTable(try ChartSource(all))),
            ])
    }

    private struct TimesRow {
        let preset: RunConfiguration.Preset
        let target: Double
        let outcomes: [RunOutcome]
        let times: [TimeToEvent]
        let mean: Bootstrap
        let horizon: Double
    }

    private func timesTable(_ source: ChartSource) -> ReportTable {
        let rows = StudyPlan.scalePresets.flatMap { preset in
            Comparison.thresholds.compactMap { target -> TimesRow? in
                let found = times(preset, target).sorted { $0.key < $1.key }
                let times = found.map { $0.value.restricted(to: timesHorizon) }
                guard !times.isEmpty else { return nil }
                return TimesRow(
                    preset: preset, target: target, outcomes: outcomes(preset), times: times,
                    mean: Bootstrap(unitCount: times.count) { places in
                        KaplanMeier(places.map { times[$0] }).restrictedMean(to: timesHorizon)
                    }, horizon: timesHorizon)
            }
        }
        return ReportTable(
            name: "times", title: "Steps to a target on held-out digits", source: source, of: rows,
            columns: [
                .text("configuration") { $0.preset.rawValue },
                .percent("target", digits: 0) { $0.target },
                .count("n", "runs") { $0.times.count },
                .count("reached", "reached it") { $0.times.count(where: \.isReached) },
                .count("diverged") { $0.outcomes.count { $0.end?.status == .diverged } },
                .fixed("median_steps", "steps, median", digits: 0) { KaplanMeier($0.times).median },
                .fixed("restricted_mean_steps", "restricted mean", digits: 0) { $0.mean.estimate },
                .fixed("low", "95 % interval from", digits: 0) { $0.mean.interval?.lowerBound },
                .fixed("high", "to", digits: 0) { $0.mean.interval?.upperBound },
            ],
            note:
                "The restricted mean counts a run that does not get there with the "
                + "\(Figures.fixed(timesHorizon, 0)) steps that it had. Bootstrap intervals over seeds; "
                + "none around a constant, and none from fewer than \(Bootstrap.fewestUnits) seeds. A dash "
                + "for the median: half of the runs or more do not get there.")
    }

    private func ratioTable(_ source: ChartSource) -> ReportTable {
        let rows = Comparison.thresholds.map { target in
            let comparison = compared(target)
            return (
                target: target, comparison: comparison, ratio: comparison.ratio(),
                logRank: comparison.logRank
            )
        }
        return ReportTable(
            name: "time-ratios", title: "Steps of mse-tanh, as a multiple of those of ce-softmax",
            source: source, of: rows,
            columns: [
                .percent("target", digits: 0) { $0.target },
                .count("pairs", "pairs of runs") { $0.comparison.pairCount },
                .fixed("ratio", "ratio of restricted means", digits: 2) { $0.ratio?.estimate },
                .fixed("low", "95 % interval from", digits: 2) {
                    $0.ratio?.interval?.lowerBound
                },
                .fixed("high", "to", digits: 2) { $0.ratio?.interval?.upperBound },
                .text("bound", "the ratio is") { $0.comparison.bound.rawValue },
                .fixed("log_rank_chi_square", "log-rank χ²", digits: 1) { $0.logRank.chiSquare },
                .number("log_rank_p", "its p", shown: Self.pText) { $0.logRank.pValue },
            ],
            note:
                "Paired by seed: bootstrap over the seeds, log-rank test stratified by seed. The first "
                + "target is the plan's; the others are beside it.")
    }
}
