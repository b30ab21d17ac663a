package import Datasets
import LockstepProtocol
import LockstepRuntime
package import NeuralNetwork
package import TrainingPlan

/// How long the runs of a sweep will take on this machine, from a short measurement of it.
///
/// A few steps of each kind of run are timed, and one evaluation; kinds that are left when the time
/// for measuring is over are rated by their work.
package struct SweepEstimate {
    /// Of each run, in order, with one thread; 0 of one that only decodes another's outputs.
    package let seconds: [Double]
    /// That the measurement took.
    package let measuringSeconds: Double

    /// Runs that take equally long a step.
    private struct Kind: Hashable {
        let architecture: NetworkArchitecture
        let optimizer: OptimizerSettings.Kind
        let batchSize: Int
        let microBatch: Int
    }

    private static let secondsForAll = 3.0
    private static let secondsForOne = 0.02

    package init(_ configurations: [RunConfiguration], dataset: Dataset, kernels: KernelVariant) {
        let start = SystemClock.nanoseconds
        let data = EvaluationData(dataset)
        let kernels = KernelSet(kernels)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        var measured: [Kind: Timing] = [:]
        for configuration in configurations {
            let kind = Self.kind(configuration)
            let isOver = SystemClock.seconds(since: start) > Self.secondsForAll
            guard measured[kind] == nil, measured.isEmpty || !isOver else { continue }
            measured[kind] = Timing(
                configuration, data: data, kernels: kernels, team: team,
                seconds: Self.secondsForOne)
        }
        // What a unit of work takes, over the runs whose kind was timed.
        var timedSeconds = 0.0
        var timedWork = 0.0
        let timed = configurations.map { configuration -> Double? in
            guard let timing = measured[Self.kind(configuration)] else { return nil }
            let seconds = timing.seconds(of: configuration, on: dataset)
            timedSeconds += seconds
            timedWork += configuration.work(on: dataset)
            return seconds
        }
        let secondsOfWork = timedWork > 0 ? timedSeconds / timedWork : 0
        let redecoded = RedecodedRun.sources(of: configurations)
        seconds = configurations.indices.map { index in
            redecoded[index] != nil
                ? 0 : timed[index] ?? configurations[index].work(on: dataset) * secondsOfWork
        }
        measuringSeconds = SystemClock.seconds(since: start)
    }

    private static func kind(_ configuration: RunConfiguration) -> Kind {
        Kind(
            architecture: configuration.architecture, optimizer: configuration.optimizer.kind,
            batchSize: configuration.batchSize, microBatch: configuration.effectiveMicroBatch)
    }

    /// Until all runs are done, so many at a time, the longest first.
    package func secondsForAll(parallelism: Int) -> Double {
        var threads = [Double](repeating: 0, count: max(parallelism, 1))
        for run in seconds.sorted(by: >) {
            guard let first = threads.indices.min(by: { threads[$0] < threads[$1] }) else { break }
            threads[first] += run
        }
        return threads.max() ?? 0
    }
}

/// What a kind of run was timed at.
private struct Timing {
    let secondsPerExample: Double
    let secondsPerJudgedExample: Double

    init(
        _ configuration: RunConfiguration, data: EvaluationData, kernels: KernelSet,
        team: ThreadTeam, seconds: Double
    ) {
        let schedule = RunSchedule(configuration, trainingExampleCount: data.dataset.train.count)
        let engine = LocalEngine(
            configuration, schedule, examples: data.train, kernels: kernels, team: team)
        // The first step fills buffers and caches.
        _ = engine.advance(0, isMeasured: false)
        var step: Step = 1
        var examples = 0
        let start = SystemClock.nanoseconds
        while step < schedule.endStep, examples == 0 || SystemClock.seconds(since: start) < seconds
        {
            _ = engine.advance(step, isMeasured: false)
            examples += schedule.examples(of: step).count
            step = step.next
        }
        secondsPerExample = SystemClock.seconds(since: start) / Double(max(examples, 1))
        let evaluator = Evaluator(configuration.architecture, kernels: kernels, examples: data.test)
        let evaluationStart = SystemClock.nanoseconds
        _ = evaluator.evaluate(engine.weights)
        secondsPerJudgedExample =
            SystemClock.seconds(since: evaluationStart) / Double(max(data.dataset.test.count, 1))
    }

    func seconds(of configuration: RunConfiguration, on dataset: Dataset) -> Double {
        let schedule = RunSchedule(configuration, trainingExampleCount: dataset.train.count)
        let trained = Double(schedule.exampleCount) * Double(schedule.epochs)
        return trained * secondsPerExample
            + configuration.judgedExamples(schedule, testCount: dataset.test.count)
            * secondsPerJudgedExample
    }
}
