/// How the learning rate moves over a run, as a pure function of the step.
///
/// The rate is computed in `Double` from + − × ÷ and squarings only, and rounded once to `Float`.
package struct LearningRateSchedule: Hashable, Sendable {
    package enum Shape: String, CaseIterable, Codable, Sendable {
        /// The base rate throughout.
        case constant
        /// A tenth of the rate before after each third of the run.
        case step
        /// From the base rate to zero along half a cosine (Loshchilov & Hutter 2017, without restarts).
        case cosine
    }

    package var shape: Shape
    /// The rate climbs linearly over this many first steps: step t takes (t + 1) / warmupSteps of it.
    package var warmupSteps: Int

    package init(shape: Shape = .constant, warmupSteps: Int = 0) {
        self.shape = shape
        self.warmupSteps = warmupSteps
    }
}
