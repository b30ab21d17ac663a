package import RunRecords
import Statistics
import TerminalText

/// Runs to be compared, those of one configuration and data set together.
package struct Comparison: Equatable, Sendable {
    package struct Group: Equatable, Sendable {
        /// The configuration's name, with the data set's where several are compared.
        package let label: String
        package let configuration: String
        package fileprivate(set) var runs: [RunOutcome]

        /// Those that ended as they were meant to; only their final figures count as results.
        package var completed: [RunOutcome] { runs.filter(\.isResult) }

        /// Final test accuracy by seed, of the completed runs.
        package var finalAccuracies: [UInt64: Double] {
            bySeed(completed) { $0.end?.testAccuracy }
        }

        /// One value a seed; where a seed was run twice, the newest.
        func bySeed<Value>(
            _ runs: [RunOutcome], _ value: (RunOutcome) -> Value?
        ) -> [UInt64: Value] {
            runs.reduce(into: [:]) { $0[$1.run.seed] = value($1) }
        }

        /// The mean test accuracy over the runs, by step, up to where the first of them has ended:
        /// beyond, only those would count that reach a target late. Runs that diverged are left out
        /// behind their end.
        var meanCurve: [CurvePoint] {
            let ends = runs.filter { $0.end?.status != .diverged }.map {
                $0.testCurve.last?.step ?? 0
            }
            let end = ends.min() ?? .max
            let points = runs.flatMap(\.testCurve).filter { $0.value.isFinite && $0.step <= end }
            return Dictionary(grouping: points, by: \.step).map { step, points in
                let share = 1 / Double(points.count)
                return CurvePoint(
                    step: step, epoch: points.map(\.epoch).reduce(0, +) * share,
                    seconds: points.map(\.seconds).reduce(0, +) * share,
                    value: points.map(\.value).reduce(0, +) * share)
            }.sorted { $0.step < $1.step }
        }
    }

    /// In order of first appearance.
    package private(set) var groups: [Group] = []

    /// The test accuracies at which convergence is timed, ascending.
    package let thresholds: [Double]

    /// - Parameter thresholds: nil for those that the runs call for; see
    ///   ``thresholds(for:)``.
    package init(_ runs: [RunOutcome], thresholds: [Double]? = nil) {
        self.thresholds = thresholds ?? Self.thresholds(for: runs)
        let hasSeveralDatasets = Set(runs.map(\.provenance.datasetSHA256)).count > 1
        for run in runs {
            let name = run.run.configuration
            let label = hasSeveralDatasets ? "\(name) (\(run.provenance.dataset))" : name
            let index = groups.firstIndex {
                $0.configuration == name
                    && $0.runs.first?.provenance.datasetSHA256 == run.provenance.datasetSHA256
            }
            if let index {
                groups[index].runs.append(run)
            } else {
                groups.append(Group(label: label, configuration: name, runs: [run]))
            }
        }
    }

    package var runs: [RunOutcome] { groups.flatMap(\.runs) }

    package func group(named configuration: String) -> Group? {
        groups.first { $0.configuration == configuration }
    }

    /// The data sets by name and hash, for a title.
    var datasets: String {
        var names: [String] = []
        for run in runs {
            let hash = Figures.shortHash(run.provenance.datasetSHA256)
            let name = "\(run.provenance.dataset) \(hash)"
            if !names.contains(name) { names.append(name) }
        }
        return names.joined(separator: ", ")
    }

    var seedCount: Int { Set(runs.map(\.run.seed)).count }

    /// “seed 3” or “3 seeds”.
    var seeds: String {
        let seeds = Set(runs.map(\.run.seed))
        return seeds.count == 1
            ? seeds.map { "seed \($0)" }.joined() : Figures.plural(seeds.count, "seed")
    }
}
