import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// How accurate the presets are in the end, over seeds and test digits.
extension StudyReport {
    private struct AccuracyRow {
        let label: String
        let estimate: Double
        let interval: ClosedRange<Double>?
    }

    private var accuracySeeds: [UInt64] { decisions.seeds(.ceSoftmax, .mseTanh) }

    private func accuracyRow(_ preset: RunConfiguration.Preset) -> AccuracyRow? {
        decisions.errors(preset, seeds: accuracySeeds).map { table in
            let errors = Bootstrap(table)
            return AccuracyRow(
                label: preset.rawValue, estimate: 1 - errors.estimate,
                interval: errors.interval.map { 1 - $0.upperBound...1 - $0.lowerBound })
        }
    }

    private var advantage: Bootstrap? {
        decisions.advantage(of: .ceSoftmax, over: .mseTanh, seeds: accuracySeeds)
            .map { Bootstrap($0) }
    }

    private var pairs: [(seed: UInt64, test: McNemar)] {
        accuracySeeds.compactMap { seed in
            decisions.mcNemar(.ceSoftmax, .mseTanh, seed: seed).map { (seed, $0) }
        }
    }

    var inaccuracy: Finding {
        let claim = "MSE with tanh ends less accurate"
        guard let advantage, let other = accuracyRow(.ceSoftmax), let mse = accuracyRow(.mseTanh)
        else {
            return Finding(
                claim: claim, verdict: .notTested, evidence: "There is no pair of networks.")
        }
        func percent(_ value: Double) -> String { Figures.fixed(value * 100, 2) }
        func text(_ row: AccuracyRow) -> String {
            "\(row.label) \(percent(row.estimate)) %"
                + (row.interval.map {
                    " [\(percent($0.lowerBound)), \(percent($0.upperBound))]"
                } ?? "")
        }
        let interval =
            advantage.interval.map {
                " [\(signedPoints($0.lowerBound)), \(signedPoints($0.upperBound))]"
            } ?? ""
        let significant = pairs.count { $0.test.pValue <= Verdict.level }
        return Finding(
            claim: claim, effect: Effect(advantage, margin: Comparison.accuracyMargin),
            evidence:
                "Final test accuracy: \(text(other)) against \(text(mse)); difference "
                + "\(signedPoints(advantage.estimate))\(interval) percentage points "
                + "(\(Figures.plural(advantage.unitCount, "seed")), "
                + "\(Figures.count(decisions.exampleCount)) test digits, both resampled). McNemar's "
                + "test tells the two networks of a seed apart in \(significant) of \(pairs.count) "
                + "cases.")
    }

    func accuracySection() throws -> ReportPage.Section {
        let source = try ChartSource(
            results.presets.compactMap(\.outcome).filter { outcome in
                StudyPlan.scalePresets.contains { $0.rawValue == outcome.run.configuration }
            })
        let difference = advantage.map {
            AccuracyRow(
                label: "ce-softmax − mse-tanh", estimate: $0.estimate, interval: $0.interval)
        }
        let rows = [accuracyRow(.mseTanh), accuracyRow(.ceSoftmax), difference].compactMap { $0 }
        return ReportPage.Section(
            "accuracy", title: "Accuracy over seeds and digits",
            blocks: [
                .table(
                    ReportTable(
                        name: "accuracy", title: "Final test accuracy, for other seeds and digits",
                        source: source, of: rows,
                        columns: [
                            .text("configuration") { $0.label },
                            .percent("test_accuracy", "test accuracy") { $0.estimate },
                            .percent("low", "95 % interval from") { $0.interval?.lowerBound },
                            .percent("high", "to") { $0.interval?.upperBound },
                        ],
                        note:
                            "Bootstrap intervals over seeds and test digits, paired in both: they hold for "
                            + "other seeds and other digits of the same kind, those of “Final accuracy” for "
                            + "other seeds and these digits.")),
                .table(
                    ReportTable(
                        name: "mcnemar", title: "The two networks of each seed", source: source,
                        of: pairs,
                        columns: [
                            .init("seed") { .number(Double($0.seed), shown: "\($0.seed)") },
                            .count("only_ce_softmax", "only ce-softmax is right") {
                                $0.test.onlyFirstCount
                            },
                            .count("only_mse_tanh", "only mse-tanh is right") {
                                $0.test.onlySecondCount
                            },
                            .number("p", "McNemar's p, exact", shown: Self.pText) {
                                $0.test.pValue
                            },
                        ])),
            ])
    }

    static func pText(_ p: Double) -> String { p < 0.001 ? "< 0.001" : Figures.fixed(p, 3) }
}
