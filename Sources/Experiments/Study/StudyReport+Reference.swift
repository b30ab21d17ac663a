import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// The presets beside another program's curves.
extension StudyReport {
    func referenceSection(_ reference: ReferenceCurves) throws -> ReportPage.Section {
        let runs = results.presets.compactMap(\.outcome).filter(\.isResult)
        let rows = StudyPlan.scalePresets.compactMap { preset in
            reference.configurations[preset.rawValue].map { theirs in
                (
                    preset: preset,
                    here: Curves(runs.filter { $0.run.configuration == preset.rawValue }),
                    there: Curves(theirs)
                )
            }
        }
        let names = rows.map(\.preset.rawValue)
        let source = try ChartSource(runs.filter { names.contains($0.run.configuration) })
        let last = rows.flatMap { [$0.here.lastEpoch, $0.there.lastEpoch] }.compactMap { $0 }.min()
        func difference(_ here: Curves, _ there: Curves) -> Double? {
            here.mean(at: last).flatMap { here in there.mean(at: last).map { here - $0 } }
        }
        let table = ReportTable(
            name: "reference", title: "Test accuracy after the first and the last epoch",
            source: source, of: rows,
            columns: [
                .text("configuration") { $0.preset.rawValue },
                .count("n", "runs here") { $0.here.runs.count },
                .count("n_reference", "runs there") { $0.there.runs.count },
                .percent("first", "first epoch here") { $0.here.mean(at: 1) },
                .percent("first_reference", "there") { $0.there.mean(at: 1) },
                .percent("last", "last epoch here") { $0.here.mean(at: last) },
                .percent("last_reference", "there") { $0.there.mean(at: last) },
                .number("difference", "difference, last epoch", shown: signedPoints) {
                    difference($0.here, $0.there)
                },
            ],
            note:
                "Means over the runs. The last epoch is the last that all have"
                + (last.map { ", \(Figures.fixed($0, 0))" } ?? "")
                + ". The difference is in percentage points.")
        let series = rows.flatMap { row in
            let colour = Self.colour(of: row.preset)
            return [
                row.here.series(row.preset.rawValue, colour: colour),
                row.there.series(
                    "\(row.preset.rawValue), reference", colour: colour + LineChart.Series.dashed),
            ]
        }
        return ReportPage.Section(
            "reference", title: "Beside the reference",
            blocks: [
                .paragraph("The reference: \(reference.what)"),
                .chart(
                    Chart(
                        name: "reference", title: "Test accuracy here and in the reference",
                        source: source,
                        kind: .lines(
                            LineChart(
                                xAxes: [.epochs],
                                yAxis: ChartAxis(label: "test accuracy", unit: .percent),
                                series: series)))),
                .table(table),
            ])
    }
}

/// Test accuracies by epoch, of the runs of a configuration.
private struct Curves {
    let runs: [(seed: UInt64, points: [(epoch: Double, value: Double)])]

    init(_ outcomes: [RunOutcome]) {
        runs = outcomes.map { run in
            (run.run.seed, run.epochs.map { (Double($0.epoch), $0.testAccuracy) })
        }
    }

    init(_ reference: ReferenceCurves.Configuration) {
        runs = reference.runs.map { ($0.seed, $0.testAccuracies) }
    }

    /// The last that all runs have.
    var lastEpoch: Double? { runs.compactMap(\.points.last?.epoch).min() }

    func mean(at epoch: Double?) -> Double? {
        Summary(runs.compactMap { $0.points.first { $0.epoch == epoch }?.value })?.mean
    }

    func series(_ label: String, colour: Int) -> LineChart.Series {
        LineChart.Series(
            label: label,
            runs: runs.map { run in
                LineChart.Run(
                    label: "seed \(run.seed)",
                    points: run.points.map { LineChart.Point(x: [$0.epoch], y: $0.value) })
            }, colour: colour)
    }
}
