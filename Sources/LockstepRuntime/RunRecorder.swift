import CrashPoints
import Datasets
import Foundation
import LockstepProtocol
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan

/// Writes one run's records as it proceeds, evaluates, and keeps what a report needs.
///
/// The same for a run in this process and for one across a cluster; used from one thread.
final class RunRecorder {
    let configuration: RunConfiguration
    let schedule: RunSchedule
    let directory: RunDirectory
    private let keepsWeights: Bool
    private let placement: Placement
    let provenance: Provenance
    private let log: MetricsLog
    private let optimizer: Optimizer
    private let testEvaluator: Evaluator
    private let validationEvaluator: Evaluator?
    private let observer: any SessionObserver
    private(set) var outcome: RunOutcome
    private var state: RecordingState
    /// Training time of earlier processes that recorded this run.
    private let secondsBefore: Double
    private var lastStep: Step
    private var lastEvaluatedStep: Step?
    private var hasReachedTarget = false
    private var lastProgressSeconds = -1.0
    private let wasResumed: Bool
    private let store: CheckpointStore
    private let checkpointWriter: CheckpointWriter
    private let trace: RunTrace?

    /// A person's eye follows no more.
    private static let progressIntervalSeconds = 0.1
    /// Of a shorter time no rate is told: it would be one of the clock's steps, or of a burst of
    /// reports.
    private static let shortestMeasuredSeconds = 1e-3

    /// - Throws: ``FileError`` where the records cannot be written, ``MetricsError`` where the log
    ///   is not the one that the run's checkpoint was written with.
    init(
        _ run: PlannedRun, data: EvaluationData, placement: Placement, kernels: KernelSet,
        observer: any SessionObserver, trace: RunTrace? = nil
    ) throws {
        self.trace = trace
        let configuration = run.configuration
        self.configuration = configuration
        directory = run.directory
        keepsWeights = run.keepsWeights
        self.placement = placement
        self.observer = observer
        let dataset = data.dataset
        schedule = RunSchedule(configuration, trainingExampleCount: dataset.train.count)
        provenance = configuration.provenance(dataset: dataset)
        optimizer = Optimizer(
            configuration.optimizer, layout: configuration.layout, range: 0..<0,
            totalSteps: schedule.totalSteps, kernels: kernels)
        testEvaluator = Evaluator(
            configuration.architecture, kernels: kernels, examples: data.test)
        let split = TrainingSplit(configuration, labels: dataset.train.labels)
        validationEvaluator =
            split.heldOut.isEmpty
            ? nil
            : Evaluator(
                configuration.architecture, kernels: kernels, examples: data.train,
                places: split.heldOut)
        let record = RunRecord(
            configuration: configuration.name,
            settings: configuration.settings, seed: configuration.seed, placement: placement,
            versions: [
                "lockstep": lockstepVersion, "arithmetic": "\(arithmeticVersion)",
                "protocol": "\(protocolVersion)", "kernels": kernels.variant.rawValue,
            ], started: Date(), machine: Machine(host: hostName, cores: HostResources.cores))
        outcome = RunOutcome(run: record, provenance: provenance)
        state = run.start?.recording ?? RecordingState(stepLineInterval: run.stepLineInterval)
        state.parallelism = max(state.parallelism ?? 1, run.parallelism)
        secondsBefore = state.seconds
        lastStep = Step(run.start?.step ?? 0)
        lastEvaluatedStep = run.start.map { Step($0.step) }
        wasResumed = run.start != nil
        store = directory.checkpointStore(keep: run.checkpoints.keep)
        checkpointWriter = CheckpointWriter(store, timed: trace.map(\.checkpointTimer)) {
            observer.notice($0)
        }
        if let start = run.start {
            let (log, records) = try MetricsLog.resume(
                directory.metricsPath, provenance: provenance, from: start.log
            ) { observer.notice($0) }
            self.log = log
            // The first of them is the run's own, from when it began.
            for record in records { outcome.add(record) }
        } else {
            log = try MetricsLog(creating: directory.metricsPath, provenance: provenance) {
                observer.notice($0)
            }
            try log.append(.run(record))
            CrashPoint.runRecorded.pass()
        }
        observer.runStarted(configuration, directory: directory)
        if let warning = split.warning { observer.notice(warning) }
    }

    deinit { checkpointWriter.close() }

    /// Whether a step has a line of its own.
    func logs(_ step: Step) -> Bool { step.next.index % state.stepLineInterval == 0 }

    /// A step has been committed.
    ///
    /// - Parameters:
    ///   - weightsDigest: of the weights after the step.
    ///   - squaredGradientNorms: of the gradient's sum over the global batch, by layer; asked for
    ///     where the step is logged.
    ///   - seconds: training time since this recorder was made.
    func committed(
        _ step: Step, _ metrics: StepMetrics, weightsDigest: UInt64,
        squaredGradientNorms: @autoclosure () -> [Double], seconds: Double
    ) throws(FileError) {
        let examples = schedule.examples(of: step).count
        lastStep = step.next
        // Reports may be stamped out of order; time does not go back.
        state.seconds = max(state.seconds, secondsBefore + seconds)
        state.epochLossSum += Double(metrics.lossSum)
        state.epochCorrectCount += metrics.correctCount
        state.epochExamples += examples
        if logs(step) {
            try add(.step(record(of: step, metrics, weightsDigest, squaredGradientNorms())))
        }
        if seconds - lastProgressSeconds >= Self.progressIntervalSeconds {
            lastProgressSeconds = seconds
            observer.progress(progress(after: step))
        }
    }

