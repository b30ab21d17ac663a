import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TestSupport
import Testing
import TrainingPlan
import ZeroMQ

/// What a coordinator's recording thread keeps of a cluster's run.
@Suite struct ReportingThreadTests {
    private let runs: ResumedRuns
    private let configuration = ResumedRuns.configuration(epochs: 3)

    init() throws { runs = try ResumedRuns() }

    /// A cluster of one engine: tells what it computes in the order in which a coordinator does.
    private func report(
        _ run: PlannedRun, from start: Int = 0, until end: Int, checkpointAt: Int? = nil,
        isEarly: Bool = false
    ) throws -> (outcomes: [RunOutcome], failure: StopReason?) {
        let train = SmallDigits.dataset.train
        let schedule = RunSchedule(configuration, trainingExampleCount: train.count)
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        let engine = LocalEngine(
            configuration, schedule,
            examples: SparseExamples(pixels: train.pixels, labels: train.labels, width: 784),
            kernels: KernelSet(.baseline), team: team)
        let reporting = ReportingThread(
            runs.request(run), observer: ResumedRuns.Witness(), wakeUp: try WakeUp())
        reporting.post(.begin(0, workers: 1, servers: 1))
        let rows = GradientRows(configuration.layout).count
        for index in 0..<end {
            let step = Step(index)
            #expect(engine.advance(step) == nil)
            if index < start { continue }
            var report = StepReport(rowCount: rows)
            report.metrics = engine.metrics
            reporting.post(.committed(step, report))
            let weights = FloatBuffer(engine.weights.array)
            let isDue = checkpointAt == step.next.index
            let state = engine.optimizerState.map { FloatBuffer($0.array) }
            if isDue, isEarly {
                reporting.post(.checkpoint(0, step.next, weights: weights, state: state))
            }
            if schedule.evaluationFollows(step) { reporting.post(.evaluate(0, step.next, weights)) }
            if isDue, !isEarly {
                reporting.post(.checkpoint(0, step.next, weights: weights, state: state))
            }
        }
        reporting.post(
            .end(RunEnding(status: .lost, step: Step(end), weights: nil, cause: "worker 1")))
        return reporting.finish()
    }

    private func planned(_ name: String) throws -> PlannedRun {
        var run = try runs.planned(configuration, name)
        // The norms of gradients are not measured here.
        run.stepLineInterval = 100_000
        return run
    }

    /// In the middle of an epoch, and at its end, a checkpoint of a cluster is as good as one of
    /// this process.
    @Test(arguments: [40, 64, 128])
    func aCheckpointIsGoneOnFrom(step: Int) throws {
        let whole = Roles.trainHere(
            runs.request(try planned("whole")), observer: ResumedRuns.Witness(),
            interruption: Interruption())
        let (outcomes, failure) = try report(
            try planned("run"), until: 150, checkpointAt: step)
        #expect(failure == nil && outcomes.first?.end?.status == .lost)
        let run = try planned("run")
        #expect(run.start?.step == step)
        let second = Roles.trainHere(
            runs.request(run), observer: ResumedRuns.Witness(), interruption: Interruption())
        #expect(second.reason.exitCode == .success)
        #expect(
            second.outcomes.first?.end?.weightsSHA256 == whole.outcomes.first?.end?.weightsSHA256)
        // The first line is of the cluster that began.
        #expect(try runs.lines("run").dropFirst() == runs.lines("whole").dropFirst())
        #expect(second.outcomes.first?.run.placement.workers == 1)
    }

    /// The weights of an epoch's end belong to no checkpoint before they are evaluated.
    @Test func beforeItsEvaluationNoneIsKept() throws {
        _ = try report(try planned("run"), until: 150, checkpointAt: 128, isEarly: true)
        #expect(try planned("run").start == nil)
    }

    /// A cluster that continues from a checkpoint continues with its log, whose lines are those of
    /// one that was never ended.
    @Test(arguments: [40, 64, 128])
    func aClusterGoesOnFromACheckpoint(step: Int) throws {
        _ = try report(try planned("whole"), until: 150)
        _ = try report(try planned("run"), until: 140, checkpointAt: step)
        let run = try planned("run")
        #expect(run.start?.step == step)
        let (outcomes, failure) = try report(run, from: step, until: 150)
        #expect(failure == nil && outcomes.first?.epochs.count == 2)
        #expect(try runs.lines("run") == runs.lines("whole"))
    }

    /// Reports that come in a burst after a pause have taken no time, and no rate is made of that.
    @Test func aBurstMakesNoRate() throws {
        let outcome = try #require(try report(try planned("run"), until: 150).outcomes.first)
        // Nothing has set the time of these reports.
        #expect(outcome.end?.examplesPerSecond == 0)
        #expect(outcome.end?.seconds == 0 && outcome.epochs.count == 2)
    }
}
