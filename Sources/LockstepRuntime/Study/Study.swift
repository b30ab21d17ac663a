import Convergence
package import Datasets
package import LockstepProtocol
package import NeuralNetwork

/// The shipped study: every question is a sweep in a folder of its own, so that a second start takes up where
/// the first one was left.
package struct Study: Sendable {
    package let plan: StudyPlan
    let dataset: Dataset
    let directory: String
    let parallelism: Int
    let kernels: KernelVariant
    /// How runs go through this many workers; without it the question of workers is left out.
    let cluster: (@Sendable (_ workers: Int) -> Sweep.Cluster)?

    package init(
        _ plan: StudyPlan, dataset: Dataset, directory: String, parallelism: Int,
        kernels: KernelVariant, cluster: (@Sendable (_ workers: Int) -> Sweep.Cluster)?
    ) {
        self.plan = plan
        self.dataset = dataset
        self.directory = directory
        self.parallelism = parallelism
        self.kernels = kernels
        self.cluster = cluster
    }

    /// A configuration with the rate that was chosen for it, and its runs at that rate.
    struct Tuned<Key: Sendable>: Sendable {
        let key: Key
        let rate: Double
        let runs: [SweepResult.Run]

        var outcomes: [RunOutcome] { runs.compactMap(\.outcome) }
    }

    struct ScalePoint: Hashable, Sendable {
        let preset: RunConfiguration.Preset
        let batchSize: Int
    }

    struct Results: Sendable {
        var presets: [SweepResult.Run] = []
        var ablation: [Tuned<NetworkArchitecture>] = []
        var scale: [Tuned<ScalePoint>] = []
        /// By count of workers; 0 is one process without sockets.
        var workers: [(count: Int, runs: [RunOutcome])] = []
        /// All runs, those of the choice of rates included.
        var runCount = 0
        var failed: [String] = []
    }

    /// Trains what is not there yet, question by question.
    ///
    /// - Parameter begins: called with each question's name before it is trained.
    /// - Returns: the report, or why there is none.
    package func run(
        observer: any SweepObserver, interruption: Interruption,
        begins: (_ question: String, _ runs: Int) -> Void
    ) throws -> Result<StudyReport, StudyEnd> {
        var results = Results()
        func train(
            _ name: String, _ runs: [SweepRun], cluster: Sweep.Cluster? = nil
        ) throws -> [SweepResult.Run] {
            begins(name, runs.count)
            var sweep = Sweep(
                runs: runs, dataset: dataset, directory: "\(directory)/\(name)",
                parallelism: cluster == nil ? parallelism : 1, kernels: kernels)
            sweep.cluster = cluster
            let result = try sweep.run(observer: observer, interruption: interruption)
            if let reason = interruption.reason { throw StudyEnd(reason: reason) }
            results.runCount += result.runs.count
            results.failed += result.failed.map { "\($0.run.directory.path): \($0.cause.text)" }
            return result.runs
        }
        do {
            results.presets = try train("presets", plan.presetRuns.map { SweepRun($0) })
            results.ablation = try tuned(
                "ablation", StudyPlan.variants.map { ($0, plan.ablationRates) }, plan.ablation,
                train
            ) { variant, rate, seed, isTuning in
                plan.ablationRun(
                    variant, rate: rate, seed: seed,
                    epochs: isTuning ? plan.ablation.tuningEpochs : plan.ablation.epochs)
            }
            let points = plan.batchSizes.flatMap { batch in
                StudyPlan.scalePresets.map { ScalePoint(preset: $0, batchSize: batch) }
            }
            let scaleRates = points.map { ($0, plan.scaleRates(batchSize: $0.batchSize)) }
            results.scale = try tuned("scale", scaleRates, plan.scale, train) {
                point, rate, seed, _ in
                plan.scaleRun(
                    point.preset, batchSize: point.batchSize, rate: rate, seed: seed)
            }
            let workerRuns = plan.workerRuns.map { SweepRun($0, keepsWeights: false) }
            for count in cluster == nil ? [] : [0] + plan.workerCounts {
                let runs = try train(
                    "workers-\(count)", workerRuns, cluster: count == 0 ? nil : cluster?(count))
                results.workers.append((count, runs.compactMap(\.outcome)))
            }
        } catch let end as StudyEnd {
            return .failure(end)
        }
        return .success(try StudyReport(self, results))
    }

    /// Trains each configuration at several rates, chooses the best on the held-out examples, and trains it
    /// with that rate on every seed.
    private func tuned<Key: Sendable>(
        _ name: String, _ candidates: [(key: Key, rates: [Double])],
        _ question: StudyPlan.Question,
        _ train: (String, [SweepRun], Sweep.Cluster?) throws -> [SweepResult.Run],
        _ configuration: (Key, _ rate: Double, _ seed: UInt64, _ isTuning: Bool) -> RunConfiguration
    ) throws -> [Tuned<Key>] {
        let tuningSeeds = StudyPlan.seeds(question.tuningSeeds)
        let trialRuns = candidates.flatMap { key, rates in
            rates.flatMap { rate in
                tuningSeeds.map { configuration(key, rate, StudyPlan.tuningSeed($0), true) }
            }
        }
        let trials = try train(
            "\(name)-rates", trialRuns.map { SweepRun($0, keepsWeights: false) }, nil)
        var chosen: [(key: Key, rate: Double)] = []
        var next = trials[...]
        for (key, rates) in candidates {
            let scored = rates.map { rate in
                let runs = next.prefix(tuningSeeds.count)
                next = next.dropFirst(tuningSeeds.count)
                return (rate: rate, merit: Merit(runs.map(\.outcome)))
            }
            if let best = scored.max(by: { $0.merit < $1.merit }) {
                chosen.append((key, best.rate))
            }
        }
        let seeds = StudyPlan.seeds(question.seeds)
        let runs = try train(
            name,
            chosen.flatMap { key, rate in
                seeds.map { SweepRun(configuration(key, rate, $0, false), keepsWeights: false) }
            }, nil)
        return chosen.enumerated().map { index, choice in
            let range = index * seeds.count..<(index + 1) * seeds.count
            return Tuned(key: choice.key, rate: choice.rate, runs: Array(runs[range]))
        }
    }
}

