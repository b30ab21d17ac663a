import RunRecords
package import Statistics
package import TerminalText

/// What the records say about a claim.
package struct Finding: Equatable, Sendable {
    /// How figures and verdicts are to be read.
    package static let legend =
        "± is one standard deviation over seeds; brackets hold 95 % intervals, paired by seed: Student's of "
        + "a mean difference (from 3 seeds on) and the bootstrap's of a ratio (from 8 on). A claim is "
        + "supported where its effect is more than the margin below which it would not matter, and refuted "
        + "where it is less, in both cases with p ≤ 0.05 after Holm's correction for all claims; else it is "
        + "inconclusive. Fewer seeds test nothing."

    package var claim: String
    package var verdict: Verdict
    /// The numbers behind the verdict, in a sentence or two.
    package var evidence: String
    /// What was tested; nil where nothing was, or where the figure needs no test.
    package var effect: Effect?

    package init(claim: String, verdict: Verdict, evidence: String) {
        self.claim = claim
        self.verdict = verdict
        self.evidence = evidence
    }

    /// A claim whose verdict is that of its family.
    package init(claim: String, effect: Effect?, evidence: String) {
        self.init(claim: claim, verdict: .notTested, evidence: evidence)
        self.effect = effect
    }

    /// Gives a verdict to those that have an effect.
    package static func judged(_ findings: [Finding]) -> [Finding] {
        zip(findings, Verdict.ofFamily(findings.map(\.effect))).map { finding, judgement in
            guard let p = judgement.adjustedP else { return finding }
            var finding = finding
            finding.verdict = judgement.verdict
            finding.evidence +=
                p < 0.001 ? " Adjusted p < 0.001." : " Adjusted p = \(Figures.fixed(p, 3))."
            return finding
        }
    }
}

/// What the records say about each claim on MSE with tanh.
package struct Findings: Equatable, Sendable {
    /// That it converges more slowly.
    package let slowness: Finding
    /// That it ends less accurate.
    package let inaccuracy: Finding
    /// That its units saturate.
    package let saturation: Finding
    /// That rescaled outputs help.
    package let rescaling: Finding

    /// In the order in which they are shown.
    package var all: [Finding] { [slowness, inaccuracy, saturation, rescaling] }
}

extension Comparison {
    /// The claims about MSE with tanh that the comparison exists to test, each with its verdict.
    ///
    /// Differences are paired by seed, and too few seeds test nothing. Runs that did not complete
    /// are named; those that diverged never reach an accuracy.
    package var findings: Findings {
        let judged = Finding.judged(unjudgedFindings.all)
        return Findings(
            slowness: judged[0], inaccuracy: judged[1], saturation: judged[2],
            rescaling: judged[3])
    }

    /// Their effects and evidence, for whoever judges them together with other claims.
    package var unjudgedFindings: Findings {
        Findings(
            slowness: slowness, inaccuracy: inaccuracy, saturation: saturation,
            rescaling: rescaling)
    }

    /// What does not matter: a tenth of the steps, and a tenth of a percentage point.
    package static let ratioMargin = 1.1
    package static let accuracyMargin = 0.001

    /// The findings for a person.
    package func verdicts(_ style: TextStyle = TextStyle()) -> String {
        let lines = findings.all.flatMap { finding in
            let gap = max(2, style.width - finding.claim.count - finding.verdict.rawValue.count)
            let verdict =
                switch finding.verdict {
                case .supported: style.coloured(finding.verdict.rawValue, .green)
                case .refuted: style.coloured(finding.verdict.rawValue, .red)
                case .inconclusive, .notTested:
                    style.coloured(finding.verdict.rawValue, .yellow)
                }
            return [
                "", style.adapted(finding.claim) + String(repeating: " ", count: gap) + verdict,
                style.wrapped(finding.evidence, indent: 2),
            ]
        }
        let title = style.bold(style.adapted("Verdicts on \(datasets)"))
        return ([title, style.rule(style.width)] + lines.dropFirst()).joined(separator: "\n")
    }

    private static let mse = "mse-tanh"
    private static let rescaled = "mse-tanh-rescaled"
    private static let crossEntropy = "ce-softmax"

