import RunRecords
import Statistics
import TerminalText

/// How the runs ended, how long they took, and each by itself.
extension RunsReport {
    var finals: ReportPage.Section {
        let bars = drawn.map { group in
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
                "Intervals are Student's, over seeds. Runs that diverged or were cut short count among "
                + "the runs and not in the means.")
        return ReportPage.Section(
            "final", title: "Final accuracy",
            blocks: [
                .chart(
                    Chart(
                        name: "final-accuracy", title: "Final test accuracy",
                        summary: chartSummary(),
                        source: drawnSource,
                        kind: .bars(
                            BarChart(
                                axis: ChartAxis(label: "test accuracy", unit: .percent),
                                bars: bars,
                                legend: "mean with its 95 % interval, and single runs")))),
                .table(table),
            ])
    }

    var thresholds: ReportPage.Section {
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

    /// - Parameter notes: on what is not whole, or was left out.
    func list(notes: [String]) -> ReportPage.Section {
        let rows = groups.flatMap { group in
            group.runs.map {
                (
                    group: group, run: $0, outcome: $0.outcome, end: $0.outcome.end,
                    last: $0.outcome.epochs.last
                )
            }
        }
        let table = ReportTable(
            name: "runs", title: "All runs", source: source, of: rows,
            columns: [
                .text("configuration") { $0.group.label },
                .init("seed") { row in
                    let seed = row.outcome.run.seed
                    return ReportPage.isExact(seed)
                        ? .number(Double(seed), shown: "\(seed)") : .text("\(seed)")
                },
                .text("status") { $0.outcome.statusName },
                .count("epochs") { $0.end?.epochs ?? $0.last?.epoch ?? 0 },
                .count("steps") { $0.outcome.steps },
                .percent("test_accuracy", "test accuracy") {
                    $0.end?.testAccuracy ?? $0.last?.testAccuracy
                },
                .fixed("test_loss", "test loss", digits: 5) {
                    $0.end?.testLoss ?? $0.last?.testLoss
                },
                .fixed("seconds", digits: 2) { $0.outcome.ownSeconds },
                .fixed("examples_per_second", "examples/s", digits: 0) {
                    $0.outcome.ownExamplesPerSecond
                },
                .text("machine") { $0.outcome.machineText },
                .text("configuration_sha256", "configuration hash") {
                    Figures.shortHash($0.outcome.provenance.configurationSHA256)
                },
                .text("weights_sha256", "weights hash") {
                    Figures.shortHash($0.end?.weightsSHA256 ?? $0.last?.weightsSHA256 ?? "")
                },
                .text("folder") { $0.run.path },
            ],
            note:
                "Seconds are training time, evaluations left out; examples/s are those of the fastest "
                + "epoch. Runs that were trained beside others have neither, nor have unfinished ones. "
                + "Of an unfinished run, steps are those of its last record, and the other figures "
                + "those of its last whole epoch.")
        return ReportPage.Section(
            Self.runsID, title: "The runs", blocks: [.table(table)] + document(of: notes))
    }

    private func document(of notes: [String]) -> [ReportPage.Block] {
        guard !notes.isEmpty else { return [] }
        let rest = notes.count - Self.shownNoteCount
        let more = rest > 0 ? ["and \(Figures.count(rest)) more"] : []
        return [
            .document(
                title: "What is not whole, and what was left out",
                text: (notes.prefix(Self.shownNoteCount) + more).joined(separator: "\n"))
        ]
    }

    private static let shownNoteCount = 100
}
