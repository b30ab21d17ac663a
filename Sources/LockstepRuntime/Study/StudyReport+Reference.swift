import Convergence
import LockstepProtocol

/// The presets beside another program's curves.
extension StudyReport {
    func referenceSection(_ reference: ReferenceCurves) throws -> ReportPage.Section {
        let source = try ChartSource(results.presets.compactMap(\.outcome))
        var table = ReportTable(
            name: "reference", title: "Test accuracy after the first and the last epoch",
            source: source,
            columns: [
                .init(key: "configuration", title: "configuration"),
                .init(key: "n", title: "runs here"), .init(key: "n_reference", title: "runs there"),
                .init(key: "first", title: "first epoch here"),
                .init(key: "first_reference", title: "there"),
                .init(key: "last", title: "last epoch here"),
                .init(key: "last_reference", title: "there"),
                .init(key: "difference", title: "difference, last epoch"),
            ])
        var series: [LineChart.Series] = []
        for preset in StudyPlan.scalePresets {
            guard let theirs = reference.configurations[preset.rawValue]?.runs else { continue }
            let ours = results.presets.compactMap(\.outcome).filter {
                $0.run.configuration == preset.rawValue && $0.isResult
            }
            let here = ours.map { $0.epochs.map(\.testAccuracy) }
            let there = theirs.map { $0.testAccuracies.map(\.value) }
            func mean(_ values: [Double?]) -> Double {
                Summary(values.compactMap { $0 })?.mean ?? .nan
            }
            let (last, lastThere) = (mean(here.map(\.last)), mean(there.map(\.last)))
            table.add([
                .text(preset.rawValue), .count(ours.count), .count(theirs.count),
                .percent(mean(here.map(\.first))), .percent(mean(there.map(\.first))),
                .percent(last), .percent(lastThere),
                .number(last - lastThere, shown: signedPoints(last - lastThere)),
            ])
            let colour = Self.colour(of: preset)
            series.append(
                LineChart.Series(
                    label: preset.rawValue,
                    runs: ours.map { run in
                        LineChart.Run(
                            label: "seed \(run.run.seed)",
                            points: run.epochs.map {
                                LineChart.Point(x: [Double($0.epoch)], y: $0.testAccuracy)
                            })
                    }, colour: colour))
            series.append(
                LineChart.Series(
                    label: "\(preset.rawValue), reference",
                    runs: theirs.map { run in
                        LineChart.Run(
                            label: "seed \(run.seed)",
                            points: run.testAccuracies.map {
                                LineChart.Point(x: [$0.epoch], y: $0.value)
                            })
                    }, colour: colour + 3))
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
}