    // MARK: Claims

    private var slowness: Finding {
        let claim = "MSE + tanh converges more slowly"
        guard let mse = group(named: Self.mse), let other = group(named: Self.crossEntropy) else {
            return missing(claim, Self.mse, Self.crossEntropy)
        }
        // Whether a run that was cut short before the target was fast nobody knows, and its end as
        // the horizon of all would hide what the others did.
        func isOpen(_ run: RunOutcome) -> Bool {
            run.isCutShort && !run.crossing(of: Self.primaryThreshold).isReached
        }
        func times(_ group: Group) -> [UInt64: TimeToEvent] {
            group.bySeed(group.runs.filter { !isOpen($0) }) {
                $0.steps(to: Self.primaryThreshold, in: $0.testCurve)
            }
        }
        let compared = TargetComparison(times(mse), times(other))
        return Finding(
            claim: claim, effect: compared.effect,
            evidence:
                "Steps to \(Figures.fixed(Self.primaryThreshold * 100, 0)) % test accuracy: "
                + compared.evidence(Self.mse, Self.crossEntropy)
                + named([mse, other], as: "Did not complete") { !$0.isResult && !isOpen($0) }
                + named([mse, other], as: "Left out", where: isOpen))
    }

    private var inaccuracy: Finding {
        let claim = "MSE + tanh ends less accurate"
        guard let mse = group(named: Self.mse), let other = group(named: Self.crossEntropy) else {
            return missing(claim, Self.mse, Self.crossEntropy)
        }
        return accuracyFinding(claim, minuend: other, subtrahend: mse)
    }

    private var saturation: Finding {
        let claim = "MSE + tanh saturates"
        guard let mse = group(named: Self.mse) else { return missing(claim, Self.mse) }
        let shares = mse.completed.map(\.saturation).filter { !$0.isEmpty }
        guard let layerCount = shares.map(\.count).min(),
            let layers = optionalAll(
                (0..<layerCount).map { layer in Summary(shares.map { $0[layer] }) })
        else {
            return Finding(
                claim: claim, verdict: .notTested,
                evidence: "No completed run of \(Self.mse) logged its shares of saturated units."
                    + leftOut([mse]))
        }
        let worst = layers.indices.max { layers[$0].mean < layers[$1].mean } ?? 0
        let list = layers.enumerated().map { layer, summary in
            let name = layer == layers.count - 1 ? "output" : "hidden layer \(layer + 1)"
            return "\(name): \(Figures.meanAndDeviation(summary, 1, scale: 100)) %"
        }
        return Finding(
            claim: claim, effect: Effect(shares.map { $0[worst] }, margin: Self.saturated),
            evidence: "Saturated units in the last epoch: \(list.joined(separator: ", ")) "
                + "(\(Figures.plural(shares.count, "seed"))); the claim is that they are more than "
                + "\(Figures.fixed(Self.saturated * 100, 0)) % of a layer." + leftOut([mse]))
    }

    /// The fraction of a layer from which it counts as saturated.
    private static let saturated = 0.10

    private var rescaling: Finding {
        let claim = "Rescaling the outputs may help a little"
        let groups = [group(named: Self.rescaled), group(named: Self.mse)].compactMap { $0 }
        // Runs with the same weights are one network, which counts once.
        let networks = Dictionary(
            groups.flatMap(\.runs).compactMap(\.end)
                .filter { $0.rescalingComparedDecisions != nil }.map { ($0.weightsSHA256, $0) },
            uniquingKeysWith: { first, _ in first })
        let ends = networks.values
        let compared = ends.compactMap(\.rescalingComparedDecisions).reduce(0, +)
        let changed = ends.compactMap(\.rescalingChangedDecisions).reduce(0, +)
        let count =
            "\(Figures.count(changed)) of \(Figures.count(compared)) decisions differ between y and "
            + "(y + 1) / 2"
        if compared > 0, changed == 0 {
            let seeds = Set(
                groups.flatMap(\.runs).filter { $0.end?.rescalingComparedDecisions != nil }
                    .map(\.run.seed)
            ).count
            return Finding(
                claim: claim, verdict: seeds < Verdict.fewestPairs ? .notTested : .refuted,
                evidence: "\(count): the map keeps the order of the outputs."
                    + sameWeights(groups) + leftOut(groups))
        }
        guard groups.count == 2 else { return missing(claim, Self.rescaled, Self.mse) }
        var finding = accuracyFinding(
            claim, minuend: groups[0], subtrahend: groups[1])
        if compared > 0 {
            finding.evidence +=
                " \(count), all of them ties that rounding makes or breaks." + sameWeights(groups)
        }
        return finding
    }