    private func record(
        of step: Step, _ metrics: StepMetrics, _ weightsDigest: UInt64,
        _ squaredGradientNorms: [Double]
    ) -> StepRecord {
        let examples = schedule.examples(of: step).count
        let leaves = Float(schedule.leafCount(of: step))
        let meanLeafSize = Float(examples) / leaves
        let widths = configuration.architecture.layers.dropFirst()
        return StepRecord(
            step: step.index + 1, epoch: schedule.epoch(of: step) + 1,
            loss: metrics.lossSum / Float(examples),
            accuracy: Float(metrics.correctCount) / Float(examples),
            learningRate: optimizer.learningRate(step: step.index),
            gradientNorms: metrics.squaredGradientNorms.map {
                ($0 / leaves).squareRoot() / meanLeafSize
            },
            batchGradientNorms: squaredGradientNorms.map {
                Float($0.squareRoot() / Double(examples))
            },
            saturation: zip(metrics.saturatedCounts, widths).map { count, width in
                Float(count) / Float(examples * width)
            }, weightsDigest: String(hexadecimal: weightsDigest))
    }

    private func progress(after step: Step) -> RunProgress {
        let done = step.index + 1
        let epoch = schedule.epoch(of: step)
        let examples = Double(state.epochExamples)
        let secondsLeft = state.seconds / Double(done) * Double(schedule.totalSteps - done)
        return RunProgress(
            epoch: epoch + 1, epochs: schedule.epochs, step: done - epoch * schedule.stepsPerEpoch,
            steps: schedule.stepsPerEpoch, examplesPerSecond: epochRate,
            loss: state.epochLossSum / examples,
            accuracy: Double(state.epochCorrectCount) / examples, secondsLeft: secondsLeft)
    }

    /// Examples a second of the epoch so far; 0 where it is too short to tell.
    private var epochRate: Double {
        rate(over: state.seconds - state.epochStartSeconds)
    }

    private func rate(over seconds: Double) -> Double {
        seconds >= Self.shortestMeasuredSeconds ? Double(state.epochExamples) / seconds : 0
    }

    /// Evaluates the weights of `step`, which an evaluation follows, and records it.
    ///
    /// - Returns: whether the run's target is reached.
    func evaluate(_ weights: FloatBuffer, of step: Step) throws(FileError) -> Bool {
        CrashPoint.evaluating.pass()
        let begun = trace.map { _ in SystemClock.nanoseconds }
        defer { if let begun { trace?.record(.evaluate, .evaluation, step, from: begun) } }
        lastEvaluatedStep = step
        let epochs = Double(step.index) / Double(schedule.stepsPerEpoch)
        let endsEpoch = step.index % schedule.stepsPerEpoch == 0
        var decisive: Evaluation?
        if let validationEvaluator {
            let evaluation = validationEvaluator.evaluate(weights)
            try add(.evaluation(record(evaluation, step, epochs, .validation)))
            decisive = evaluation
        }
        if endsEpoch || decisive == nil {
            let evaluation = testEvaluator.evaluate(weights)
            state.lastTest = RecordingState.TestEvaluation(evaluation, of: step)
            if !endsEpoch { try add(.evaluation(record(evaluation, step, epochs, .test))) }
            decisive = decisive ?? evaluation
            if endsEpoch { try endEpoch(step, evaluation, weights) }
        }
        guard let target = configuration.targetAccuracy, let decisive else { return false }
        hasReachedTarget = decisive.accuracy >= target
        return hasReachedTarget
    }

    private func record(
        _ evaluation: Evaluation, _ step: Step, _ epochs: Double, _ split: EvaluationRecord.Split
    ) -> EvaluationRecord {
        EvaluationRecord(
            step: step.index, epoch: epochs, split: split, loss: evaluation.loss,
            accuracy: evaluation.accuracy,
            otherDecodingAccuracy: evaluation.otherDecodingAccuracy,
            errorPassed: evaluation.hindrance?.errorPassed,
            gradientPassed: evaluation.hindrance?.gradientPassed, seconds: state.seconds)
    }

