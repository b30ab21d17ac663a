import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// Each sentence of the seed's text that can be tested, as a row.
extension StudyReport {
    func claims() throws -> [ClaimRow] {
        let presets =
            "The three configurations at their defaults, batch 32, "
            + "\(Figures.plural(study.plan.presets.epochs, "epoch")), "
            + "\(Figures.plural(study.plan.presets.seeds, "seed"))."
        let found = comparison.findings
        func row(_ finding: Finding, _ claim: String) -> ClaimRow {
            ClaimRow(
                claim: claim, experiment: presets, figure: finding.evidence,
                verdict: finding.verdict)
        }
        return [
            row(found.slowness, "MSE with tanh converges more slowly"),
            row(found.inaccuracy, "MSE with tanh ends less accurate"), significance(presets),
            row(found.rescaling, "Rescaling the outputs by (x + 1) / 2 may help slightly"),
            probabilities(presets), row(found.saturation, "Units saturate under MSE with tanh"),
            hindrance,
            efficiency,
        ]
    }

    /// An interval from fewer says nothing.
    private static let fewestPairs = 3

    private func significance(_ experiment: String) -> ClaimRow {
        let accuracies = [RunConfiguration.Preset.ceSoftmax, .mseTanh].map {
            comparison.group(named: $0.rawValue)?.finalAccuracies ?? [:]
        }
        let claim = "The difference in accuracy is significant"
        guard let difference = Summary.pairedDifference(accuracies[0], accuracies[1]),
            difference.count >= Self.fewestPairs, let interval = difference.confidenceInterval,
            let deviation = difference.standardDeviation
        else {
            return ClaimRow(
                claim: claim, experiment: experiment, figure: "There are too few pairs of runs.",
                verdict: .inconclusive)
        }
        let t = difference.mean / (deviation / Double(difference.count).squareRoot())
        let p = 1 - StudentT.probability(within: abs(t), degreesOfFreedom: difference.count - 1)
        return ClaimRow(
            claim: claim, experiment: experiment,
            figure:
                "\(signedPoints(difference.mean)) percentage points, 95 % interval "
                + "[\(signedPoints(interval.lowerBound)), \(signedPoints(interval.upperBound))], paired t = "
                + "\(Figures.fixed(t, 1)), p \(p < 0.001 ? "< 0.001" : "= \(Figures.fixed(p, 3))"), "
                + "n = \(difference.count).",
            verdict: interval.lowerBound > 0
                ? .supported : interval.upperBound <= 0 ? .refuted : .inconclusive)
    }

    private func probabilities(_ experiment: String) -> ClaimRow {
        let claim = "Outputs of tanh are no probabilities"
        guard let mse = outputs[.mseTanh], let other = outputs[.ceSoftmax] else {
            return ClaimRow(
                claim: claim, experiment: experiment, figure: "There are no weights to look at.",
                verdict: .inconclusive)
        }
        let share = mse.plain.impossibleShare
        func sum(_ calibration: Calibration) -> String {
            Figures.fixed(calibration.meanOutputSum, 2)
        }
        return ClaimRow(
            claim: claim, experiment: "All test digits through the trained weights of every seed.",
            figure:
                "\(Figures.fixed(share * 100, 1)) % of the outputs lie outside 0…1; a digit's outputs add "
                + "up to \(sum(mse.plain)), after rescaling to \(sum(mse.rescaled)), those of softmax to "
                + "\(sum(other.plain)). Expected calibration error: "
                + "\(Figures.fixed(mse.plain.expectedError, 3)), rescaled "
                + "\(Figures.fixed(mse.rescaled.expectedError, 3)), softmax "
                + "\(Figures.fixed(other.plain.expectedError, 3)). It holds where more than 1 % lie outside.",
            verdict: share > 0.01 ? .supported : .refuted)
    }

    /// With the same loss and hidden layer, an output that cannot saturate would have to be better.
    private var hindrance: ClaimRow {
        let claim = "Saturation of the tanh output hinders the gradient"
        func accuracies(_ output: Activation) -> [UInt64: Double] {
            let variant = results.ablation.first {
                $0.key.loss == .mse && $0.key.output == output && $0.key.hidden == .tanh
                    && $0.key.targets == .zeroOne
            }
            return (variant?.outcomes ?? []).filter(\.isResult).reduce(into: [:]) {
                $0[$1.run.seed] = $1.end?.testAccuracy
            }
        }
        let experiment =
            "MSE and hidden tanh with an identity output, which cannot saturate, against a tanh output; "
            + "each at its own learning rate."
        guard let difference = Summary.pairedDifference(accuracies(.identity), accuracies(.tanh)),
            difference.count >= Self.fewestPairs, let interval = difference.confidenceInterval
        else {
            return ClaimRow(
                claim: claim, experiment: experiment, figure: "There are too few pairs of runs.",
                verdict: .inconclusive)
        }
        return ClaimRow(
            claim: claim, experiment: experiment,
            figure:
                "The identity output is better by \(signedPoints(difference.mean)) percentage points, 95 % "
                + "interval [\(signedPoints(interval.lowerBound)), \(signedPoints(interval.upperBound))], "
                + "n = \(difference.count).",
            verdict: interval.lowerBound > 0
                ? .supported : interval.upperBound <= 0 ? .refuted : .inconclusive)
    }

    /// Examples to the highest threshold that the median runs of both reached, batch by batch.
    private var efficiency: ClaimRow {
        let claim = "Cross-entropy learns more efficiently"
        let experiment =
            "Every global batch, each configuration at its own learning rate; examples to an accuracy on "
            + "held-out digits."
        for threshold in Comparison.thresholds.reversed() {
            let mse = crossings(.mseTanh, threshold: threshold)
            let other = crossings(.ceSoftmax, threshold: threshold)
            let ratios = zip(mse, other).compactMap { a, b in
                a.median.flatMap { slow in b.median.map { slow / $0 } }
            }.sorted()
            guard ratios.count >= 2, let low = ratios.first, let high = ratios.last else {
                continue
            }
            let better = ratios.count { $0 > 1 }
            return ClaimRow(
                claim: claim, experiment: experiment,
                figure:
                    "To \(Figures.fixed(threshold * 100, 0)) %, mse-tanh needs "
                    + "\(Figures.fixed(Quantiles.quantile(0.5, of: ratios), 2)) times the examples (median "
                    + "over \(ratios.count) batches that both reach it at; from \(Figures.fixed(low, 2)) to "
                    + "\(Figures.fixed(high, 2))); cross-entropy needs fewer at \(better) of them. It holds "
                    + "where that is so at all of them.",
                verdict: better == ratios.count
                    ? .supported : better == 0 ? .refuted : .inconclusive)
        }
        return ClaimRow(
            claim: claim, experiment: experiment,
            figure: "No threshold was reached by the median runs of both at two batches.",
            verdict: .inconclusive)
    }

    /// A difference of shares in percentage points, with its sign.
    func signedPoints(_ share: Double) -> String {
        (share < 0 ? "−" : "+") + Figures.fixed(abs(share) * 100, 2)
    }
}
