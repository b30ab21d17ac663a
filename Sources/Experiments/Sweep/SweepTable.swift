import LockstepRuntime
import Report
package import RunRecords
import Statistics
package import TerminalText

/// The table at the end of a sweep: a row for each point of the grid, over its seeds. It holds no
/// time, so it is the same however the runs were placed and however often the sweep was
/// interrupted.
package struct SweepTable: Equatable, Sendable {
    /// The runs of one point.
    package struct Point: Equatable, Sendable {
        /// A value for each of the table's settings.
        package var values: [String]
        package var outcomes: [RunOutcome]
        package var failedCount: Int

        package init(values: [String], outcomes: [RunOutcome], failedCount: Int) {
            self.values = values
            self.outcomes = outcomes
            self.failedCount = failedCount
        }
    }

    /// What tells the points apart.
    package var settings: [String]
    /// In the order of the grid.
    package var points: [Point]
    /// The test accuracies at which convergence is timed.
    package let targets: [Double]

    /// - Parameter targets: nil for those that the runs call for.
    package init(settings: [String], points: [Point], targets: [Double]? = nil) {
        self.settings = settings
        self.points = points
        self.targets = targets ?? Comparison.thresholds(for: points.flatMap(\.outcomes))
    }

    package func text(_ style: TextStyle = TextStyle()) -> String {
        var table = TextTable()
        let thresholds = targets.map { "to \(Figures.percent($0))" }
        table.add(
            settings + ["n", "test accuracy, %", "median"] + thresholds + ["diverged", "failed"])
        table.addRule()
        for point in points { table.add(point.values + point.cells(targets)) }
        return table.text(style) + "\n\n"
            + style.wrapped(
                "n: runs that were trained to their end; accuracy is their mean ± standard deviation. "
                    + "Medians are over all runs that ended: of the accuracies, those that diverged count "
                    + "as the lowest; of the steps, those that did not get there as the most (k/n: only k "
                    + "of n did; —: less than half).")
    }
}

extension SweepTable.Point {
    fileprivate func cells(_ targets: [Double]) -> [String] {
        let ended = outcomes.filter { $0.end != nil }
        let diverged = ended.filter { $0.end?.status == .diverged }
        let completed = ended.filter(\.isResult)
        let accuracies = completed.compactMap { $0.end?.testAccuracy }
        let median =
            Quantiles.median(accuracies.map { -$0 }, of: ended.count)
            .map { Figures.fixed(-$0 * 100, 2) } ?? "—"
        let crossings = targets.map { threshold in
            steps(to: threshold, of: ended)
        }
        return [
            "\(completed.count)",
            Figures.meanAndDeviation(Summary(accuracies), 2, scale: 100), median,
        ] + crossings + ["\(diverged.count)", "\(failedCount)"]
    }

    private func steps(to threshold: Double, of outcomes: [RunOutcome]) -> String {
        let steps = outcomes.compactMap { outcome in
            let crossing = outcome.crossing(of: threshold)
            return crossing.isReached ? Double(crossing.point.step) : nil
        }
        let median =
            Quantiles.median(steps, of: outcomes.count).map { Figures.fixed($0, 0) } ?? "—"
        return steps.count < outcomes.count
            ? "\(median) (\(steps.count)/\(outcomes.count))" : median
    }
}
