import LockstepRuntime
import Report
import RunRecords
import Statistics
import TerminalText
import TrainingPlan

/// Each sentence of the seed's text that can be tested, as a row.
extension StudyReport {
    func claims() -> [ClaimRow] {
        let plan = study.plan
        func experiment(_ question: StudyPlan.Question) -> String {
            "\(Figures.plural(question.epochs, "epoch")), "
                + "\(Figures.plural(question.seeds, "seed"))"
        }
        let presets =
            "The three configurations at their defaults, batch 32, \(experiment(plan.presets))."
        let found = comparison.unjudgedFindings
        func named(_ finding: Finding, _ claim: String) -> Finding {
            var finding = finding
            finding.claim = claim
            return finding
        }
        var saturation = named(found.saturation, "Units saturate under MSE with tanh")
        saturation.evidence += controlsText
        let claims = [
            (
                slowness,
                "The defaults, batch 32, \(experiment(plan.times)), read on held-out digits."
            ),
            (inaccuracy, presets),
            (
                named(
                    found.rescaling, "Rescaling the outputs by (x + 1) / 2 may help slightly"),
                presets
            ),
            (probabilities, "All test digits through the trained weights of every seed."),
            (saturation, presets),
            (
                hindrance,
                "MSE and hidden tanh with an identity output, which cannot saturate, against a tanh "
                    + "output; each at its own learning rate."
            ),
            (
                efficiency,
                "Every global batch, each configuration at its own learning rate; examples to an "
                    + "accuracy on held-out digits."
            ),
        ]
        return zip(Finding.judged(claims.map(\.0)), claims).map { finding, claim in
            ClaimRow(
                claim: finding.claim, experiment: claim.1, figure: finding.evidence,
                verdict: finding.verdict)
        }
    }

    private var probabilities: Finding {
        let claim = "Outputs of tanh are no probabilities"
        let all = calibrations
        guard all.count == 5 else {
            return Finding(
                claim: claim, verdict: .notTested, evidence: "There are no weights to look at.")
        }
        let (mse, rescaled, tempered, other, otherTempered) = (
            all[0], all[1], all[2], all[3], all[4]
        )
        let share = mse.pooled.impossibleShare
        func sum(_ outputs: OutputCalibration) -> String {
            Figures.fixed(outputs.pooled.meanOutputSum, 2)
        }
        func error(_ outputs: OutputCalibration) -> String {
            Figures.fixed(outputs.figure(\.expectedError)?.mean ?? .nan, 3)
        }
        let isTested = min(mse.networks.count, other.networks.count) >= Verdict.fewestPairs
        return Finding(
            claim: claim,
            verdict: !isTested ? .notTested : share > 0.01 ? .supported : .refuted,
            evidence:
                "\(Figures.fixed(share * 100, 1)) % of the outputs lie outside 0…1; a digit's outputs add "
                + "up to \(sum(mse)), after rescaling to \(sum(rescaled)), those of softmax to "
                + "\(sum(other)). Expected calibration error, mean over the seeds: \(error(mse)), rescaled "
                + "\(error(rescaled)), softmax \(error(other)); after temperature scaling "
                + "\(error(tempered)) and, of softmax, \(error(otherTempered)). The claim is that more "
                + "than 1 % lie outside."
        )
    }

    /// With the same loss and hidden layer, an output that cannot saturate would have to be better.
    private var hindrance: Finding {
        let claim = "Saturation of the tanh output hinders the gradient"
        func runs(_ output: Activation) -> [RunOutcome] {
            results.ablation.first {
                $0.key.loss == .mse && $0.key.output == output && $0.key.hidden == .tanh
                    && $0.key.targets == .zeroOne
            }?.outcomes ?? []
        }
        func accuracies(_ output: Activation) -> [UInt64: Double] {
            runs(output).filter(\.isResult).reduce(into: [:]) {
                $0[$1.run.seed] = $1.end?.testAccuracy
            }
        }
        let (identity, tanh) = (accuracies(.identity), accuracies(.tanh))
        let pairs = identity.sorted { $0.key < $1.key }.compactMap { seed, value in
            tanh[seed].map { value - $0 }
        }
        guard let effect = Effect(pairs, margin: Comparison.accuracyMargin) else {
            return Finding(
                claim: claim, verdict: .notTested, evidence: "There are too few pairs of runs.")
        }
        let interval =
            effect.interval.map {
                ", 95 % interval [\(signedPoints($0.lowerBound)), \(signedPoints($0.upperBound))]"
            } ?? ""
        return Finding(
            claim: claim, effect: effect,
            evidence:
                "Final test accuracy, identity output less tanh output: "
                + "\(signedPoints(effect.estimate)) percentage points"
                + "\(interval), n = \(effect.unitCount)." + hindranceText(runs(.tanh)))
    }

    /// A difference of shares in percentage points, with its sign.
    func signedPoints(_ share: Double) -> String {
        (share < 0 ? "−" : "+") + Figures.fixed(abs(share) * 100, 2)
    }
}
