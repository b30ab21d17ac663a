package import Datasets
package import NeuralNetwork
package import RunRecords
package import TrainingPlan

/// Steps of a recorded run, computed again in this process from the checkpoint before them, and
/// compared with the digests in its log.
package struct Replay {
    /// A step of the log; steps count from 1.
    package struct Recorded: Equatable, Sendable {
        package var step: Int
        /// Of the weights after it.
        package var digest: String
    }

    package struct Result: Equatable, Sendable {
        /// The updates that had been done where the replay began.
        package var start: Int
        /// Steps whose digests are in the log, and were compared.
        package var comparedCount: Int
        /// The step that was compared last: the first one that differs, if one does.
        package var last: Recorded
        /// The digest that was computed of it; nil where something was not finite before.
        package var digest: String?
        /// Mean over the global batch.
        package var loss: Float

        package var isSame: Bool { last.digest == digest }
    }

    private let configuration: RunConfiguration
    private let dataset: Dataset
    package let start: Checkpoint?
    private let recorded: [Recorded]
    /// What is in the folder, and is not used, and why.
    package let warnings: [String]

    /// - Parameters:
    ///   - records: of the run's log.
    ///   - step: the last to be computed; counted from 1.
    /// - Throws: ``FileError`` where a checkpoint cannot be read.
    package init(
        _ directory: RunDirectory, _ configuration: RunConfiguration, _ records: [MetricsRecord],
        dataset: Dataset, through step: Int
    ) throws(FileError) {
        self.configuration = configuration
        self.dataset = dataset
        let (found, refusals) = try directory.checkpointStore().newestWhole(
            matching: configuration.checkpointIdentity(dataset: dataset), before: step)
        start = found
        warnings = refusals.map(\.description)
        let first = found?.step ?? 0
        recorded = records.compactMap { record in
            guard case .step(let record) = record, let digest = record.weightsDigest,
                record.step > first, record.step <= step
            else { return nil }
            return Recorded(step: record.step, digest: digest)
        }
    }

    /// Computes until the first step that differs, or the last.
    ///
    /// - Parameter progress: told the steps done and those to do, now and then.
    /// - Returns: nil where the log has no digest of any of the steps.
    package func run(
        _ kernels: KernelVariant, threads: Int, progress: (_ done: Int, _ all: Int) -> Void
    ) -> Result? {
        guard let end = recorded.last?.step else { return nil }
        let team = ThreadTeam(count: threads)
        defer { team.finish() }
        let schedule = RunSchedule(configuration, trainingExampleCount: dataset.train.count)
        let engine = LocalEngine(
            configuration, schedule, examples: EvaluationData(dataset).train,
            kernels: KernelSet(kernels), team: team, from: start)
        let first = start?.step ?? 0
        var result: Result?
        var index = 0
        for step in first..<end {
            let isRecorded = recorded[index].step == step + 1
            guard engine.advance(Step(step), isMeasured: isRecorded) == nil else {
                // The log continues where nothing can.
                return Result(
                    start: first, comparedCount: index + 1, last: recorded[index], digest: nil,
                    loss: .nan)
            }
            if (step - first) % Self.stepsBetweenProgress == 0 {
                progress(step - first, end - first)
            }
            guard isRecorded else { continue }
            let examples = Float(schedule.examples(of: Step(step)).count)
            let current = Result(
                start: first, comparedCount: index + 1, last: recorded[index],
                digest: String(hexadecimal: engine.weightsDigest),
                loss: engine.metrics.lossSum / examples)
            result = current
            if !current.isSame { break }
            index += 1
        }
        return result
    }

    private static let stepsBetweenProgress = 100
}

extension String {
    /// A digest of weights as the log has it: sixteen digits.
    package init(hexadecimal value: UInt64) {
        let digits = String(value, radix: 16)
        self = String(repeating: "0", count: 16 - digits.count) + digits
    }
}
