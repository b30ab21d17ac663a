/// What the recorder of a run has summed up so far; with it, and with the log up to there, a run
/// that continues records the same as one that was never interrupted.
package struct RecordingState: Codable, Equatable, Sendable {
    /// The newest evaluation on the test set.
    package struct TestEvaluation: Codable, Equatable, Sendable {
        package var step: Int
        package var loss: Double
        package var accuracy: Double
        package var examples: Int
        package var decisionsChangedByRescaling: Int
        /// Nil in checkpoints of earlier versions.
        package var otherDecodingAccuracy: Double?

        package init(
            step: Int, loss: Double, accuracy: Double, examples: Int,
            decisionsChangedByRescaling: Int, otherDecodingAccuracy: Double? = nil
        ) {
            self.step = step
            self.loss = loss
            self.accuracy = accuracy
            self.examples = examples
            self.decisionsChangedByRescaling = decisionsChangedByRescaling
            self.otherDecodingAccuracy = otherDecodingAccuracy
        }

        package enum CodingKeys: String, CodingKey {
            case step, loss, accuracy, examples
            case decisionsChangedByRescaling = "decisions_changed_by_rescaling"
            case otherDecodingAccuracy = "other_decoding_accuracy"
        }
    }

    /// Every so many steps one has a line in the log.
    package var stepLineInterval: Int
    /// Of the epoch so far.
    package var epochLossSum = 0.0
    package var epochCorrectCount = 0
    package var epochExamples = 0
    /// Training time when the epoch began.
    package var epochStartSeconds = 0.0
    /// Training time since the start of the run, evaluations and interruptions left out.
    package var seconds = 0.0
    /// That of the fastest epoch; 0 before the first.
    package var bestExamplesPerSecond = 0.0
    package var lastTest: TestEvaluation?
    /// The most runs that were trained at a time; nil in checkpoints of earlier versions.
    package var parallelism: Int?

    package init(stepLineInterval: Int) { self.stepLineInterval = stepLineInterval }

    package enum CodingKeys: String, CodingKey {
        case stepLineInterval = "step_line_interval"
        case epochLossSum = "epoch_loss_sum"
        case epochCorrectCount = "epoch_correct_count"
        case epochExamples = "epoch_examples"
        case epochStartSeconds = "epoch_start_seconds"
        case seconds
        case bestExamplesPerSecond = "best_examples_per_second"
        case lastTest = "last_test"
        case parallelism
    }
}
