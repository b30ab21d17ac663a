package import LockstepProtocol
package import NeuralNetwork
package import TrainingPlan

/// What the coordinator's engine has to tell whoever records and evaluates.
package enum ReportingEvent: Sendable {
    case begin(RunIndex, workers: Int, servers: Int)
    case committed(Step, StepReport)
    /// Evaluate these weights of a step.
    case evaluate(RunIndex, Step, FloatBuffer)
    /// The whole training state of a step, in flat vectors that nobody writes to any more, to be
    /// written to disk. It comes when the step has been recorded, and evaluated where an evaluation
    /// follows it, and before any later step; at another time it is dropped.
    case checkpoint(RunIndex, Step, weights: FloatBuffer, state: [FloatBuffer])
    case end(RunEnding)
}

/// How a run ended, and its weights, where they are known.
package struct RunEnding: Sendable {
    package enum Status: Sendable {
        case completed, target, diverged
        /// Without a result: nothing more is evaluated.
        case interrupted, lost
    }

    package var status: Status
    package var step: Step
    package var weights: FloatBuffer?
    package var cause: String?

    package init(status: Status, step: Step, weights: FloatBuffer?, cause: String? = nil) {
        self.status = status
        self.step = step
        self.weights = weights
        self.cause = cause
    }
}

/// What the servers have measured of one step.
package struct StepReport: Sendable {
    /// Those of shard 0.
    package var metrics: StepMetrics?
    /// Of the gradient's sum, by row.
    package let squaredNorms: FloatBuffer
    /// Of the weights after the step: that of the shards that have reported.
    package var digest: UInt64 = 0
    /// When the step was done, in nanoseconds of the coordinator's process.
    package var nanoseconds: UInt64 = 0

    package init(rowCount: Int) { squaredNorms = FloatBuffer(count: rowCount) }
}

/// Whoever records and evaluates, beside the coordinator's loop: neither disk nor test set delays a
/// step.
package protocol Reporting: AnyObject {
    /// Events are handled in the order in which they are posted.
    func post(_ event: ReportingEvent)

    /// What has been recorded or evaluated since the last time, or why it cannot continue.
    func takeAnswer() -> CoordinatorEvent?
}
