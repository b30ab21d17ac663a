import Datasets
package import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
package import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// What the study found, as a page.
package struct StudyReport {
    let study: Study
    let results: Study.Results
    let outputs: StudyOutputs
    let decisions: StudyDecisions
    /// The runs of the presets, with what their logs say of the layers.
    private let presetRuns: [RunCollection.Run]
    let comparison: Comparison

    /// - Throws: ``MixedDatasets``, and what reading records and weights throws.
    init(_ study: Study, _ results: Study.Results) throws {
        self.study = study
        self.results = results
        outputs = try StudyOutputs(
            results.presets, dataset: study.dataset, kernels: KernelSet(study.kernels))
        decisions = try StudyDecisions(
            results.presets, dataset: study.dataset, kernels: KernelSet(study.kernels))
        // The folder may hold runs of another plan as well.
        presetRuns = try RunCollection(
            folders: results.presets.filter { $0.outcome != nil }.map(\.directory.path)
        ).runs
        comparison = Comparison(presetRuns.map(\.outcome))
    }

    /// Runs trained for the study, those included with which rates were chosen.
    package var runCount: Int { results.runCount }

    /// Runs that could not be trained, each with its cause.
    package var failed: [String] { results.failed }

    /// That their causes give the command; meaningless where none failed.
    package var failureCode: ExitCode { results.failureCode }

    /// - Parameter reference: curves of another program, to be shown beside.
    /// - Throws: ``MixedDatasets``, which a study of one data set never does.
    package func page(beside reference: ReferenceCurves? = nil) throws -> ReportPage {
        let presets = try RunsReport(presetRuns, targets: Comparison.thresholds).page.sections
        let claims = claims()
        var sections = [
            ReportPage.Section(
                "claims", title: "The claims",
                blocks: [.paragraph(planSentence), .paragraph(Finding.legend), .claims(claims)]),
            try timesSection(), try accuracySection(),
            try part("saturation", Self.saturationTitle) { try hindranceSection() },
        ]
        sections += presets.filter { !Self.replacedSections.contains($0.id) }
        if let reference { sections.append(try referenceSection(reference)) }
        sections.append(
            try part("ablation", "Which part does it?") { try ablationSection() })
        sections.append(try part("scale", "At scale") { try scaleSection() })
        if !results.workers.isEmpty {
            sections.append(try part("workers", "More workers") { try workersSection() })
        }
        sections += [try outputsSection(), planSection]
        return ReportPage(
            title: "Mean squared error with tanh against cross-entropy, on \(study.dataset.name)",
            summary: summary(claims), sections: sections, runs: presetRuns.map(\.outcome))
    }

    /// A section, or a word where none of its runs was trained.
    private func part(
        _ id: String, _ title: String, _ section: () throws -> ReportPage.Section
    ) throws -> ReportPage.Section {
        do {
            return try section()
        } catch let error as MixedDatasets {
            guard error.datasets.isEmpty else { throw error }
            return ReportPage.Section(
                id, title: title, blocks: [.paragraph("None of the runs could be trained.")])
        }
    }

    /// Of the report on the presets' runs: the claims have more here, and the runs are in the CSV.
    private static let replacedSections = [RunsReport.findingsID, RunsReport.runsID]

    private func summary(_ claims: [ClaimRow]) -> [String] {
        let plan = study.plan
        let opening =
            "\(Figures.count(runCount)) runs in the \(plan.size.rawValue) form of the study, on "
            + "\(study.dataset.name) (SHA-256 \(Figures.shortHash("\(study.dataset.sha256)"))): the three "
            + "configurations at their defaults over \(Figures.plural(plan.presets.seeds, "seed")), and "
            + "controls of their saturation; "
            + "every combination of their parts, and every batch size, at a learning rate that was chosen "
            + "for it on \(Figures.count(plan.validationExamples)) held-out training examples"
            + (results.workers.isEmpty ? "" : "; and the same training on more workers")
            + ". The test set chose nothing." + redecodedText
        let lost =
            failed.isEmpty
            ? [] : ["\(Figures.plural(failed.count, "run")) could not be trained and are missing."]
        return [opening]
            + claims.prefix(2).map { "\($0.claim): \($0.verdict.rawValue). \($0.figure)" }
            + lost
    }

    private var redecodedText: String {
        let count = results.presets.compactMap(\.outcome).count { $0.end?.weightsFrom != nil }
        return count == 0
            ? ""
            : " \(Figures.plural(count, "run")) of mse-tanh-rescaled \(count == 1 ? "has" : "have") the "
                + "weights of mse-tanh, which were trained once: only the outputs are decoded in another "
                + "way."
    }

    // MARK: Which part does it?

    private func ablationSection() throws -> ReportPage.Section {
        let rows = results.ablation.map { ($0, $0.accuracy) }
            .sorted { ($0.1?.mean ?? 0) > ($1.1?.mean ?? 0) }
        let source = try ChartSource(results.ablation.flatMap(\.outcomes))
        let batchSize = results.ablation.first?.runs.first?.run.configuration.batchSize
        let bars = rows.map { variant, accuracy in
            BarChart.Bar(
                label: variant.key.label, value: accuracy?.mean ?? .nan,
                interval: interval(accuracy), colour: variant.key.loss == .mse ? 0 : 2)
        }
        let table = ReportTable(
            name: "ablation", title: "Each part, at its own learning rate", source: source,
            of: rows.map { (variant: $0, accuracy: $1, interval: interval($1)) },
            columns: [
                .text("variant", "loss, output, hidden, targets") { $0.variant.key.label },
                .number("learning_rate", "learning rate", shown: { "\($0)" }) { $0.variant.rate },
                .text("rate_place", "its place in the grid") { $0.variant.place.text },
                .count("n", "runs") { $0.variant.runs.count },
                .percent("mean_test_accuracy", "test accuracy, mean") { $0.accuracy?.mean },
                .percent("low", "95 % interval from") { $0.interval?.lowerBound },
                .percent("high", "to") { $0.interval?.upperBound },
                .count("diverged") { $0.variant.outcomes.count { $0.end?.status == .diverged } },
            ],
            note:
                "Intervals are Student's, over seeds, from three runs on. Diverged runs are in none of the "
                + "means.")
        return ReportPage.Section(
            "ablation", title: "Which part does it?",
            blocks: [
                .paragraph(
                    "Every combination of loss, output, hidden activation and targets that fits together, "
                        + "each at the best learning rate of a grid of "
                        + "\(study.plan.ablationRates.count) or more on held-out "
                        + "examples, for \(Figures.plural(study.plan.ablation.epochs, "epoch"))"
                        + (batchSize.map { " at batch \($0)." } ?? ".")),
                .chart(
                    Chart(
                        name: "ablation",
                        title: "Test accuracy by loss, output, hidden and targets",
                        source: source,
                        kind: .bars(
                            BarChart(
                                axis: ChartAxis(label: "test accuracy", unit: .percent), bars: bars,
                                legend: "mean over seeds"
                                    + (bars.contains { $0.interval != nil }
                                        ? " with its 95 % interval" : "")
                                    + "; blue for MSE, green for cross-entropy")))),
                .table(table),
            ])
    }

    /// Two values have an interval that is wider than the axis.
    private func interval(_ summary: Summary?) -> ClosedRange<Double>? {
        summary.flatMap {
            $0.count >= Verdict.fewestPairs ? $0.confidenceInterval(within: 0...1) : nil
        }
    }

    // MARK: Workers

    private func workersSection() throws -> ReportPage.Section {
        let source = try ChartSource(results.workers.flatMap(\.runs))
        // One process has no place among the workers.
        let drawn = try? ChartSource(results.workers.filter { $0.count > 0 }.flatMap(\.runs))
        func runs(_ count: Int?, _ preset: RunConfiguration.Preset) -> [RunOutcome] {
            (results.workers.first { $0.count == count }?.runs ?? [])
                .filter { $0.run.configuration == preset.rawValue }
        }
        func rate(_ count: Int, _ preset: RunConfiguration.Preset) -> Double {
            Summary(runs(count, preset).compactMap(\.ownExamplesPerSecond))?.mean ?? .nan
        }
        let first = results.workers.first?.count
        let rows = results.workers.flatMap { workers in
            StudyPlan.scalePresets.map { preset in
                (count: workers.count, preset: preset, rate: rate(workers.count, preset))
            }
        }
        let table = ReportTable(
            name: "workers", title: "Workers on this host, batch \(StudyPlan.workersBatchSize)",
            source: source, of: rows,
            columns: [
                .count("workers") { $0.count },
                .text("configuration") { $0.preset.rawValue },
                .fixed("examples_per_second", "examples/s", digits: 0) { $0.rate },
                .percent("efficiency", "of one worker's rate, for each", digits: 0) { row in
                    row.rate / rate(1, row.preset) / Double(max(row.count, 1))
                },
                .fixed("seconds_to_95", "seconds to 95 %", digits: 2) { row in
                    examplesToTarget(row.preset).map { $0 / row.rate }
                },
                .text("same_weights", "weights") { row in
                    WeightsComparison(
                        runs(row.count, row.preset), with: runs(first, row.preset),
                        of: study.plan.workers.seeds
                    ).text
                },
            ],
            note:
                "0 is one process without sockets. For each: the rate divided by the workers, as a fraction "
                + "of the rate of one. Weights are compared with those of the one process. Seconds: "
                + "the median examples to 95 % on held-out digits at this batch and its own learning "
                + "rate, at this rate; a dash where the median run did not reach it. Measured on: "
                + "\(Set(results.workers.flatMap(\.runs).map(\.machineText)).sorted().joined(separator: "; "))."
        )
        let series = StudyPlan.scalePresets.enumerated().map { index, preset in
            LineChart.Series(
                label: preset.rawValue,
                runs: [
                    LineChart.Run(
                        label: "mean",
                        points: results.workers.filter { $0.count > 0 }.map {
                            LineChart.Point(x: [Double($0.count)], y: rate($0.count, preset))
                        })
                ], colour: Self.colour(of: preset), hasMarkers: true)
        }
        let ideal = results.workers.filter { $0.count > 0 }.map {
            LineChart.Point(
                x: [Double($0.count)], y: Double($0.count) * rate(1, StudyPlan.scalePresets[0]))
        }
        let chart = drawn.map { drawn in
            Chart(
                name: "workers", title: "Throughput over workers", source: drawn,
                kind: .lines(
                    LineChart(
                        xAxes: [ChartAxis(label: "workers", unit: .count, scale: .binary)],
                        yAxis: ChartAxis(label: "examples/s", unit: .count, scale: .logarithmic),
                        series: series, ideals: [.init(label: "in proportion", points: ideal)])))
        }
        return ReportPage.Section(
            "workers", title: "More workers",
            blocks: [
                .paragraph(
                    "The weights do not depend on the number of workers, so a curve is measured once "
                        + "and workers change only its time axis. All of them share this host's CPUs here."
                )
            ] + (chart.map { [.chart($0)] } ?? []) + [.table(table)])
    }

    /// At the batch of the question of workers. The curve does not depend on their number.
    private func examplesToTarget(_ preset: RunConfiguration.Preset) -> Double? {
        batchTimes(preset).first { $0.batchSize == StudyPlan.workersBatchSize }?.medianExamples
    }

    /// The same in every drawing: as in the report on the presets' runs.
    static func colour(of preset: RunConfiguration.Preset) -> Int {
        switch preset {
        case .mseTanh: 0
        case .mseTanhRescaled: 1
        case .ceSoftmax: 2
        }
    }
}

extension Study.Tuned {
    /// On the test set at the end.
    var accuracy: Summary? {
        Summary(outcomes.filter(\.isResult).compactMap { $0.end?.testAccuracy })
    }
}

extension RateRace.Place {
    /// “3 of 6”, and whether it is still at the edge of a grid that was widened as often as it may.
    var text: String { "\(rank) of \(count)" + (isEdge ? ", edge" : "") }
}

extension StudyReport {
    /// From ``Verdict/fewestPairs`` values on, and not around a constant.
    static func interval(
        _ summary: Summary?, within range: ClosedRange<Double> = 0...1
    ) -> ClosedRange<Double>? {
        summary.flatMap { summary in
            summary.count >= Verdict.fewestPairs && summary.standardDeviation != 0
                ? summary.confidenceInterval(within: range) : nil
        }
    }
}

extension NetworkArchitecture {
    /// “MSE, tanh, hidden ReLU, targets ±1”
    var label: String {
        let loss = loss == .mse ? "MSE" : "cross-entropy"
        let hidden = hidden == .relu ? "ReLU" : hidden.rawValue
        return "\(loss), \(output.rawValue), hidden \(hidden), targets "
            + (targets == .zeroOne ? "0/1" : "±1")
    }
}