    /// How many seeds have one network under both names.
    private func sameWeights(_ groups: [Group]) -> String {
        let hashes = groups.map { group in group.bySeed(group.runs) { $0.end?.weightsSHA256 } }
        guard hashes.count == 2 else { return "" }
        let seeds = hashes[0].keys.filter { hashes[1][$0] != nil }
        let same = seeds.count { hashes[0][$0] == hashes[1][$0] }
        guard same > 0 else { return "" }
        return
            " With \(same) of \(Figures.plural(seeds.count, "seed")) the weights of both are the "
            + "same bits: one network, which counts once."
    }

    // MARK: Parts

    private func accuracyFinding(
        _ claim: String, minuend: Group, subtrahend: Group
    ) -> Finding {
        let (a, b) = (minuend.finalAccuracies, subtrahend.finalAccuracies)
        guard let difference = Summary.pairedDifference(a, b) else {
            return Finding(
                claim: claim, verdict: .notTested,
                evidence: "No seed completed with both \(minuend.label) and \(subtrahend.label)."
                    + leftOut([minuend, subtrahend]))
        }
        let mean = { (values: [UInt64: Double], others: [UInt64: Double]) in
            Figures.meanAndDeviation(
                Summary(values.filter { others[$0.key] != nil }.values.sorted()), 2, scale: 100)
        }
        let pairs = a.compactMap { seed, value in b[seed].map { value - $0 } }.sorted()
        return Finding(
            claim: claim, effect: Effect(pairs, margin: Self.accuracyMargin),
            evidence: "Final test accuracy: \(minuend.label) \(mean(a, b)) % against "
                + "\(subtrahend.label) \(mean(b, a)) %; difference "
                + "\(figure(difference, 2, scale: 100)) percentage points (\(basis(difference)))."
                + leftOut([minuend, subtrahend]))
    }

    /// “+0.94 [0.80, 1.08]”: the mean, and from three seeds on its interval.
    private func figure(_ difference: Summary, _ digits: Int, scale: Double = 1) -> String {
        let mean = Figures.signed(difference.mean * scale, digits)
        guard difference.count >= Verdict.fewestPairs, difference.standardDeviation != 0,
            let interval = difference.confidenceInterval
        else { return mean }
        let bounds = [interval.lowerBound, interval.upperBound].map {
            Figures.signed($0 * scale, digits)
        }
        return "\(mean) [\(bounds.joined(separator: ", "))]"
    }

    private func basis(_ difference: Summary) -> String {
        switch difference.count {
        case 1: "one seed"
        case 2: "two seeds"
        case let count: "95 % interval, \(count) seeds"
        }
    }

    private func missing(_ claim: String, _ names: String...) -> Finding {
        let missing = names.filter { group(named: $0) == nil }.joined(separator: " and of ")
        return Finding(
            claim: claim, verdict: .notTested, evidence: "There is no run of \(missing).")
    }

    /// Names the runs that did not complete; no pair is made of them where final figures count.
    private func leftOut(_ groups: [Group]) -> String {
        named(groups, as: "Left out") { !$0.isResult }
    }

    private func named(
        _ groups: [Group], as word: String, where isNamed: (RunOutcome) -> Bool
    ) -> String {
        let names = groups.flatMap { group in
            group.runs.filter(isNamed).map {
                "\(group.label) seed \($0.run.seed) (\($0.end?.status.rawValue ?? "unfinished"))"
            }
        }
        return names.isEmpty ? "" : " \(word): \(names.joined(separator: ", "))."
    }

    private func optionalAll<Value>(_ values: [Value?]) -> [Value]? {
        let present = values.compactMap { $0 }
        return present.count == values.count ? present : nil
    }
}
