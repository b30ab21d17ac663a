import Foundation
import Synchronization

/// Many seeds, on all cores, and what came of them.
package struct Campaign: Sendable {
    /// What many seeds came to.
    package struct Summary: Sendable {
        package var seeds = 0
        package var steps = 0
        package var faults = 0
        package var fewestSteps = Int.max
        package var fewestFaults = Int.max
        package var milliseconds = 0
        /// The first ones, ascending by seed.
        package var failures: [Simulation.Outcome] = []
        package var failureCount = 0

        mutating func add(_ outcome: Simulation.Outcome) {
            seeds += 1
            steps += outcome.steps
            faults += outcome.faults
            fewestSteps = min(fewestSteps, outcome.steps)
            fewestFaults = min(fewestFaults, outcome.faults)
            milliseconds += outcome.milliseconds
            guard !outcome.problems.isEmpty else { return }
            failureCount += 1
            failures.append(outcome)
            failures.sort { $0.seed < $1.seed }
            if failures.count > Campaign.maximumFailures { failures.removeLast() }
        }
    }

    /// Failures that are told apart: more say nothing new.
    private static let maximumFailures = 20

    package let seeds: [ClosedRange<UInt64>]
    package let threads: Int

    package init(seeds: [ClosedRange<UInt64>], threads: Int) {
        self.seeds = seeds
        self.threads = threads
    }

    package init(seeds: ClosedRange<UInt64>, threads: Int) {
        self.init(seeds: [seeds], threads: threads)
    }

    /// Simulates all seeds.
    ///
    /// - Parameters:
    ///   - distortions: the deliberate faults of one simulation; none in earnest.
    ///   - stopsAtFailure: whether the first failure is enough.
    ///   - progress: told the seeds done, now and then, from any thread.
    package func run(
        distortions: @escaping @Sendable () -> Distortions = { Distortions() },
        stopsAtFailure: Bool = false, progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) -> Summary {
        let progressState = CampaignState(seeds)
        let group = DispatchGroup()
        for _ in 0..<threads {
            group.enter()
            let thread = Thread {
                while let seed = progressState.take() {
                    let outcome = Simulation(seed: seed, distortions: distortions()).run()
                    let done = progressState.add(outcome, stops: stopsAtFailure)
                    if done % 256 == 0 { progress(done) }
                }
                group.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        group.wait()
        return progressState.summary
    }
}

/// The next seed, and what came of those before: the threads of a campaign share it.
private final class CampaignState: Sendable {
    private struct State {
        /// What is left of the seeds.
        var seeds: ArraySlice<ClosedRange<UInt64>>
        var isStopped = false
        var summary = Campaign.Summary()
    }

    private let state: Mutex<State>

    init(_ seeds: [ClosedRange<UInt64>]) { state = Mutex(State(seeds: seeds[...])) }

    func take() -> UInt64? {
        state.withLock { state in
            guard !state.isStopped, let range = state.seeds.popFirst() else { return nil }
            if range.lowerBound < range.upperBound {
                let rest = range.lowerBound + 1...range.upperBound
                state.seeds = [rest] + state.seeds
            }
            return range.lowerBound
        }
    }

    /// - Returns: the seeds done.
    func add(_ outcome: Simulation.Outcome, stops: Bool) -> Int {
        state.withLock { state in
            state.summary.add(outcome)
            if stops, !outcome.problems.isEmpty { state.isStopped = true }
            return state.summary.seeds
        }
    }

    var summary: Campaign.Summary { state.withLock { $0.summary } }
}
