import Datasets
import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// What the outputs are worth as probabilities, and which digits they decide.
extension StudyReport {
    func outputsSection() throws -> ReportPage.Section {
        let source = try ChartSource(StudyPlan.scalePresets.flatMap(runs))
        let series = calibrations.enumerated().map { index, row in
            let bins = row.calibration.bins
            return ReliabilityDiagram.Series(
                label: row.label,
                bins: bins.enumerated().filter { $0.element.count > 0 }.map { place, bin in
                    let width = 1 / Double(bins.count)
                    return ReliabilityDiagram.Bin(
                        range: Double(place) * width...Double(place + 1) * width, count: bin.count,
                        meanConfidence: bin.meanConfidence, accuracy: bin.accuracy)
                }, colour: index)
        }
        let table = ReportTable(
            name: "calibration", title: "Outputs taken as probabilities", source: source,
            of: calibrations,
            columns: [
                .text("outputs") { $0.label },
                .fixed("expected_calibration_error", "expected calibration error", digits: 4) {
                    $0.calibration.expectedError
                },
                .fixed("brier_score", "Brier score", digits: 4) { $0.calibration.brierScore },
                .fixed("mean_output_sum", "outputs add up to, mean", digits: 3) {
                    $0.calibration.meanOutputSum
                },
                .percent("impossible_share", "outputs outside 0…1") {
                    $0.calibration.impossibleShare
                },
            ])
        let matrices = try outputs.presets.filter { $0.seedCount > 0 }.map { preset in
            ReportPage.Block.chart(
                Chart(
                    name: "confusion-\(preset.preset.rawValue)",
                    title: "Confusions of \(preset.preset.rawValue), all seeds",
                    summary:
                        "Test digits by what they are and what was decided, added up over the seeds. The "
                        + "more of them, the darker; those classified correctly are left without colour.",
                    source: try ChartSource(runs(of: preset.preset)),
                    kind: .heat(HeatTable(preset.confusion))))
        }
        return ReportPage.Section(
            "outputs", title: "What the outputs say",
            blocks: [
                .chart(
                    Chart(
                        name: "reliability", title: "Accuracy at each confidence",
                        summary:
                            "A calibrated output of 0.8 is right in 80 of 100 cases: the diagonal. A "
                            + "confidence outside 0…1 counts as the nearest end.", source: source,
                        kind: .reliability(ReliabilityDiagram(series: series)))),
                .table(table),
            ] + matrices + galleries(source))
    }

    private func runs(of preset: RunConfiguration.Preset) -> [RunOutcome] {
        results.presets.compactMap(\.outcome).filter {
            $0.run.configuration == preset.rawValue
        }
    }

    /// The outputs of each kind, over all seeds and test digits.
    var calibrations: [(label: String, calibration: Calibration)] {
        var rows: [(String, Calibration)] = []
        if let mse = outputs[.mseTanh] {
            rows.append(("mse-tanh", mse.plain))
            rows.append(("mse-tanh, (y + 1) / 2", mse.rescaled))
        }
        if let other = outputs[.ceSoftmax] { rows.append(("ce-softmax", other.plain)) }
        return rows
    }

    private static let galleryCount = 12

    private func galleries(_ source: ChartSource) -> [ReportPage.Block] {
        let pairs: [(RunConfiguration.Preset, RunConfiguration.Preset)] = [
            (.ceSoftmax, .mseTanh), (.mseTanh, .ceSoftmax),
        ]
        return pairs.flatMap { right, wrong -> [ReportPage.Block] in
            let digits = outputs.onlyRight(right, against: wrong)
            guard !digits.isEmpty, let a = outputs[right], let b = outputs[wrong] else {
                return [
                    .paragraph(
                        "There is no test digit that \(right.rawValue) gets right more often than "
                            + "\(wrong.rawValue) by more than half of the seeds.")
                ]
            }
            let test = study.dataset.test
            let pixels = Array(test.pixels)
            let labels = Array(test.labels)
            let shown = digits.prefix(Self.galleryCount).map { digit in
                DigitGallery.Digit(
                    pixels: Array(pixels[digit * 784..<(digit + 1) * 784]),
                    caption:
                        "a \(labels[digit])\nno. \(digit)\n"
                        + "\(a.rightCounts[digit]) against \(b.rightCounts[digit])")
            }
            return [
                .chart(
                    Chart(
                        name: "only-\(right.rawValue)",
                        title:
                            "Digits that \(right.rawValue) gets right and \(wrong.rawValue) does not",
                        summary:
                            "\(Figures.plural(digits.count, "test digit")) that \(right.rawValue) gets right "
                            + "more often than \(wrong.rawValue) by more than half of the seeds"
                            + (digits.count > shown.count
                                ? "; the \(shown.count) clearest are shown" : "")
                            + ". Below each: what it is, its number in the test set, and how many of "
                            + "\(Figures.plural(a.seedCount, "seed")) of \(right.rawValue) get it right, "
                            + "against those of \(wrong.rawValue).",
                        source: source, kind: .digits(DigitGallery(digits: shown))))
            ]
        }
    }
}
