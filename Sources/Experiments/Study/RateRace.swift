import LockstepRuntime
import Report
package import RunRecords
import Statistics

/// Chooses the learning rate that does best with its worst seed.
///
/// A mean would forgive a seed that collapses, where the others are a little faster; a rate at
/// which one of few seeds collapses is no rate to report on. And a worst seed is known to be no
/// better than those that are trained already: only the rate that leads is trained with more of
/// them, and the winner is the same as if every rate had been trained with all.
package struct RateRace: Sendable {
    package struct Trial: Equatable, Sendable {
        package let rate: Double
        package let seed: UInt64

        package init(rate: Double, seed: UInt64) {
            self.rate = rate
            self.seed = seed
        }
    }

    private struct Entry: Sendable {
        let rate: Double
        var merits: [Merit] = []

        var worst: Merit { Merit(merits) }
    }

    private var entries: [Entry]
    private let seeds: [UInt64]

    /// - Parameters:
    ///   - rates: ascending: of equals the first wins.
    ///   - seeds: with which the winner is to be trained; not empty.
    package init(rates: [Double], seeds: [UInt64]) {
        precondition(!seeds.isEmpty, "a trial needs a seed")
        entries = rates.map { Entry(rate: $0) }
        self.seeds = seeds
    }

    /// What is to be trained now; empty when there is a winner.
    package var next: [Trial] {
        let untried = entries.filter(\.merits.isEmpty)
        guard untried.isEmpty else {
            return untried.map { Trial(rate: $0.rate, seed: seeds[0]) }
        }
        guard let leader else { return [] }
        return seeds.dropFirst(leader.merits.count).map { Trial(rate: leader.rate, seed: $0) }
    }

    /// - Parameter outcome: nil where the run failed.
    package mutating func add(_ outcome: RunOutcome?, of trial: Trial) {
        guard let index = entries.firstIndex(where: { $0.rate == trial.rate }) else { return }
        entries[index].merits.append(Merit(outcome?.validationCurve ?? []))
    }

    /// Nil where no rate was tried.
    package var winner: Double? { leader?.rate }

    private var leader: Entry? {
        entries.reduce(nil) { best, entry in
            best.map { $0.worst < entry.worst ? entry : $0 } ?? entry
        }
    }
}

/// How well a run did on the held-out examples: the highest threshold that it reached counts first,
/// then the fewer steps to it, then the accuracy at the end.
private struct Merit: Comparable, Sendable {
    /// To each threshold in turn, up to the first that was not reached.
    private let steps: [Int]
    private let accuracy: Double

    init(_ curve: [CurvePoint]) {
        let crossings = Comparison.thresholds.map { Crossing(of: $0, in: curve) }
        steps = crossings.prefix { $0?.isReached == true }.compactMap { $0?.point.step }
        let last = curve.last?.value ?? 0
        accuracy = last.isFinite ? last : 0
    }

    /// Of several runs together, each figure of the worst of them.
    init(_ merits: [Merit]) {
        let reached = merits.map(\.steps.count).min() ?? 0
        steps = (0..<reached).map { threshold in merits.map { $0.steps[threshold] }.max() ?? 0 }
        accuracy = merits.map(\.accuracy).min() ?? 0
    }

    static func < (a: Self, b: Self) -> Bool {
        (a.steps.count, -(a.steps.last ?? 0), a.accuracy)
            < (b.steps.count, -(b.steps.last ?? 0), b.accuracy)
    }
}
