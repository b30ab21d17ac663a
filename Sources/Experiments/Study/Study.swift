package import Datasets
package import LockstepProtocol
package import LockstepRuntime
package import NeuralNetwork
import Report
import RunRecords
import Statistics
import TrainingPlan

/// The shipped study: every question is a sweep in a folder of its own, so that a second start
/// takes up where the first one was left.
package struct Study: Sendable {
    package let plan: StudyPlan
    let dataset: Dataset
    let directory: String
    let parallelism: Int
    let kernels: KernelVariant
    let checkpoints: CheckpointPolicy
    /// How runs go through this many workers; without it the question of workers is left out.
    let cluster: (@Sendable (_ workers: Int) -> Sweep.Cluster)?

    package init(
        _ plan: StudyPlan, dataset: Dataset, directory: String, parallelism: Int,
        kernels: KernelVariant, checkpoints: CheckpointPolicy = CheckpointPolicy(),
        cluster: (@Sendable (_ workers: Int) -> Sweep.Cluster)?
    ) {
        self.plan = plan
        self.dataset = dataset
        self.directory = directory
        self.parallelism = parallelism
        self.kernels = kernels
        self.checkpoints = checkpoints
        self.cluster = cluster
    }

    /// A configuration with the rate that was chosen for it, and its runs at that rate.
    struct Tuned<Key: Sendable>: Sendable {
        let key: Key
        let rate: Double
        /// Where the rate lay in the grid.
        let place: RateRace.Place
        let runs: [SweepResult.Run]

        var outcomes: [RunOutcome] { runs.compactMap(\.outcome) }
    }

    struct ScalePoint: Hashable, Sendable {
        let preset: RunConfiguration.Preset
        let batchSize: Int
    }

    struct Results: Sendable {
        var presets: [SweepResult.Run] = []
        var times: [SweepResult.Run] = []
        var controls: [SweepResult.Run] = []
        var ablation: [Tuned<NetworkArchitecture>] = []
        var scale: [Tuned<ScalePoint>] = []
        /// By count of workers; 0 is one process without sockets.
        var workers: [(count: Int, runs: [RunOutcome])] = []
        /// All runs by their folders, those of the choice of rates included.
        fileprivate(set) var all: [String: SweepResult.Run] = [:]
        /// Why questions could not be asked to their end, by their names.
        fileprivate(set) var unanswered: [(name: String, cause: StopReason)] = []

        var runCount: Int { all.count }

        /// Runs that could not be trained, with their causes, by their folders.
        var failed: [String] {
            unanswered.map { "\($0.name): \($0.cause.text)" }
                + all.sorted { $0.key < $1.key }.compactMap { path, run in
                    run.failure.map { "\(path): \($0.text)" }
                }
        }

        var failureCode: ExitCode {
            .ofFailures(unanswered.map(\.cause) + all.values.compactMap(\.failure))
        }
    }

    /// Trains what is not there yet, question by question.
    ///
    /// - Parameter begins: called with each question's name before it is trained.
    /// - Returns: the report, or why there is none.
    /// - Throws: ``RoleError`` (78) where the folder holds a study of other data.
    package func run(
        observer: any SweepObserver, interruption: Interruption,
        begins: (_ question: String, _ runs: Int) -> Void
    ) throws -> Result<StudyReport, StudyEnd> {
        try SweepDescription.check(folder: directory, for: dataset)
        var results = Results()
        func train(
            _ name: String, _ runs: [SweepRun], parallelism: Int, cluster: Sweep.Cluster?
        ) throws -> [SweepResult.Run] {
            begins(name, runs.count)
            var sweep = Sweep(
                runs: runs, dataset: dataset, directory: "\(directory)/\(name)",
                parallelism: parallelism, kernels: kernels)
            sweep.cluster = cluster
            sweep.checkpoints = checkpoints
            let result = try sweep.run(observer: observer, interruption: interruption)
            if let reason = interruption.reason { throw StudyEnd(reason: reason) }
            for run in result.runs { results.all[run.directory.path] = run }
            return result.runs
        }
        func trainSome(_ name: String, _ runs: [SweepRun]) throws -> [SweepResult.Run] {
            try train(name, runs, parallelism: parallelism, cluster: nil)
        }
        do {
            results.presets = try trainSome("presets", plan.presetRuns.map { SweepRun($0) })
            results.times = try trainSome(
                "times", plan.timeRuns.map { SweepRun($0, keepsWeights: false) })
            results.controls = try trainSome(
                "controls", plan.controlRuns.map { SweepRun($0, keepsWeights: false) })
            results.ablation = try tuned(
                "ablation", StudyPlan.variants.map { ($0, plan.ablationRates) }, plan.ablation,
                .accuracy, trainSome
            ) { variant, rate, seed in
                plan.ablationRun(variant, rate: rate, seed: seed)
            }
            let points = plan.batchSizes.flatMap { batch in
                StudyPlan.scalePresets.map { ScalePoint(preset: $0, batchSize: batch) }
            }
            let scaleRates = points.map { ($0, plan.scaleRates(batchSize: $0.batchSize)) }
            results.scale = try tuned(
                "scale", scaleRates, plan.scale, .steps(to: Comparison.primaryThreshold),
                trainSome
            ) { point, rate, seed in
                plan.scaleRun(
                    point.preset, batchSize: point.batchSize, rate: rate, seed: seed)
            }
            let workerRuns = plan.workerRuns.map { SweepRun($0, keepsWeights: false) }
            for count in cluster == nil ? [] : [0] + plan.workerCounts {
                let name = "workers-\(count)"
                do {
                    // Whoever is timed has the machine to itself.
                    let runs = try train(
                        name, workerRuns, parallelism: 1,
                        cluster: count == 0 ? nil : cluster?(count))
                    results.workers.append((count, runs.compactMap(\.outcome)))
                } catch let end as StudyEnd {
                    throw end
                } catch {
                    // Where no cluster can be had, all other questions have their answers.
                    results.workers.append((count, []))
                    results.unanswered.append((name, StopReason(starting: error)))
                }
            }
        } catch let end as StudyEnd {
            return .failure(end)
        }
        if let cause = results.presets.compactMap(\.failure).first,
            !results.presets.contains(where: { $0.outcome != nil })
        {
            return .failure(StudyEnd(reason: cause))
        }
        return .success(try StudyReport(self, results))
    }

    /// Chooses a rate for each configuration on the held-out examples, and trains it with that rate
    /// on every seed.
    private func tuned<Key: Sendable>(
        _ name: String, _ candidates: [(key: Key, rates: [Double])],
        _ question: StudyPlan.Question, _ goal: RateRace.Goal,
        _ train: (String, [SweepRun]) throws -> [SweepResult.Run],
        _ configuration: (Key, _ rate: Double, _ seed: UInt64) -> RunConfiguration
    ) throws -> [Tuned<Key>] {
        var races = candidates.map {
            RateRace(rates: $0.rates, seeds: question.trialSeeds, goal: goal)
        }
        var trials: [SweepRun] = []
        while case let next = races.map(\.next), next.contains(where: { !$0.isEmpty }) {
            let new = zip(candidates, next).flatMap { candidate, next in
                next.map {
                    SweepRun(
                        configuration(candidate.key, $0.rate, $0.seed), keepsWeights: false)
                }
            }
            // All of them each time: the folder's list of runs is whole, and what is there is only
            // read.
            trials += new
            var ended = try train("\(name)-rates", trials).suffix(new.count)
            for (race, next) in zip(races.indices, next) {
                for trial in next { races[race].add(ended.removeFirst().outcome, of: trial) }
            }
        }
        let chosen = zip(candidates, races).compactMap { candidate, race in
            race.winner.flatMap { rate in
                race.place.map { (key: candidate.key, rate: rate, place: $0) }
            }
        }
        let seeds = StudyPlan.seeds(question.seeds)
        let runs = try train(
            name,
            chosen.flatMap { key, rate, _ in
                seeds.map { SweepRun(configuration(key, rate, $0), keepsWeights: false) }
            })
        return chosen.enumerated().map { index, choice in
            let range = index * seeds.count..<(index + 1) * seeds.count
            return Tuned(
                key: choice.key, rate: choice.rate, place: choice.place, runs: Array(runs[range]))
        }
    }
}

/// A study that was interrupted.
package struct StudyEnd: Error {
    package let reason: StopReason
}

extension StopReason {
    /// Why the runs of a cluster could not even begin.
    fileprivate init(starting error: any Error) {
        switch error {
        case let error as RoleError: self = error.reason
        case is FileError, is MetricsError, is RunDirectoryError, is FolderInUse:
            self.init(recording: error)
        default: self.init(.unavailable, "\(error)")
        }
    }
}
