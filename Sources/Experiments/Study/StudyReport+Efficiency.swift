import Foundation
import LockstepRuntime
import Report
import Statistics
import TerminalText
import TrainingPlan

/// How many examples the presets take to the target at every batch, as a ratio.
extension StudyReport {
    private struct BatchComparison {
        let batchSize: Int
        let times: TargetComparison
        /// Whether the median run of each gets there.
        let mseReaches: Bool
        let otherReaches: Bool
    }

    /// Seeds that were trained at every batch with both: they stay together when seeds are drawn.
    private var comparisons: [BatchComparison] {
        let (mse, other) = (batchTimes(.mseTanh), batchTimes(.ceSoftmax))
        let common = (mse + other).map { Set($0.examples.keys) }
        let seeds = common.dropFirst().reduce(common.first ?? []) { $0.intersection($1) }
        func kept(_ times: BatchTimes) -> [UInt64: TimeToEvent] {
            times.examples.filter { seeds.contains($0.key) }
        }
        return mse.compactMap { slow in
            other.first { $0.batchSize == slow.batchSize }.map { fast in
                BatchComparison(
                    batchSize: slow.batchSize,
                    times: TargetComparison(kept(slow), kept(fast), horizon: exampleBudget),
                    mseReaches: slow.medianExamples != nil,
                    otherReaches: fast.medianExamples != nil)
            }
        }
    }

    var efficiency: Finding {
        let claim = "Cross-entropy learns more efficiently"
        let all = comparisons
        let told = all.map(\.times).filter(\.isTold)
        guard let first = told.first, first.pairCount > 0 else {
            return Finding(
                claim: claim, verdict: .notTested,
                evidence: "At no batch is there a pair of runs of which one gets to the target.")
        }
        let ratio = Bootstrap(unitCount: first.pairCount) { places in
            let logs = told.map { times in
                let means = [times.first, times.second].map { runs in
                    KaplanMeier(places.map { runs[$0] }).restrictedMean(to: times.horizon)
                }
                return log(means[0] / means[1])
            }
            return exp(logs.reduce(0, +) / Double(logs.count))
        }
        func batches(_ mse: Bool, _ other: Bool) -> Int {
            all.count { $0.mseReaches == mse && $0.otherReaches == other }
        }
        let interval =
            ratio.interval.map {
                " [\(Figures.fixed($0.lowerBound, 2)), \(Figures.fixed($0.upperBound, 2))]"
            } ?? ""
        var effect = Effect(ratio, margin: Comparison.ratioMargin)
        effect?.bound = told.reduce(.exact) { $0.with($1.bound) }
        return Finding(
            claim: claim, effect: effect,
            evidence:
                "To \(Self.percent(Comparison.primaryThreshold)), mse-tanh needs "
                + "\(Figures.fixed(ratio.estimate, 2)) times the examples of ce-softmax\(interval), the "
                + "geometric mean over \(told.count) of \(all.count) batches "
                + "(\(Figures.plural(ratio.unitCount, "seed"))). The median runs of both get there at "
                + "\(batches(true, true)) batches, only that of ce-softmax at \(batches(false, true)), "
                + "only that of mse-tanh at \(batches(true, false)); a run that does not counts the "
                + "\(Figures.fixed(exampleBudget, 0)) examples that it had.")
    }

    func efficiencyTable(_ source: ChartSource) -> ReportTable {
        let rows = comparisons.map { comparison in
            (
                comparison: comparison, times: comparison.times,
                ratio: comparison.times.ratio()
            )
        }
        return ReportTable(
            name: "efficiency",
            title: "Examples of mse-tanh, as a multiple of those of ce-softmax", source: source,
            of: rows,
            columns: [
                .count("batch_size", "batch") { $0.comparison.batchSize },
                .count("pairs", "pairs of runs") { $0.times.pairCount },
                .count("reached_mse_tanh", "mse-tanh reached it") {
                    $0.times.first.count(where: \.isReached)
                },
                .count("reached_ce_softmax", "ce-softmax reached it") {
                    $0.times.second.count(where: \.isReached)
                },
                .fixed("ratio", "ratio of restricted means", digits: 2) { $0.ratio?.estimate },
                .fixed("low", "95 % interval from", digits: 2) {
                    $0.ratio?.interval?.lowerBound
                },
                .fixed("high", "to", digits: 2) { $0.ratio?.interval?.upperBound },
                .text("bound", "the ratio is") {
                    $0.times.isTold ? $0.times.bound.rawValue : "not measured"
                },
            ],
            note:
                "A run that does not reach \(Self.percent(Comparison.primaryThreshold)) counts the whole "
                + "budget, so that the ratio is a bound there. Bootstrap over the seeds, which are paired."
        )
    }
}
