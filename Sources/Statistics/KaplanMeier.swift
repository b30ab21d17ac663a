import Foundation

/// How long a run took to something, or how long it was watched without.
package struct TimeToEvent: Equatable, Sendable {
    /// In steps or examples for instance, not below 0.
    package let time: Double
    /// False: not up to then; censored.
    package let isReached: Bool

    package init(_ time: Double, isReached: Bool) {
        self.time = time
        self.isReached = isReached
    }

    /// As seen by somebody who looks away at `horizon`.
    package func restricted(to horizon: Double) -> TimeToEvent {
        time <= horizon ? self : TimeToEvent(horizon, isReached: false)
    }
}

/// The Kaplan–Meier estimate of the fraction that has not got there yet.
///
/// Kaplan & Meier, “Nonparametric Estimation from Incomplete Observations” (1958). Runs that are
/// censored at the time of an event are still at risk then.
package struct KaplanMeier: Equatable, Sendable {
    /// The curve from a time with events up to the next.
    package struct Step: Equatable, Sendable {
        package let time: Double
        /// Those that were watched and had not got there before.
        package let atRiskCount: Int
        package let eventCount: Int
        /// The fraction that has not got there after `time`.
        package let survival: Double
        /// Pointwise, at 95 %, for ``survival``.
        package let band: ClosedRange<Double>
    }

    /// By time, ascending; empty where nothing got there.
    package let steps: [Step]
    package let count: Int

    /// - Parameter times: not empty.
    package init(_ times: [TimeToEvent]) {
        precondition(!times.isEmpty, "nothing was watched")
        count = times.count
        let sorted = times.sorted { $0.time < $1.time }
        var steps: [Step] = []
        var survival = 1.0
        // Greenwood's sum: the variance of log S.
        var variance = 0.0
        var index = 0
        while index < sorted.count {
            let time = sorted[index].time
            let same = sorted[index...].prefix { $0.time == time }
            let (atRisk, events) = (sorted.count - index, same.count(where: \.isReached))
            index += same.count
            guard events > 0 else { continue }
            survival *= Double(atRisk - events) / Double(atRisk)
            variance += Double(events) / (Double(atRisk) * Double(atRisk - events))
            steps.append(
                Step(
                    time: time, atRiskCount: atRisk, eventCount: events, survival: survival,
                    band: Self.band(survival, variance: variance, count: sorted.count)))
        }
        self.steps = steps
    }

    /// By Greenwood's variance of log(−log S) (Kalbfleisch & Prentice 1980), which stays within
    /// 0…1. A curve at 0 has no variance to go by: there it is the exact binomial bound.
    private static func band(
        _ survival: Double, variance: Double, count: Int
    ) -> ClosedRange<Double> {
        guard survival > 0 else { return 0...(1 - bandBeforeEvents(count).lowerBound) }
        let spread = exp(Normal.quantile975 * variance.squareRoot() / -log(survival))
        return pow(survival, spread)...pow(survival, 1 / spread)
    }

    /// The band while all are at 1: the fraction of which `count` show no event with a probability
    /// of 2.5 %.
    package static func bandBeforeEvents(_ count: Int) -> ClosedRange<Double> {
        pow(0.025, 1 / Double(count))...1
    }

    /// The fraction that has not got there after `time`, with its band.
    package func survival(at time: Double) -> (value: Double, band: ClosedRange<Double>) {
        guard let step = steps.last(where: { $0.time <= time }) else {
            return (1, Self.bandBeforeEvents(count))
        }
        return (step.survival, step.band)
    }

    /// The time after which half have got there; in the middle of the times at which exactly half
    /// have. Nil where the curve does not come below a half.
    package var median: Double? {
        // A product of fractions may miss a half by its rounding.
        let slack = 1e-12
        guard let index = steps.firstIndex(where: { $0.survival <= 0.5 + slack }) else {
            return nil
        }
        guard steps[index].survival >= 0.5 - slack else { return steps[index].time }
        guard index + 1 < steps.count else { return nil }
        return (steps[index].time + steps[index + 1].time) / 2
    }

    /// The mean of the times, each cut at `horizon`: the area below the curve up to there.
    package func restrictedMean(to horizon: Double) -> Double {
        var (area, survival, time) = (0.0, 1.0, 0.0)
        for step in steps where step.time < horizon {
            area += survival * (step.time - time)
            (survival, time) = (step.survival, step.time)
        }
        return area + survival * (horizon - time)
    }
}
