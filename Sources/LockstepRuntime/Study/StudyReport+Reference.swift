import Convergence
import LockstepProtocol

/// The presets beside another program's curves.
extension StudyReport {
    func referenceSection(_ reference: ReferenceCurves) throws -> ReportPage.Section {
        let source = try ChartSource(results.presets.compactMap(\.outcome))
        struct Row {
            let preset: RunConfiguration.Preset
            let ours: [RunOutcome]
            let theirs: [ReferenceCurves.Run]

            /// The mean over the runs here, at one end of their curves.
            func here(_ end: ([Double]) -> Double?) -> Double {
                Summary(ours.compactMap { end($0.epochs.map(\.testAccuracy)) })?.mean ?? .nan
            }

            func there(_ end: ([Double]) -> Double?) -> Double {
                Summary(theirs.compactMap { end($0.testAccuracies.map(\.value)) })?.mean ?? .nan
            }
        }
        let rows = StudyPlan.scalePresets.compactMap { preset in
            reference.configurations[preset.rawValue].map { theirs in
                Row(preset: preset, ours: completed(preset), theirs: theirs.runs)
            }
        }
        let table = ReportTable(
            name: "reference", title: "Test accuracy after the first and the last epoch",
            source: source, of: rows,
            columns: [
                .text("configuration") { $0.preset.rawValue },
                .count("n", "runs here") { $0.ours.count },
                .count("n_reference", "runs there") { $0.theirs.count },
                .percent("first", "first epoch here") { $0.here(\.first) },
                .percent("first_reference", "there") { $0.there(\.first) },
                .percent("last", "last epoch here") { $0.here(\.last) },
                .percent("last_reference", "there") { $0.there(\.last) },
                .number("difference", "difference, last epoch", shown: signedPoints) {
                    $0.here(\.last) - $0.there(\.last)
                },
            ])
        let series = rows.flatMap { row in
            let colour = Self.colour(of: row.preset)
            return [
                LineChart.Series(
                    label: row.preset.rawValue,
                    runs: row.ours.map { run in
                        LineChart.Run(
                            label: "seed \(run.run.seed)",
                            points: run.epochs.map {
                                LineChart.Point(x: [Double($0.epoch)], y: $0.testAccuracy)
                            })
                    }, colour: colour),
                LineChart.Series(
                    label: "\(row.preset.rawValue), reference",
                    runs: row.theirs.map { run in
                        LineChart.Run(
                            label: "seed \(run.seed)",
                            points: run.testAccuracies.map {
                                LineChart.Point(x: [$0.epoch], y: $0.value)
                            })
                    }, colour: colour + 3),
            ]
        }
        return ReportPage.Section(
            title: "Beside the reference",
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

    private func completed(_ preset: RunConfiguration.Preset) -> [RunOutcome] {
        results.presets.compactMap(\.outcome).filter {
            $0.run.configuration == preset.rawValue && $0.isResult
        }
    }
}
