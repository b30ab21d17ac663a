/// How the learning rate moves over a run, as a pure function of the step.
///
/// The rate is computed in `Double` from + − × ÷ and squarings only, and rounded once to `Float`.
package struct LearningRateSchedule: Hashable, Sendable {
    package enum Shape: String, CaseIterable, Codable, Sendable {
        /// The base rate throughout.
        case constant
        /// A tenth of the rate before after each third of the run.
        case step
        /// From the base rate to zero along half a cosine (Loshchilov & Hutter 2017, without
        /// restarts).
        case cosine
    }

    package var shape: Shape
    /// The rate climbs linearly over this many first steps: step t takes (t + 1) / warmupSteps of
    /// it.
    package var warmupSteps: Int

    package init(shape: Shape = .constant, warmupSteps: Int = 0) {
        self.shape = shape
        self.warmupSteps = warmupSteps
    }

    /// The rate of `step`, of `totalSteps` in the run.
    package func rate(base: Double, step: Int, totalSteps: Int) -> Double {
        if step < warmupSteps { return base * Double(step + 1) / Double(warmupSteps) }
        switch shape {
        case .constant:
            return base
        case .step:
            let third = min(3 * step / max(totalSteps, 1), 2)
            return third == 0 ? base : third == 1 ? base / 10 : base / 100
        case .cosine:
            let span = max(totalSteps - warmupSteps, 1)
            return base * (1 + Self.cosineOfHalfTurn(Double(step - warmupSteps) / Double(span))) / 2
        }
    }

    /// cos(π x) for x in [0, 1]: a Taylor series at π x / 8, then three doublings of the angle.
    static func cosineOfHalfTurn(_ x: Double) -> Double {
        let angle = Double.pi * x / 8
        let square = angle * angle
        var cosine = 1.0
        for order in stride(from: 20, through: 2, by: -2) {
            cosine = 1 - square / Double(order * (order - 1)) * cosine
        }
        for _ in 0..<3 { cosine = 2 * cosine * cosine - 1 }
        return cosine
    }
}
