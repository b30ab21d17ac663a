import RunRecords
package import Statistics
package import TerminalText

/// What the records say about a claim.
package struct Finding: Equatable, Sendable {
    /// How figures and verdicts are to be read.
    package static let legend =
        "± is one standard deviation over seeds, and brackets hold Student's 95 % interval of a mean "
        + "difference, paired by seed. From three seeds on a claim is supported where the whole interval lies "
        + "on its side of zero, refuted where none of it does, and inconclusive in between; where the "
        + "figure is none of this kind, the claim's own rule stands beside it."

    package var claim: String
    package var verdict: Verdict
    /// The numbers behind the verdict, in a sentence or two.
    package var evidence: String
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
    /// Differences are paired by seed. From three seeds on, a claim holds where Student's 95 %
    /// interval of the mean difference lies on its side of zero; with fewer the sign decides, and
    /// the evidence says on how little it rests. Runs that did not complete are named, not paired.
    package var findings: Findings {
        Findings(
            slowness: slowness, inaccuracy: inaccuracy, saturation: saturation,
            rescaling: rescaling)
    }

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
        // The highest threshold that one of the two reached with every seed tells most.
        for threshold in Self.thresholds.reversed() {
            let slow = mse.bySeed(mse.completed) { $0.crossing(of: threshold) }
            let fast = other.bySeed(other.completed) { $0.crossing(of: threshold) }
            let pairs = slow.compactMap { seed, crossing in fast[seed].map { (crossing, $0) } }
            guard !pairs.isEmpty, pairs.allSatisfy({ $0.isReached || $1.isReached }) else {
                continue
            }
            let difference = Summary.pairedDifference(
                slow.mapValues { Double($0.earliestStep) },
                fast.mapValues { Double($0.earliestStep) })
            guard let difference else { continue }
            let bound: Bound =
                switch (pairs.allSatisfy(\.0.isReached), pairs.allSatisfy(\.1.isReached)) {
                case (true, true): .exact
                case (false, true): .atLeast
                case (true, false): .atMost
                case (false, false): .none
                }
            let evidence =
                "Steps to \(Figures.fixed(threshold * 100, 0)) % test accuracy: "
                + "\(Self.mse) \(steps(pairs.map(\.0))), \(Self.crossEntropy) \(steps(pairs.map(\.1)));"
                + " difference \(figure(difference, 0))\(bound.rawValue)"
                + " (\(basis(difference)))."
            return Finding(
                claim: claim, verdict: bound.admits(Self.verdict(difference)),
                evidence: evidence + leftOut([mse, other]))
        }
        return Finding(
            claim: claim, verdict: .inconclusive,
            evidence:
                "No threshold from \(Figures.fixed((Self.thresholds.first ?? 0) * 100, 0)) % up "
                + "was reached by one of the two with every seed." + leftOut([mse, other]))
    }

    /// What a difference says where some runs did not reach the threshold: they count one step
    /// beyond their end, the earliest that they could have.
    private enum Bound: String {
        case exact = ""
        case atLeast = " at least"
        case atMost = " at most"
        /// Runs of both sides are censored.
        case none = " as far as the runs went"

        func admits(_ verdict: Verdict) -> Verdict {
            switch (self, verdict) {
            case (.exact, _), (.atLeast, .supported), (.atMost, .refuted): verdict
            case (.atLeast, _), (.atMost, _), (.none, _): .inconclusive
            }
        }
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
                (0..<layerCount).map { layer in Summary(shares.map { $0[layer] }) }),
            let most = layers.map(\.mean).max()
        else {
            return Finding(
                claim: claim, verdict: .inconclusive,
                evidence: "No completed run of \(Self.mse) logged its shares of saturated units."
                    + leftOut([mse]))
        }
        let verdict: Verdict =
            most >= Self.saturated ? .supported : most < Self.unsaturated ? .refuted : .inconclusive
        let list = layers.enumerated().map { layer, summary in
            let name = layer == layers.count - 1 ? "output" : "hidden layer \(layer + 1)"
            return "\(name): \(Figures.meanAndDeviation(summary, 1, scale: 100)) %"
        }
        return Finding(
            claim: claim, verdict: verdict,
            evidence: "Saturated units in the last epoch: \(list.joined(separator: ", ")) "
                + "(\(Figures.plural(shares.count, "seed"))). It holds from "
                + "\(Figures.fixed(Self.saturated * 100, 0)) % of a layer up, and not where every "
                + "layer is below \(Figures.fixed(Self.unsaturated * 100, 0)) %." + leftOut([mse]))
    }

    /// Shares of a layer from which it counts as saturated, and below which it does not.
    private static let saturated = 0.10
    private static let unsaturated = 0.01

    private var rescaling: Finding {
        let claim = "Rescaling the outputs may help a little"
        let groups = [group(named: Self.rescaled), group(named: Self.mse)].compactMap { $0 }
        let ends = groups.flatMap(\.runs).compactMap(\.end)
        let compared = ends.compactMap(\.rescalingComparedDecisions).reduce(0, +)
        let changed = ends.compactMap(\.rescalingChangedDecisions).reduce(0, +)
        let count =
            "\(Figures.count(changed)) of \(Figures.count(compared)) decisions differ between y and "
            + "(y + 1) / 2"
        if compared > 0, changed == 0 {
            return Finding(
                claim: claim, verdict: .refuted,
                evidence: "\(count): the map keeps the order of the outputs." + leftOut(groups))
        }
        guard groups.count == 2 else { return missing(claim, Self.rescaled, Self.mse) }
        var finding = accuracyFinding(
            claim, minuend: groups[0], subtrahend: groups[1])
        if compared > 0 {
            finding.evidence += " \(count), all of them ties that rounding makes or breaks."
        }
        return finding
    }

    // MARK: Parts

    private func accuracyFinding(
        _ claim: String, minuend: Group, subtrahend: Group
    ) -> Finding {
        let (a, b) = (minuend.finalAccuracies, subtrahend.finalAccuracies)
        guard let difference = Summary.pairedDifference(a, b) else {
            return Finding(
                claim: claim, verdict: .inconclusive,
                evidence: "No seed completed with both \(minuend.label) and \(subtrahend.label)."
                    + leftOut([minuend, subtrahend]))
        }
        let mean = { (values: [UInt64: Double], others: [UInt64: Double]) in
            Figures.meanAndDeviation(
                Summary(values.filter { others[$0.key] != nil }.values.sorted()), 2, scale: 100)
        }
        return Finding(
            claim: claim, verdict: Self.verdict(difference),
            evidence: "Final test accuracy: \(minuend.label) \(mean(a, b)) % against "
                + "\(subtrahend.label) \(mean(b, a)) %; difference "
                + "\(figure(difference, 2, scale: 100)) percentage points (\(basis(difference)))."
                + leftOut([minuend, subtrahend]))
    }

    /// Whether a difference is above zero.
    private static func verdict(_ difference: Summary) -> Verdict {
        if difference.count >= 3, let interval = difference.confidenceInterval {
            if interval.lowerBound > 0 { return .supported }
            return interval.upperBound <= 0 ? .refuted : .inconclusive
        }
        if difference.minimum > 0 { return .supported }
        return difference.maximum <= 0 ? .refuted : .inconclusive
    }

    /// “+0.94 [0.80, 1.08]”: the mean, and from three seeds on its interval.
    private func figure(_ difference: Summary, _ digits: Int, scale: Double = 1) -> String {
        let mean = Figures.signed(difference.mean * scale, digits)
        guard difference.count >= 3, let interval = difference.confidenceInterval else {
            return mean
        }
        let bounds = [interval.lowerBound, interval.upperBound].map {
            Figures.signed($0 * scale, digits)
        }
        return "\(mean) [\(bounds.joined(separator: ", "))]"
    }

    private func basis(_ difference: Summary) -> String {
        switch difference.count {
        case 1: "one seed: a hint, no proof"
        case 2: "two seeds: too few for an interval"
        case let count: "95 % interval, \(count) seeds"
        }
    }

    private func steps(_ crossings: [Crossing]) -> String {
        if !crossings.contains(where: \.isReached) { return "not reached" }
        let mean = Figures.fixed(
            Summary(crossings.map { Double($0.point.step) })?.mean ?? .nan, 0)
        return crossings.allSatisfy(\.isReached) ? mean : "≥ \(mean)"
    }

    private func missing(_ claim: String, _ names: String...) -> Finding {
        let missing = names.filter { group(named: $0) == nil }.joined(separator: " and of ")
        return Finding(
            claim: claim, verdict: .inconclusive, evidence: "There is no run of \(missing).")
    }

    /// Names the runs that no pair was made of.
    private func leftOut(_ groups: [Group]) -> String {
        let names = groups.flatMap { group in
            group.runs.filter { !group.completed.contains($0) }.map {
                "\(group.label) seed \($0.run.seed) (\($0.end?.status.rawValue ?? "unfinished"))"
            }
        }
        return names.isEmpty ? "" : " Left out: \(names.joined(separator: ", "))."
    }

    private func optionalAll<Value>(_ values: [Value?]) -> [Value]? {
        let present = values.compactMap { $0 }
        return present.count == values.count ? present : nil
    }
}
