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
            let bins = row.pooled.bins
            return ReliabilityDiagram.Series(
                label: row.label,
                bins: bins.enumerated().filter { $0.element.count > 0 }.map { place, bin in
                    let width = 1 / Double(bins.count)
                    return ReliabilityDiagram.Bin(
                        range: Double(place) * width...Double(place + 1) * width, count: bin.count,
                        meanConfidence: bin.meanConfidence, accuracy: bin.accuracy)
                }, colour: index)
        }
        let table = calibrationTable(source)
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
                .paragraph(calibrationText), .table(table),
            ] + matrices + galleries(source))
    }

    private func runs(of preset: RunConfiguration.Preset) -> [RunOutcome] {
        results.presets.compactMap(\.outcome).filter {
            $0.run.configuration == preset.rawValue
        }
    }

    /// The outputs of each kind.
    var calibrations: [OutputCalibration] {
        var rows: [OutputCalibration] = []
        if let mse = outputs[.mseTanh]?.networks {
            rows += [
                OutputCalibration("mse-tanh", mse, \.plain),
                OutputCalibration("mse-tanh, (y + 1) / 2", mse, \.rescaled),
                OutputCalibration("mse-tanh, temperature", mse, \.tempered),
            ]
        }
        if let other = outputs[.ceSoftmax]?.networks {
            rows += [
                OutputCalibration("ce-softmax", other, \.plain),
                OutputCalibration("ce-softmax, temperature", other, \.tempered),
            ]
        }
        return rows
    }

    private var calibrationText: String {
        "Figures of each network, and their means over the seeds with Student's intervals; the plan "
            + "defines them. With a temperature the outputs of mse-tanh and the logarithms of those of "
            + "ce-softmax are scores, whose softmax is taken after division by one number: for each half "
            + "of the test digits the one that fits the other half best."
    }

    private func calibrationTable(_ source: ChartSource) -> ReportTable {
        func columns(
            _ name: String, _ title: String, _ value: @escaping (Calibration) -> Double
        ) -> [ReportTable.Column<OutputCalibration>] {
            [
                .fixed(name, title, digits: 4) { $0.figure(value)?.mean },
                .fixed("\(name)_low", "from", digits: 4) {
                    $0.figure(value)?.interval?.lowerBound
                },
                .fixed("\(name)_high", "to", digits: 4) {
                    $0.figure(value)?.interval?.upperBound
                },
            ]
        }
        return ReportTable(
            name: "calibration", title: "Outputs taken as probabilities", source: source,
            of: calibrations,
            columns: [.text("outputs") { $0.label }, .count("n", "networks") { $0.networks.count }]
                + columns("expected_calibration_error", "calibration error", \.expectedError)
                + columns("brier_score", "Brier score", \.brierScore)
                + columns(
                    "negative_log_likelihood", "negative log-likelihood",
                    \.negativeLogLikelihood)
                + [
                    .fixed("temperature", digits: 3) { Summary($0.temperatures)?.mean },
                    .fixed("mean_output_sum", "outputs add up to, mean", digits: 3) {
                        $0.pooled.meanOutputSum
                    },
                    .percent("impossible_share", "outputs outside 0…1") {
                        $0.pooled.impossibleShare
                    },
                ])
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
