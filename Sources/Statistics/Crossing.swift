/// A point of a run's curve.
package struct CurvePoint: Equatable, Sendable {
    /// Updates done so far.
    package var step: Int
    /// Epochs done so far, a fraction between their ends.
    package var epoch: Double
    /// Training time so far.
    package var seconds: Double
    package var value: Double

    package init(step: Int, epoch: Double, seconds: Double, value: Double) {
        self.step = step
        self.epoch = epoch
        self.seconds = seconds
        self.value = value
    }
}

/// When a curve first reached a threshold; one that never did is censored, not missing.
package enum Crossing: Equatable, Sendable {
    case reached(CurvePoint)
    /// Not up to this last point of the curve.
    case notReached(CurvePoint)

    /// - Parameter curve: in order of steps. Values between two points are not guessed, and NaN
    ///   reaches nothing.
    /// - Returns: nil for an empty curve.
    package init?(of threshold: Double, in curve: [CurvePoint]) {
        guard let last = curve.last else { return nil }
        self = curve.first { $0.value >= threshold }.map(Crossing.reached) ?? .notReached(last)
    }

    /// Where it was reached, or up to where it was not.
    package var point: CurvePoint {
        switch self {
        case .reached(let point), .notReached(let point): point
        }
    }

    /// The step at which it was reached, or the first at which it may have been.
    package var earliestStep: Int {
        switch self {
        case .reached(let point): point.step
        case .notReached(let point): point.step + 1
        }
    }

    package var isReached: Bool {
        switch self {
        case .reached: true
        case .notReached: false
        }
    }
}