    private func endEpoch(
        _ step: Step, _ evaluation: Evaluation, _ weights: FloatBuffer
    ) throws(FileError) {
        let rate = epochRate
        state.bestExamplesPerSecond = max(state.bestExamplesPerSecond, rate)
        let examples = Double(max(state.epochExamples, 1))
        let record = EpochRecord(
            epoch: step.index / schedule.stepsPerEpoch, step: step.index,
            examples: state.epochExamples, seconds: state.seconds,
            trainLoss: state.epochLossSum / examples,
            trainAccuracy: Double(state.epochCorrectCount) / examples,
            testLoss: evaluation.loss, testAccuracy: evaluation.accuracy,
            otherDecodingTestAccuracy: evaluation.otherDecodingAccuracy,
            testErrorPassed: evaluation.hindrance?.errorPassed,
            testGradientPassed: evaluation.hindrance?.gradientPassed,
            weightsSHA256: weights.sha256)
        try add(.epoch(record))
        CrashPoint.epochRecorded.pass()
        observer.epochEnded(record, epochs: schedule.epochs, examplesPerSecond: rate)
        state.epochStartSeconds = state.seconds
        state.epochLossSum = 0
        state.epochCorrectCount = 0
        state.epochExamples = 0
    }

    /// Hands the training state to the writer of checkpoints, with all that is recorded so far.
    /// Never waits for the disk.
    ///
    /// - Parameters:
    ///   - step: the newest that is recorded, and evaluated where an evaluation follows it; of
    ///     another step nothing is kept.
    ///   - weights: of that step, as the flat vector.
    ///   - vectors: the optimiser's, as long as the weights.
    func checkpoint(of step: Step, weights: FloatBuffer, state vectors: [FloatBuffer]) {
        guard step == lastStep, step > 0, !hasReachedTarget else { return }
        let isEvaluated = lastEvaluatedStep == step
        // The log's lines are part of it. Where they cannot be written, neither can it.
        guard isEvaluated || !schedule.evaluationFollows(Step(step.index - 1)), let mark = log.mark
        else { return }
        checkpointWriter.write(
            Checkpoint(
                step: step.index, weights: weights.array, state: vectors.map(\.array),
                provenance: provenance, arithmeticVersion: arithmeticVersion, recording: state,
                log: mark))
    }

    /// The run is over; its weights are kept where there are any and they are asked for.
    ///
    /// - Parameters:
    ///   - step: the step whose weights are the result.
    ///   - weights: those weights; nil if they were lost with a peer.
    func end(
        _ status: EndRecord.Status, step: Step, weights: FloatBuffer?, cause: String? = nil
    ) throws(FileError) {
        var test = state.lastTest
        if let weights, test?.step != step.index {
            test = RecordingState.TestEvaluation(testEvaluator.evaluate(weights), of: step)
        }
        checkpointWriter.finish()
        CrashPoint.weightsSaving.pass()
        var moved: FileError?
        do throws(FileError) {
            try store.checkPlace()
            if let weights, keepsWeights { try save(weights, step, status) }
        } catch {
            // The log is open, and so it gets its end wherever the folder is now.
            guard error.isMoved else { throw error }
            moved = error
        }
        CrashPoint.weightsSaved.pass()
        if state.bestExamplesPerSecond == 0 {
            // No whole epoch: the rate of what there was.
            state.bestExamplesPerSecond = rate(over: state.seconds)
        }
        let record = EndRecord(
            status: status, configuration: configuration.name, provenance: provenance,
            seed: configuration.seed, placement: placement, batchSize: configuration.batchSize,
            steps: step.index, epochs: step.index / schedule.stepsPerEpoch,
            testAccuracy: test?.accuracy ?? .nan, testLoss: test?.loss ?? .nan,
            seconds: state.seconds, examplesPerSecond: state.bestExamplesPerSecond,
            weightsSHA256: weights?.sha256 ?? "", cause: cause,
            divergedStep: status == .diverged ? step.index + 1 : nil,
            rescalingChangedDecisions: test?.decisionsChangedByRescaling,
            rescalingComparedDecisions: test?.examples,
            otherDecodingTestAccuracy: test?.otherDecodingAccuracy, parallelism: state.parallelism)
        try add(.end(record))
        if let moved { throw moved }
        CrashPoint.endRecorded.pass()
        if status.isFinal { removeTrainingStates(weightsOf: step) }
        CrashPoint.leftoversRemoved.pass()
        observer.runEnded(outcome)
    }

    /// Nobody continues from a run that is done.
    private func removeTrainingStates(weightsOf step: Step) {
        do {
            if wasResumed {
                try directory.removeTrainingStates(weightsOf: step.index)
            } else {
                try directory.checkpointStore().removeAll()
            }
        } catch {
            observer.notice(
                "checkpoints that are no longer needed stay in \(directory.path): \(error)")
        }
    }

    /// The step that every record so far belongs to.
    var step: Step { lastStep }

    private func add(_ record: MetricsRecord) throws(FileError) {
        outcome.add(record)
        try log.append(record)
    }
}

extension RecordingState.TestEvaluation {
    init(_ evaluation: Evaluation, of step: Step) {
        self.init(
            step: step.index, loss: evaluation.loss, accuracy: evaluation.accuracy,
            examples: evaluation.examples,
            decisionsChangedByRescaling: evaluation.decisionsChangedByRescaling,
            otherDecodingAccuracy: evaluation.otherDecodingAccuracy)
    }
}
