import Experiments
import LockstepProtocol
import LockstepRuntime
import Logging
import TerminalText
import TrainingPlan

/// The runs of a grid: what each is called, and the settings that it has.
struct SweepPlan {
    struct Entry {
        let point: SweepGrid.Point
        /// Those of the command line, with the point's.
        let settings: Settings
        let configuration: RunConfiguration
    }

    /// In the order of the grid, without those that were left out.
    private(set) var entries: [Entry] = []
    /// What was varied, for `sweep.json`.
    let axes: [SweepDescription.Axis]
    private let grid: SweepGrid
    private let skipsInvalid: Bool

    /// - Throws: ``SweepGridError`` for an empty or too large grid and for two points of one
    ///   configuration, ``UsageError`` for a point that cannot be trained.
    init(_ grid: SweepGrid, settings: Settings, skipsInvalid: Bool, logger: Logger) throws {
        self.grid = grid
        self.skipsInvalid = skipsInvalid
        axes = grid.axes.map {
            SweepDescription.Axis(setting: $0.key.rawValue, values: $0.values)
        }
        var points: [String: SweepGrid.Point] = [:]
        for point in try grid.points() {
            let own = settings.setting(point)
            let configuration = try own.runConfiguration()
            entries.append(Entry(point: point, settings: own, configuration: configuration))
            let text = configuration.canonicalText(datasetSHA256: "")
            if let first = points.updateValue(point, forKey: text) {
                throw SweepGridError(
                    "the grid", "“\(first.label)” and “\(point.label)” are the same run",
                    "leave one out")
            }
        }
        try validate(trainingExampleCount: nil, logger: logger)
    }

    /// Refuses the points that cannot be trained, or leaves them out.
    ///
    /// - Parameter trainingExampleCount: nil before the data set is known.
    mutating func validate(trainingExampleCount: Int?, logger: Logger) throws {
        var valid: [Entry] = []
        for entry in entries {
            do throws(UsageError) {
                try entry.settings.validate(
                    entry.configuration, trainingExampleCount: trainingExampleCount)
                valid.append(entry)
            } catch {
                guard skipsInvalid else {
                    throw UsageError(
                        "point \(entry.point.label)", "it cannot be trained: \(error)",
                        "or leave such points out with --skip-invalid")
                }
                logger.notice("left out: \(entry.point.label) (\(error))")
            }
        }
        guard !valid.isEmpty else {
            throw SweepGridError("the grid", "no point of it can be trained", "change it")
        }
        entries = valid
    }

    /// What a run is called, by its configuration.
    var labels: [RunConfiguration: String] {
        Dictionary(entries.map { ($0.configuration, $0.point.label) }) { first, _ in first }
    }

    /// The settings that tell points apart, seeds left out; a name where there is none.
    private var columns: [RunConfiguration.Key] {
        let keys = grid.keys.filter { key in
            key != .seed && Set(entries.map { $0.configuration.text(of: key) }).count > 1
        }
        return keys.isEmpty ? [.preset] : keys
    }

    /// A row for each point, over its seeds.
    func table(of result: SweepResult, targets: [Double]?) -> SweepTable {
        let columns = columns
        var points: [SweepTable.Point] = []
        var places: [RunConfiguration: Int] = [:]
        for run in result.runs {
            var point = run.run.configuration
            point.seed = 0
            let place = places[point] ?? points.count
            if place == points.count {
                places[point] = place
                let values = columns.map { key in
                    key == .preset
                        ? point.name : SweepGrid.shown(point.text(of: key) ?? "-", key)
                }
                points.append(SweepTable.Point(values: values, outcomes: [], failedCount: 0))
            }
            switch run.ending {
            case .ended(let outcome): points[place].outcomes.append(outcome)
            case .failed: points[place].failedCount += 1
            case .unfinished: break
            }
        }
        return SweepTable(settings: columns.map(\.rawValue), points: points, targets: targets)
    }
}

/// What `--dry-run` shows.
struct SweepForecast {
    private let sweep: Sweep
    private let plan: SweepPlan

    init(_ sweep: Sweep, _ plan: SweepPlan) {
        self.sweep = sweep
        self.plan = plan
    }

    func show() {
        let isComplete = plan.entries.map { sweep.isComplete($0.configuration) }
        let left = zip(plan.entries, isComplete).filter { !$1 }.map(\.0.configuration)
        let estimate = SweepEstimate(left, dataset: sweep.dataset, kernels: sweep.kernels)
        var seconds = estimate.seconds[...]
        var rows = [["id", "run", "time"]]
        for (entry, isComplete) in zip(plan.entries, isComplete) {
            let time =
                isComplete
                ? "complete" : seconds.popFirst().map { Figures.fixed($0, 1) + " s" } ?? ""
            rows.append([sweep.id(of: entry.configuration), entry.point.label, time])
        }
        print(TextTable(words: rows).text())
        let all = Figures.fixed(estimate.secondsForAll(parallelism: sweep.parallelism), 0)
        print(
            """

            \(Figures.plural(rows.count - 1, "run")), \(left.count) to train: about \(all) s with \
            \(sweep.parallelism) at a time in this process, as a measurement of this machine over \
            \(Figures.fixed(estimate.measuringSeconds, 1)) s says; other work on it, or a target \
            that is reached, changes that
            """)
    }
}
