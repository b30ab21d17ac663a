import Foundation

/// The log-rank test that two groups get there at the same rate, stratified: only those of one
/// stratum are compared with each other.
///
/// Mantel, “Evaluation of Survival Data and Two New Rank Order Statistics” (1966). With a pair of
/// runs of one seed as a stratum it is the paired test.
package struct LogRank: Equatable, Sendable {
    package struct Stratum: Equatable, Sendable {
        package var first: [TimeToEvent]
        package var second: [TimeToEvent]

        package init(first: [TimeToEvent], second: [TimeToEvent]) {
            self.first = first
            self.second = second
        }
    }

    /// Events of the first group, less those that would be expected if there were no difference.
    package let excess: Double
    package let variance: Double

    package init(_ strata: [Stratum]) {
        var (excess, variance) = (0.0, 0.0)
        for stratum in strata {
            let both = stratum.first + stratum.second
            for time in Set(both.filter(\.isReached).map(\.time)) {
                func atRisk(_ times: [TimeToEvent]) -> Double {
                    Double(times.count { $0.time >= time })
                }
                func events(_ times: [TimeToEvent]) -> Double {
                    Double(times.count { $0.time == time && $0.isReached })
                }
                let (total, first) = (atRisk(both), atRisk(stratum.first))
                let (all, share) = (events(both), first / total)
                excess += events(stratum.first) - all * share
                guard total > 1 else { continue }
                variance += all * share * (1 - share) * (total - all) / (total - 1)
            }
        }
        self.excess = excess
        self.variance = variance
    }

    /// With one degree of freedom; nil where nothing was compared.
    package var chiSquare: Double? { variance > 0 ? excess * excess / variance : nil }

    /// Two-sided; nil where nothing was compared.
    package var pValue: Double? { chiSquare.map { erfc(($0 / 2).squareRoot()) } }
}
