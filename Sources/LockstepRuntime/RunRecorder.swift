import Convergence
import Datasets
import Foundation
import Hashing
import LockstepProtocol
import NeuralNetwork
import Synchronization
import TrainingPlan
import ZeroMQ

/// What all runs of a session are judged on, made once and read by all threads.
final class EvaluationData: Sendable {
    let dataset: Dataset
    let test: SparseExamples
    private let madeTrain = Mutex<SparseExamples?>(nil)

    /// Made by the first who asks: a coordinator needs it only where validation examples are held out.
    var train: SparseExamples {
        madeTrain.withLock { made in
            if let made { return made }
            let examples = Self.examples(of: dataset.train)
            made = examples
            return examples
        }
    }

    init(_ dataset: Dataset) {
        self.dataset = dataset
        test = Self.examples(of: dataset.test)
    }

    private static func examples(of images: LabelledImages) -> SparseExamples {
        SparseExamples(
            pixels: images.pixels, labels: images.labels, width: LabelledImages.pixelCount)
    }
}

/// Writes one run's records as it goes on, evaluates, and keeps what a report needs.
///
/// The same for a run in this process and for one across a cluster; used from one thread.
final class RunRecorder {
    let configuration: RunConfiguration
    let schedule: RunSchedule
    private let directory: RunDirectory
    private let stepLineInterval: Int
    private let keepsWeights: Bool
    private let placement: Placement
    private let provenance: Provenance
    private let log: MetricsLog
    private let optimizer: Optimizer
    private let testEvaluator: Evaluator
    private let validationEvaluator: Evaluator?
    private let observer: any SessionObserver
    private(set) var outcome: RunOutcome
    private var epochLossSum = 0.0
    private var epochCorrectCount = 0
    private var epochExamples = 0
    private var epochStartSeconds = 0.0
    private var bestExamplesPerSecond = 0.0
    private var lastSeconds = 0.0
    private var lastStep: Step = 0
    private var lastProgressSeconds = -1.0
    private var lastTest: (step: Step, evaluation: Evaluation)?

    /// A person's eye follows no more.
    private static let progressIntervalSeconds = 0.1

    init(
        _ run: PlannedRun, data: EvaluationData, placement: Placement, kernels: KernelSet,
        observer: any SessionObserver
    ) throws(FileError) {
        let configuration = run.configuration
        self.configuration = configuration
        directory = run.directory
        stepLineInterval = run.stepLineInterval
        keepsWeights = run.keepsWeights
        self.placement = placement
        self.observer = observer
        let dataset = data.dataset
        schedule = RunSchedule(configuration, trainingExampleCount: dataset.train.count)
        provenance = Provenance(
            dataset: dataset.name, datasetSHA256: "\(dataset.sha256)",
            configurationSHA256: configuration.sha256(dataset: dataset))
        optimizer = Optimizer(
            configuration.optimizer, layout: configuration.layout, range: 0..<0,
            totalSteps: schedule.totalSteps, kernels: kernels)
        testEvaluator = Evaluator(
            configuration.architecture, kernels: kernels, examples: data.test)
        validationEvaluator =
            configuration.validationExamples == 0
            ? nil
            : Evaluator(
                configuration.architecture, kernels: kernels, examples: data.train,
                range: schedule.exampleCount..<dataset.train.count)
        let record = RunRecord(
            configuration: configuration.name,
            settings: configuration.settings, seed: configuration.seed, placement: placement,
            versions: [
                "lockstep": lockstepVersion, "arithmetic": "\(arithmeticVersion)",
                "protocol": "\(protocolVersion)", "kernels": kernels.variant.rawValue,
            ], started: Date())
        log = try MetricsLog(creating: directory.metricsPath, provenance: provenance)
        outcome = RunOutcome(run: record, provenance: provenance)
        try log.append(.run(record))
        observer.runStarted(configuration, directory: directory)
    }

    /// Whether a step has a line of its own.
    func logs(_ step: Step) -> Bool { step.next.index % stepLineInterval == 0 }

    /// A step has been committed.
    ///
    /// - Parameters:
    ///   - squaredGradientNorms: of the gradient's sum over the global batch, by layer; asked for where the step
    ///     is logged.
    ///   - seconds: training time since the start of the run.
    func committed(
        _ step: Step, _ metrics: StepMetrics, squaredGradientNorms: @autoclosure () -> [Double],
        seconds: Double
    ) throws(FileError) {
        let examples = schedule.examples(of: step).count
        lastStep = step.next
        lastSeconds = seconds
        epochLossSum += Double(metrics.lossSum)
        epochCorrectCount += metrics.correctCount
        epochExamples += examples
        if logs(step) { try add(.step(record(of: step, metrics, squaredGradientNorms()))) }
        if seconds - lastProgressSeconds >= Self.progressIntervalSeconds {
            lastProgressSeconds = seconds
            observer.progress(progress(after: step, seconds))
        }
    }

