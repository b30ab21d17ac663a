/// An effect that a claim is about, and what the data say about its size.
///
/// It points in the claim's direction: the claim says that it is more than ``margin``, below which
/// a difference would not matter.
package struct Effect: Equatable, Sendable {
    package let estimate: Double
    /// At 95 %; nil around a constant.
    package let interval: ClosedRange<Double>?
    package let margin: Double
    /// Units (seeds, or pairs of runs of one seed) that it was seen in.
    package let unitCount: Int
    /// Two-sided, that the true effect is ``margin``.
    package let pValue: Double
    package var bound = Bound.exact

    /// How an effect is to be read where runs did not get to a target, and count as if they had at
    /// the end of what they were given.
    package enum Bound: String, Sendable {
        case exact
        case atLeast = "at least"
        case atMost = "at most"
        /// Runs of both sides did not get there.
        case undetermined

        /// Of both together.
        package func with(_ other: Bound) -> Bound {
            if self == other || other == .exact { return self }
            return self == .exact ? other : .undetermined
        }
    }

    /// Of figures that are one a unit: their mean, with Student's interval.
    ///
    /// - Returns: nil for fewer than ``Verdict/fewestPairs`` values, and where one is not finite.
    package init?(_ values: [Double], margin: Double) {
        guard values.count >= Verdict.fewestPairs, let summary = Summary(values),
            let deviation = summary.standardDeviation
        else { return nil }
        estimate = summary.mean
        self.margin = margin
        unitCount = values.count
        if deviation > 0 {
            interval = summary.confidenceInterval
            let t = (summary.mean - margin) / (deviation / Double(values.count).squareRoot())
            pValue = 1 - StudentT.probability(within: abs(t), degreesOfFreedom: values.count - 1)
        } else {
            interval = nil
            pValue = Self.signTest(summary.mean, margin, values.count)
        }
    }

    /// - Returns: nil for fewer units than ``Bootstrap/fewestUnits``, and where a replicate is not
    ///   finite.
    package init?(_ bootstrap: Bootstrap, margin: Double) {
        guard bootstrap.unitCount >= Bootstrap.fewestUnits, bootstrap.estimate.isFinite,
            bootstrap.replicates.allSatisfy(\.isFinite)
        else { return nil }
        estimate = bootstrap.estimate
        interval = bootstrap.interval
        self.margin = margin
        unitCount = bootstrap.unitCount
        pValue =
            interval == nil
            ? Self.signTest(estimate, margin, unitCount) : bootstrap.pValue(of: margin)
    }

    /// Where all units agree there is no scatter to test by; that they lie on one side is as likely
    /// as a coin that falls on one side as often.
    private static func signTest(_ value: Double, _ margin: Double, _ count: Int) -> Double {
        value == margin ? 1 : SignTest.pValue(count, 0)
    }
}

extension Verdict {
    /// The level of the tests, for all claims of a family together.
    package static let level = 0.05

    /// Of claims that are tested together, with Holm's correction over those that are.
    ///
    /// A claim is supported or refuted where its adjusted p is at most ``level``, by the side of
    /// the margin on which its effect lies. What is only a bound decides on its own side alone.
    ///
    /// - Parameter effects: nil where there was nothing to test.
    /// - Returns: by claim; the adjusted p is nil where nothing was tested.
    package static func ofFamily(
        _ effects: [Effect?]
    ) -> [(verdict: Verdict, adjustedP: Double?)] {
        var adjusted = Holm.adjusted(effects.compactMap { $0?.pValue })[...]
        return effects.map { effect in
            guard let effect, let p = adjusted.popFirst() else { return (.notTested, nil) }
            guard p <= level else { return (.inconclusive, p) }
            switch (effect.estimate > effect.margin, effect.bound) {
            case (true, .atMost), (false, .atLeast): return (.inconclusive, p)
            case (true, _): return (.supported, p)
            case (false, _): return (.refuted, p)
            }
        }
    }
}
