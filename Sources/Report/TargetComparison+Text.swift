package import Statistics
import TerminalText

extension TargetComparison {
    /// What is claimed: the first takes more steps than ``Comparison/ratioMargin`` times those of
    /// the second.
    package var effect: Effect? {
        var effect = ratio().flatMap { Effect($0, margin: Comparison.ratioMargin) }
        effect?.bound = bound
        return effect
    }

    /// “mse-tanh 4,453 and ce-softmax 1,600, restricted means up to 18,750; 2.78 times as many
    /// [2.61, 2.95] (24 seeds), log-rank p < 0.001.”
    package func evidence(_ firstName: String, _ secondName: String) -> String {
        guard pairCount > 0 else { return "there is no pair of runs to compare." }
        guard let ratio = ratio() else {
            return "no run of either gets there within \(Figures.fixed(horizon, 0))."
        }
        func mean(_ times: [TimeToEvent]) -> String {
            Figures.fixed(KaplanMeier(times).restrictedMean(to: horizon), 0)
        }
        func reached(_ times: [TimeToEvent]) -> String {
            let count = times.count(where: \.isReached)
            return count == times.count ? "" : " (\(count) of \(times.count) get there)"
        }
        let interval =
            ratio.interval.map {
                " [\(Figures.fixed($0.lowerBound, 2)), \(Figures.fixed($0.upperBound, 2))]"
            } ?? ""
        let size =
            switch bound {
            case .exact: ""
            case .atLeast: "at least "
            case .atMost: "at most "
            case .undetermined: "as far as they were watched "
            }
        let pValue = pairCount < Verdict.fewestPairs ? nil : logRank.pValue
        let logRank =
            pValue.map {
                ", log-rank p " + ($0 < 0.001 ? "< 0.001" : "= \(Figures.fixed($0, 3))")
            } ?? ""
        return "\(firstName) \(mean(first))\(reached(first)), \(secondName) "
            + "\(mean(second))\(reached(second)), restricted means up to "
            + "\(Figures.fixed(horizon, 0)); \(size)\(Figures.fixed(ratio.estimate, 2)) times as many"
            + "\(interval) (\(Figures.plural(pairCount, "seed")))\(logRank)."
    }
}
