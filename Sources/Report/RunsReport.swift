import RunRecords
import Statistics
import TerminalText

/// The report on runs that are there, whatever started them.
package struct RunsReport {
    private let groups: [RunGroup]
    private let source: ChartSource
    private let title: String?
    private let targets: [Double]

    /// The sections that another report may have more to say in.
    package static let findingsID = "findings"
    package static let runsID = "runs"

    /// - Throws: ``MixedDatasets`` for runs of two data sets.
    ///
    /// - Parameter targets: the accuracies that convergence is timed at; nil for those that the
    ///   runs call for.
    package init(
        _ runs: [RunCollection.Run], title: String? = nil, targets: [Double]? = nil
    ) throws(MixedDatasets) {
        source = try ChartSource(runs.map(\.outcome))
        groups = RunGroup.groups(runs)
        self.title = title
        self.targets = targets ?? Comparison.thresholds(for: runs.map(\.outcome))
    }

    package var page: ReportPage {
        let layers = layerSections
        return ReportPage(
            title: title ?? "How the runs on \(source.dataset) converged",
            summary: summary,
            sections: [curves, finals, thresholds] + layers + findings + [list],
            runs: groups.flatMap(\.outcomes))
    }

    private var summary: [String] {
        let count = groups.count
        let batches = Set(groups.flatMap(\.outcomes).compactMap(\.batchSize)).sorted()
        let opening =
            "\(Figures.plural(source.runCount, "run")) of \(Figures.plural(count, "configuration")) on "
            + "\(source.dataset) (SHA-256 \(Figures.shortHash(source.datasetSHA256)))"
            + (batches.isEmpty
                ? "" : ", batch size \(batches.map(Figures.count).joined(separator: ", "))")
            + (source.runCount == 1 ? ". One run shows no scatter: n = 1." : ".")
        let best = groups.compactMap { group in
            Summary(group.completed.compactMap { $0.end?.testAccuracy }).map { (group, $0) }
        }.max { $0.1.mean < $1.1.mean }
        guard let best else { return [opening, "No run completed."] }
        let interval = best.1.confidenceInterval(within: 0...1).map { interval in
            " (95 % interval \(percent(interval.lowerBound)) to \(percent(interval.upperBound)), "
                + "n = \(Figures.count(best.1.count)))"
        }
        let single = interval ?? " (n = 1)"
        return [
            opening,
            "\(best.0.label) \(count > 1 ? "has the highest" : "reached a") final test accuracy"
                + "\(count > 1 ? ", " : " of ")\(percent(best.1.mean))\(single).",
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
        let losses = Set(groups.compactMap { $0.outcomes.first?.run.settings["loss"] })
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
        let series = groups.map { group in
            LineChart.Series(
                label: group.label,
                runs: group.outcomes.map { run in
                    LineChart.Run(
                        label: "seed \(run.run.seed)",
                        points: points(run).map { point, value in
                            LineChart.Point(x: axes.places(of: point, in: run), y: value)
                        }, isDiverged: run.end?.status == .diverged)
                }, colour: group.colour, isTraining: true, rankOfDiverged: rankOfDiverged)
        }
        let shown = thresholds.filter { threshold in
            series.contains { $0.runs.contains { $0.points.contains { $0.y >= threshold.value } } }
        }
        return Chart(
            name: name, title: title, summary: summary, source: source,
            kind: .lines(
                LineChart(
                    xAxes: axes.axes, yAxis: yAxis, series: series, thresholds: shown)))
    }

    // MARK: Final figures

    private var finals: ReportPage.Section {
        let bars = groups.map { group in
            let values = group.completed.compactMap { $0.end?.testAccuracy }
            let summary = Summary(values)
            return BarChart.Bar(
                label: group.label, value: summary?.mean ?? .nan,
                interval: summary?.confidenceInterval(within: 0...1),
                runs: values.count > 1 ? values : [],
                colour: group.colour)
        }
        let rows = groups.map { group in
            let ends = group.completed.compactMap(\.end)
            return (
                group: group, accuracy: Summary(ends.map(\.testAccuracy)),
                interval: Summary(ends.map(\.testAccuracy))?.confidenceInterval(within: 0...1),
                loss: Summary(ends.map(\.testLoss))
            )
        }
        let table = ReportTable(
            name: "final", title: "Final test accuracy and loss, completed runs", source: source,
            of: rows,
            columns: [
                .text("configuration") { $0.group.label },
                .count("n", "runs") { $0.group.runs.count },
                .count("completed") { $0.group.completed.count },
                .percent("mean_test_accuracy", "mean") { $0.accuracy?.mean },
                .percent("standard_deviation", "deviation") { $0.accuracy?.standardDeviation },
                .percent("low", "95 % from") { $0.interval?.lowerBound },
                .percent("high", "to") { $0.interval?.upperBound },
                .percent("minimum", "least") { $0.accuracy?.minimum },
                .percent("maximum", "most") { $0.accuracy?.maximum },
                .fixed("mean_test_loss", "test loss", digits: 5) { $0.loss?.mean },
            ],
            note:
                "Intervals are Student's, over seeds. Diverged and interrupted runs count among the runs "
                + "and not in the means.")
        return ReportPage.Section(
            "final", title: "Final accuracy",
            blocks: [
                .chart(
                    Chart(
                        name: "final-accuracy", title: "Final test accuracy", source: source,
                        kind: .bars(
                            BarChart(
                                axis: ChartAxis(label: "test accuracy", unit: .percent),
                                bars: bars,
                                legend: "mean with its 95 % interval, and single runs")))),
                .table(table),
            ])
    }

    // MARK: Thresholds

    private var thresholds: ReportPage.Section {
        let rows = groups.flatMap { group in
            targets.map { TimeToAccuracy(group, threshold: $0) }
        }
        let table = ReportTable(
            name: "thresholds", title: "How long it took to reach a test accuracy", source: source,
            of: rows,
            columns: [
                .text("configuration") { $0.group.label },
                .percent("threshold", "test accuracy", digits: Figures.percentDigits(of: targets)) {
                    $0.threshold
                },
                .count("n", "runs") { $0.group.runs.count },
                .count("reached", "reached it") { $0.reached.count },
                .fixed("median_steps", "steps, median", digits: 0) { row in
                    row.median { Double($1.step) }
                },
                .fixed("median_examples", "examples, median", digits: 0) { row in
                    row.median { Double($0.examples(atStep: $1.step)) }
                },
                .fixed("median_seconds", "seconds, median", digits: 2) { $0.medianSeconds },
            ],
            note:
                "Read at the evaluations that were made, and not between them. A run that did not reach "
                + "it ranks last; where the median falls on such runs there is none. Seconds are told "
                + "of runs that were trained one at a time.")
        return ReportPage.Section(
            "time-to-accuracy", title: "Time to accuracy", blocks: [.table(table)])
    }

    // MARK: Layers

    private var layerSections: [ReportPage.Section] {
        let depth = groups.flatMap(\.runs).flatMap(\.layers).map(\.gradientNorms.count).max() ?? 0
        guard depth > 0 else { return [] }
        let blocks = (0..<depth).map { layer in
            let name = layer == depth - 1 ? "output layer" : "hidden layer \(layer + 1)"
            return [
                layerChart(
                    "gradient-norm-\(layer + 1)", "Gradient norm, \(name)",
                    ChartAxis(label: "Euclidean norm, logarithmic", scale: .logarithmic), layer,
                    depth, \.gradientNorms),
                layerChart(
                    "saturation-\(layer + 1)", "Saturated units, \(name)",
                    ChartAxis(label: "share of units", unit: .percent, range: 0...0.01), layer,
                    depth, \.saturation),
            ]
        }
        return [
            ReportPage.Section(
                "layers", title: "Inside the network",
                blocks: [
                    .paragraph(
                        "Means over parts of an epoch, of the norm of a micro-batch's mean gradient (the "
                            + "root mean square over those of a step) and of the share of saturated "
                            + "units in its forward pass. A unit is saturated where "
                            + "its output hardly answers to its input any more: a tanh beyond ±0.97, a "
                            + "sigmoid or softmax below 0.01 or above 0.99, a ReLU at zero. A sure and "
                            + "right softmax is saturated, too, and its loss has a gradient there.")
                ] + (blocks.map { $0[0] } + blocks.map { $0[1] }).map(ReportPage.Block.chart))
        ]
    }

    /// Layers are counted from the output where networks differ in depth.
    private func layerChart(
        _ name: String, _ title: String, _ yAxis: ChartAxis, _ layer: Int, _ depth: Int,
        _ values: (LayerPoint) -> [Double]
    ) -> Chart {
        let series = groups.map { group in
            LineChart.Series(
                label: group.label,
                runs: group.runs.map { run in
                    LineChart.Run(
                        label: "seed \(run.outcome.run.seed)",
                        points: run.layers.compactMap { point in
                            let index = layer - depth + values(point).count
                            guard index >= 0 else { return nil }
                            return LineChart.Point(
                                x: [
                                    Double(point.step), point.epoch,
                                    Double(run.outcome.examples(atStep: point.step)),
                                ], y: values(point)[index])
                        }, isDiverged: run.outcome.end?.status == .diverged)
                }, colour: group.colour, isTraining: true)
        }
        return Chart(
            name: name, title: title, source: source,
            kind: .lines(
                LineChart(xAxes: [.steps, .epochs, .examples], yAxis: yAxis, series: series)))
    }

    // MARK: Findings and runs

    /// For each set of the other settings with which the three presets were trained.
    private var findings: [ReportPage.Section] {
        var sets: [[String: String]] = []
        var members: [[String: String]: [RunGroup]] = [:]
        for group in groups {
            let settings = group.commonSettings
            if members[settings] == nil { sets.append(settings) }
            members[settings, default: []].append(group)
        }
        let blocks = sets.flatMap { settings -> [ReportPage.Block] in
            let compared = members[settings, default: []]
            guard Set(compared.map(\.configuration)).isSuperset(of: RunGroup.presets),
                let source = try? ChartSource(compared.flatMap(\.outcomes))
            else { return [] }
            let rows = Comparison(compared.flatMap(\.outcomes)).findings.all.map { finding in
                ClaimRow(
                    claim: finding.claim, experiment: "", figure: finding.evidence,
                    verdict: finding.verdict)
            }
            let names = compared.map(\.label).joined(separator: "; ")
            return [.paragraph("\(names). \(source.text)."), .claims(rows)]
        }
        return blocks.isEmpty
            ? []
            : [
                ReportPage.Section(
                    Self.findingsID, title: "What the runs say",
                    blocks: [.paragraph(Finding.legend)] + blocks)
            ]
    }

    private var list: ReportPage.Section {
        let rows = groups.flatMap { group in
            group.runs.map { (group: group, run: $0, outcome: $0.outcome, end: $0.outcome.end) }
        }
        let table = ReportTable(
            name: "runs", title: "All runs", source: source, of: rows,
            columns: [
                .text("configuration") { $0.group.label },
                .init("seed") { row in
                    .number(Double(row.outcome.run.seed), shown: "\(row.outcome.run.seed)")
                },
                .text("status") { $0.outcome.statusName },
                .count("epochs") { $0.end?.epochs ?? 0 },
                .count("steps") { $0.end?.steps ?? 0 },
                .percent("test_accuracy", "test accuracy") { $0.end?.testAccuracy },
                .fixed("test_loss", "test loss", digits: 5) { $0.end?.testLoss },
                .fixed("seconds", digits: 2) { $0.outcome.ownSeconds },
                .fixed("examples_per_second", "examples/s", digits: 0) {
                    $0.outcome.ownExamplesPerSecond
                },
                .text("machine") { $0.outcome.machineText },
                .text("configuration_sha256", "configuration hash") {
                    Figures.shortHash($0.outcome.provenance.configurationSHA256)
                },
                .text("weights_sha256", "weights hash") {
                    Figures.shortHash($0.end?.weightsSHA256 ?? "")
                },
                .text("folder") { $0.run.path },
            ],
            note:
                "Seconds are training time, evaluations left out; examples/s are those of the fastest "
                + "epoch. Runs that were trained beside others have neither.")
        return ReportPage.Section(Self.runsID, title: "The runs", blocks: [.table(table)])
    }
}