/// How well a rate did on the held-out examples: the highest threshold that all its runs reached counts
/// first, then the fewer steps to it, then the accuracy at the end.
private struct Merit: Comparable {
    private let thresholds: Int
    private let steps: Double
    private let accuracy: Double

    init(_ outcomes: [RunOutcome?]) {
        let curves = outcomes.map { $0?.validationCurve ?? [] }
        accuracy =
            curves.map { $0.last?.value ?? 0 }.map { $0.isFinite ? $0 : 0 }.reduce(0, +)
            / Double(max(curves.count, 1))
        var (count, sum) = (0, 0.0)
        for threshold in StudyPlan.thresholds {
            let crossings = curves.map { Crossing(of: threshold, in: $0) }
            guard crossings.allSatisfy({ $0?.isReached == true }) else { break }
            count += 1
            sum = crossings.compactMap { ($0?.point.step).map(Double.init) }.reduce(0, +)
        }
        (thresholds, steps) = (count, sum)
    }

    static func < (a: Self, b: Self) -> Bool {
        (a.thresholds, -a.steps, a.accuracy) < (b.thresholds, -b.steps, b.accuracy)
    }
}

/// A study that was interrupted.
package struct StudyEnd: Error {
    package let reason: StopReason
}

extension RunOutcome {
    /// Accuracy on the held-out examples, in order of steps.
    var validationCurve: [CurvePoint] {
        evaluations.filter { $0.split == .validation }.map {
            CurvePoint(step: $0.step, epoch: $0.epoch, seconds: $0.seconds, value: $0.accuracy)
        }
    }
}