    private func record(
        of step: Step, _ metrics: StepMetrics, _ squaredGradientNorms: [Double]
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
            })
    }

    private func progress(after step: Step, _ seconds: Double) -> RunProgress {
        let done = step.index + 1
        let epoch = schedule.epoch(of: step)
        let elapsed = seconds - epochStartSeconds
        let examples = Double(epochExamples)
        let secondsLeft = seconds / Double(done) * Double(schedule.totalSteps - done)
        return RunProgress(
            epoch: epoch + 1, epochs: schedule.epochs, step: done - epoch * schedule.stepsPerEpoch,
            steps: schedule.stepsPerEpoch, examplesPerSecond: elapsed > 0 ? examples / elapsed : 0,
            loss: epochLossSum / examples, accuracy: Double(epochCorrectCount) / examples,
            secondsLeft: secondsLeft)
    }

    /// Evaluates the weights of `step`, which an evaluation follows, and records it.
    ///
    /// - Returns: whether the run's target is reached.
    func evaluate(_ weights: FloatBuffer, of step: Step) throws(FileError) -> Bool {
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
            lastTest = (step, evaluation)
            if !endsEpoch { try add(.evaluation(record(evaluation, step, epochs, .test))) }
            decisive = decisive ?? evaluation
            if endsEpoch { try endEpoch(step, evaluation, weights) }
        }
        guard let target = configuration.targetAccuracy, let decisive else { return false }
        return decisive.accuracy >= target
    }

    private func record(
        _ evaluation: Evaluation, _ step: Step, _ epochs: Double, _ split: EvaluationRecord.Split
    ) -> EvaluationRecord {
        EvaluationRecord(
            step: step.index, epoch: epochs, split: split, loss: evaluation.loss,
            accuracy: evaluation.accuracy, seconds: lastSeconds)
    }

    private func endEpoch(
        _ step: Step, _ evaluation: Evaluation, _ weights: FloatBuffer
    ) throws(FileError) {
        let seconds = lastSeconds - epochStartSeconds
        let rate = seconds > 0 ? Double(epochExamples) / seconds : 0
        bestExamplesPerSecond = max(bestExamplesPerSecond, rate)
        let record = EpochRecord(
            epoch: step.index / schedule.stepsPerEpoch, step: step.index, examples: epochExamples,
            seconds: lastSeconds, trainLoss: epochLossSum / Double(max(epochExamples, 1)),
            trainAccuracy: Double(epochCorrectCount) / Double(max(epochExamples, 1)),
            testLoss: evaluation.loss, testAccuracy: evaluation.accuracy,
            weightsSHA256: weights.sha256)
        try add(.epoch(record))
        observer.epochEnded(record, epochs: schedule.epochs, examplesPerSecond: rate)
        epochStartSeconds = lastSeconds
        epochLossSum = 0
        epochCorrectCount = 0
        epochExamples = 0
    }

    /// The run is over; its weights are kept where there are any and they are asked for.
    ///
    /// - Parameters:
    ///   - step: the step whose weights are the result.
    ///   - weights: those weights; nil if they were lost with a peer.
    func end(
        _ status: EndRecord.Status, step: Step, weights: FloatBuffer?, cause: String? = nil
    ) throws(FileError) {
        var evaluation = lastTest?.evaluation
        if let weights, lastTest?.step != step { evaluation = testEvaluator.evaluate(weights) }
        if let weights, keepsWeights { try save(weights, step, status) }
        let seconds = lastSeconds
        if bestExamplesPerSecond == 0, seconds > 0 {
            // No whole epoch: the rate of what there was.
            bestExamplesPerSecond = Double(epochExamples) / seconds
        }
        let record = EndRecord(
            status: status, configuration: configuration.name, provenance: provenance,
            seed: configuration.seed, placement: placement, batchSize: configuration.batchSize,
            steps: step.index, epochs: step.index / schedule.stepsPerEpoch,
            testAccuracy: evaluation?.accuracy ?? .nan, testLoss: evaluation?.loss ?? .nan,
            seconds: seconds, examplesPerSecond: bestExamplesPerSecond,
            weightsSHA256: weights?.sha256 ?? "", cause: cause,
            divergedStep: status == .diverged ? step.index + 1 : nil,
            rescalingChangedDecisions: evaluation?.decisionsChangedByRescaling,
            rescalingComparedDecisions: evaluation?.examples)
        try add(.end(record))
        observer.runEnded(outcome)
    }

    /// The step that every record so far belongs to.
    var step: Step { lastStep }

    private func save(
        _ weights: FloatBuffer, _ step: Step, _ status: EndRecord.Status
    ) throws(FileError) {
        var metadata = outcome.run.settings
        metadata["configuration_sha256"] = provenance.configurationSHA256
        metadata["dataset"] = provenance.dataset
        metadata["dataset_sha256"] = provenance.datasetSHA256
        metadata["weights_sha256"] = weights.sha256
        metadata["arithmetic_version"] = "\(arithmeticVersion)"
        metadata["step"] = "\(step)"
        metadata["status"] = status.rawValue
        let values = weights.array
        let file = Safetensors(
            metadata: metadata,
            tensors: configuration.layout.tensors.map { name, shape, range in
                Safetensors.Tensor(name: name, shape: shape, values: Array(values[range]))
            })
        _ = try directory.writeCheckpoint(
            step: step.index, file: "model.safetensors", file.encoded())
    }

    private func add(_ record: MetricsRecord) throws(FileError) {
        outcome.add(record)
        try log.append(record)
    }
}

extension FloatBuffer {
    /// Over the flat vector as little-endian float32 in layout order.
    package var sha256: String {
        unsafe "\(SHA256.hash(bytes.bytes))"
    }
}

/// This release.
package let lockstepVersion = "0.1.0"

extension FileError {
    /// A session cannot go on without its records.
    var stopReason: StopReason { StopReason(.cannotWrite, "\(self)") }
}
