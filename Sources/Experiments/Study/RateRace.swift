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
///
/// While the winner is the smallest or the largest rate, the grid is widened there: beyond the edge
/// there may be a better one.
package struct RateRace: Sendable {
    /// What a rate is chosen for: what is reported of the runs that have it.
    package enum Goal: Equatable, Sendable {
        /// Few steps to this accuracy on the held-out examples.
        case steps(to: Double)
        /// A high accuracy on the held-out examples at the end.
        case accuracy
    }

    /// Where the winner lies in the grid as it is in the end.
    package struct Place: Equatable, Sendable {
        /// From 1 for the smallest rate.
        package let rank: Int
        package let count: Int

        package var isEdge: Bool { rank == 1 || rank == count }
    }

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
    private let goal: Goal
    private var wideningsLeft: Int

    /// How often the grid is widened beyond an edge, at most.
    package static let mostWidenings = 6

    /// - Parameters:
    ///   - rates: ascending: of equals the first wins.
    ///   - seeds: with which the winner is to be trained; not empty.
    package init(
        rates: [Double], seeds: [UInt64], goal: Goal, mostWidenings: Int = Self.mostWidenings
    ) {
        precondition(!seeds.isEmpty, "a trial needs a seed")
        entries = rates.map { Entry(rate: $0) }
        self.seeds = seeds
        self.goal = goal
        wideningsLeft = mostWidenings
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
        entries[index].merits.append(Merit(outcome, goal))
        widen()
    }

    private mutating func widen() {
        guard wideningsLeft > 0, entries.count > 1, !entries.contains(where: \.merits.isEmpty),
            let leader, leader.merits.count == seeds.count, let place, place.isEdge
        else { return }
        let rates = entries.map(\.rate)
        let (first, second) = (rates[0], rates[1])
        let (beforeLast, last) = (rates[rates.count - 2], rates[rates.count - 1])
        wideningsLeft -= 1
        if place.rank == 1 {
            entries.insert(Entry(rate: StudyPlan.rounded(first * first / second)), at: 0)
        } else {
            entries.append(Entry(rate: StudyPlan.rounded(last * last / beforeLast)))
        }
    }

    /// Nil where no rate was tried.
    package var place: Place? {
        guard let leader, let index = entries.firstIndex(where: { $0.rate == leader.rate }) else {
            return nil
        }
        return Place(rank: index + 1, count: entries.count)
    }

    /// Nil where no rate was tried.
    package var winner: Double? { leader?.rate }

    private var leader: Entry? {
        entries.reduce(nil) { best, entry in
            best.map { $0.worst < entry.worst ? entry : $0 } ?? entry
        }
    }
}

/// How well a run did on the held-out examples. A run that diverged is the worst.
private struct Merit: Comparable, Sendable {
    /// To the target; infinite where it was not reached, and where there is none.
    private let steps: Double
    /// At the end.
    private let accuracy: Double

    init(_ outcome: RunOutcome?, _ goal: RateRace.Goal) {
        let curve = outcome?.end?.status == .diverged ? [] : outcome?.validationCurve ?? []
        switch goal {
        case .steps(let target):
            let crossing = Crossing(of: target, in: curve)
            steps = crossing?.isReached == true ? Double(crossing?.point.step ?? 0) : .infinity
        case .accuracy:
            steps = .infinity
        }
        let last = curve.last?.value ?? 0
        accuracy = last.isFinite ? last : 0
    }

    /// Of several runs together, each figure of the worst of them.
    init(_ merits: [Merit]) {
        steps = merits.map(\.steps).max() ?? .infinity
        accuracy = merits.map(\.accuracy).min() ?? 0
    }

    /// Of rates that are equally fast the first is as good as another: accuracy decides only among
    /// those that do not get there.
    static func < (a: Self, b: Self) -> Bool {
        a.steps == b.steps && a.steps == .infinity ? a.accuracy < b.accuracy : a.steps > b.steps
    }
}
