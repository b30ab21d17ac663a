import RunRecords
import Statistics
import TerminalText

/// The report on runs that are there, whatever started them.
package struct RunsReport {
    let groups: [RunGroup]
    /// What the charts show, of at most as many groups as can be told apart.
    let drawn: ArraySlice<RunGroup>
    let drawnSource: ChartSource
    let source: ChartSource
    private let title: String?
    let targets: [Double]
    private let notes: [String]

    /// The sections that another report may have more to say in.
    package static let findingsID = "findings"
    package static let runsID = "runs"

    /// - Throws: ``MixedDatasets`` for runs of two data sets.
    ///
    /// - Parameters:
    ///   - targets: the accuracies that convergence is timed at; nil for those that the runs call
    ///     for.
    ///   - notes: on what is not whole, or was left out.
    package init(
        _ runs: [RunCollection.Run], title: String? = nil, targets: [Double]? = nil,
        notes: [String] = []
    ) throws(MixedDatasets) {
        source = try ChartSource(runs.map(\.outcome))
        groups = RunGroup.groups(runs)
        drawn = groups.prefix(RunGroup.drawnCount)
        drawnSource = try ChartSource(drawn.flatMap(\.outcomes))
        self.title = title
        self.targets = targets ?? Comparison.thresholds(for: runs.map(\.outcome))
        self.notes = notes
    }

    package var page: ReportPage {
        let layers = layerSections
        return ReportPage(
            title: title ?? "How the runs on \(source.dataset) converged",
            summary: summary,
            sections: [curves, finals, thresholds] + layers + findings + [list(notes: notes)],
            runs: groups.flatMap(\.outcomes))
    }

    /// All of a few, else how many there are between which.
    private static func short(_ batches: [Int]) -> String {
        let texts = batches.map(Figures.count)
        guard batches.count > 8 else { return texts.joined(separator: ", ") }
        return "\(texts[0]) to \(texts[texts.count - 1]) (\(texts.count) sizes)"
    }

    private var summary: [String] {
        let count = groups.count
        let batches = Set(groups.flatMap(\.outcomes).compactMap(\.batchSize)).sorted()
        let opening =
            "\(Figures.plural(source.runCount, "run")) of \(Figures.plural(count, "configuration")) on "
            + "\(source.dataset) (SHA-256 \(Figures.shortHash(source.datasetSHA256)))"
            + (batches.isEmpty
                ? "" : ", batch size \(Self.short(batches))")
            + (source.runCount == 1 ? ". One run shows no scatter: n = 1." : ".")
        let best = groups.compactMap { group in
            Summary(group.completed.compactMap { $0.end?.testAccuracy }).map { (group, $0) }
        }.max { $0.1.mean < $1.1.mean }
        guard let best else { return [opening] + unfinished + ["No run completed."] }
        let interval = best.1.confidenceInterval(within: 0...1).map { interval in
            " (95 % interval \(percent(interval.lowerBound)) to \(percent(interval.upperBound)), "
                + "n = \(Figures.count(best.1.count)))"
        }
        let single = interval ?? " (n = 1)"
        return [opening] + unfinished + [
            "\(best.0.label) \(count > 1 ? "has the highest" : "reached a") final test accuracy"
                + "\(count > 1 ? ", " : " of ")\(percent(best.1.mean))\(single)."
        ]
    }

    /// Of a chart: what it leaves out, and what there is to say of it.
    func chartSummary(_ text: String = "") -> String {
        guard drawn.count < groups.count else { return text }
        let selection =
            "The \(drawn.count) of \(Figures.count(groups.count)) configurations with the highest "
            + "final test accuracies; --only SETTING=VALUE draws others."
        return text.isEmpty ? selection : "\(selection) \(text)"
    }

    private var unfinished: [String] {
        let runs = groups.flatMap(\.outcomes).filter { $0.end == nil }
        guard let first = runs.first else { return [] }
        return [
            runs.count == 1
                ? "One run is unfinished: its log has no end, and it is shown up to its last recorded "
                    + "step, \(Figures.count(first.steps))."
                : "\(Figures.count(runs.count)) runs are unfinished: their logs have no end, and they "
                    + "are shown up to their last recorded steps."
        ]
    }

    private func percent(_ share: Double) -> String { Figures.fixed(share * 100, 2) + " %" }

    // MARK: Curves

    private var curves: ReportPage.Section {
        ReportPage.Section(
            "convergence", title: "Convergence",
            blocks: [
                .chart(
                    curve(
                        "test-accuracy", "Test accuracy over training",
                        ChartAxis(label: "test accuracy", unit: .percent),
                        thresholds: targets.map { threshold in
                            LineChart.Threshold(
                                value: threshold, label: Figures.percent(threshold))
                        }, rankOfDiverged: -.infinity
                    ) { run in run.testCurve.map { ($0, $0.value) } }),
                .chart(
                    curve(
                        "train-loss", "Training loss over training",
                        ChartAxis(label: "training loss, logarithmic", scale: .logarithmic),
                        summary: lossSummary
                    ) { run in
                        run.epochs.map { epoch in
                            (
                                CurvePoint(
                                    step: epoch.step, epoch: Double(epoch.epoch),
                                    seconds: epoch.seconds, value: epoch.trainLoss),
                                epoch.trainLoss
                            )
                        }
                    }),
            ])
    }

    private var lossSummary: String {
        let losses = Set(drawn.compactMap { $0.outcomes.first?.run.settings["loss"] })
        return "Means over each epoch."
            + (losses.count > 1
                ? " Losses of two kinds have no common scale: compare their slopes, not their heights."
                : "")
    }

    private func curve(
        _ name: String, _ title: String, _ yAxis: ChartAxis,
        thresholds: [LineChart.Threshold] = [], summary: String = "",
        rankOfDiverged: Double? = nil,
        points: (RunOutcome) -> [(CurvePoint, Double)]
    ) -> Chart {
        let axes = TrainingAxes(groups.flatMap(\.outcomes))
        let series = drawn.map { group in
            LineChart.Series(
                label: group.label,
                runs: group.outcomes.map { run in
                    LineChart.Run(
                        of: run,
                        points: points(run).map { point, value in
                            LineChart.Point(x: axes.places(of: point, in: run), y: value)
                        })
                }, colour: group.colour, isTraining: true, rankOfDiverged: rankOfDiverged)
        }
        let shown = thresholds.filter { threshold in
            series.contains { $0.runs.contains { $0.points.contains { $0.y >= threshold.value } } }
        }
        return Chart(
            name: name, title: title, summary: chartSummary(summary), source: drawnSource,
            kind: .lines(
                LineChart(
                    xAxes: axes.axes, yAxis: yAxis, series: series, thresholds: shown)))
    }
}
