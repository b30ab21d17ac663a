import Experiments
import Foundation
import LockstepRuntime
import RunRecords
import TestSupport
import Testing

@Suite struct RateRaceTests {
    /// The held-out accuracy of a run at steps 10, 20, …
    private func outcome(_ accuracies: [Double]) -> RunOutcome {
        var outcome = RunOutcome(
            run: RunRecord(
                configuration: "test", settings: [:], seed: 1,
                placement: Placement(workers: 0, threads: 1, servers: 1), versions: [:],
                started: Date(timeIntervalSince1970: 0)),
            provenance: Provenance(dataset: "d", datasetSHA256: "", configurationSHA256: ""))
        for (index, accuracy) in accuracies.enumerated() {
            // That on the test set decides nothing.
            for (split, value) in [(EvaluationRecord.Split.validation, accuracy), (.test, 1)] {
                outcome.add(
                    .evaluation(
                        EvaluationRecord(
                            step: (index + 1) * 10, epoch: 1, split: split, loss: 0,
                            accuracy: value, seconds: 0)))
            }
        }
        return outcome
    }

    /// Runs it to its end.
    ///
    /// - Returns: the winner, and the trials in the order in which they were asked for.
    private func race(
        _ rates: [Double], seeds: [UInt64], goal: RateRace.Goal = .steps(to: 0.95),
        mostWidenings: Int = 0, _ run: (RateRace.Trial) -> RunOutcome?
    ) -> (winner: Double?, trials: [RateRace.Trial]) {
        var race = RateRace(
            rates: rates, seeds: seeds, goal: goal, mostWidenings: mostWidenings)
        var trials: [RateRace.Trial] = []
        while case let next = race.next, !next.isEmpty {
            for trial in next { race.add(run(trial), of: trial) }
            trials += next
        }
        return (race.winner, trials)
    }

    /// The fastest rate with the first seed, at which the third seed collapses.
    @Test func aRateAtWhichOneSeedCollapsesIsNotChosen() {
        let (winner, trials) = race([1, 2, 4], seeds: [7, 8, 9]) { trial in
            switch (trial.rate, trial.seed) {
            case (4, 9): outcome([0.1, 0.1, 0.1])
            case (4, _): outcome([0.96, 0.965, 0.965])
            case (2, _): outcome([0.9, 0.95, 0.96])
            default: outcome([0.8, 0.9, 0.94])
            }
        }
        #expect(winner == 2)
        #expect(trials.prefix(3).map(\.rate) == [1, 2, 4])
        #expect(trials.prefix(3).allSatisfy { $0.seed == 7 })
        // The slowest was behind from the start.
        #expect(trials.dropFirst(3).map(\.rate) == [4, 4, 2, 2])
    }

    @Test func theGoalDecides() {
        func winner(_ curves: [Double: [Double]], _ goal: RateRace.Goal) -> Double? {
            race(curves.keys.sorted(), seeds: [1], goal: goal) { trial in
                curves[trial.rate].map { outcome($0) }
            }.winner
        }
        let target = RateRace.Goal.steps(to: 0.95)
        // The faster one to the target, whatever comes behind it.
        #expect(winner([1: [0.9, 0.95, 0.99], 2: [0.95, 0.95, 0.955]], target) == 2)
        #expect(winner([1: [0.9, 0.95, 0.99], 2: [0.95, 0.95, 0.955]], .accuracy) == 1)
        // One that gets there late, before one that does not.
        #expect(winner([1: [0.94, 0.94, 0.949], 2: [0.1, 0.1, 0.95]], target) == 2)
        #expect(winner([1: [0.5, 0.94, 0.9], 2: [0.5, 0.6, 0.93]], target) == 2)
        #expect(winner([1: [0.5, 0.94], 2: [0.5, .nan]], .accuracy) == 1)
        // Of equals the lowest; a run without a figure is the worst.
        #expect(winner([1: [0.95, 0.96], 2: [0.95, 0.99]], target) == 1)
        #expect(winner([1: [0.9], 2: [0.9]], .accuracy) == 1)
        #expect(winner([1: [], 2: [0.1]], target) == 2)
        #expect(winner([:], target) == nil)
    }

    @Test func aRunThatDivergesIsTheWorst() {
        let (winner, _) = race([1, 2], seeds: [1]) { trial in
            var run = outcome([trial.rate == 2 ? 0.97 : 0.5])
            if trial.rate == 2 { run.add(.end(Samples.end(.diverged))) }
            return run
        }
        #expect(winner == 1)
    }

    /// The best rate is 32, and later 0.25, far from the grid; the grid goes on as long as it may.
    @Test(arguments: [
        (32.0, 6, 32.0, [8.0, 16, 32, 64]), (0.25, 6, 0.25, [0.5, 0.25, 0.13]),
        (32, 2, 16, [8, 16]), (2, 6, 2, []),
    ])
    func theGridIsWidenedWhileTheBestIsAtItsEdge(
        best: Double, mostWidenings: Int, winner: Double, widened: [Double]
    ) {
        let (found, trials) = race([1, 2, 4], seeds: [1, 2], mostWidenings: mostWidenings) {
            let distance = $0.rate > best ? $0.rate / best : best / $0.rate
            return outcome([0.9 - 0.01 * distance])
        }
        #expect(found == winner)
        var rates: [Double] = []
        for trial in trials where !rates.contains(trial.rate) { rates.append(trial.rate) }
        #expect(rates == [1, 2, 4] + widened)
    }

    @Test func thePlaceOfTheWinnerIsKnown() {
        var race = RateRace(rates: [1, 2, 4], seeds: [1], goal: .accuracy, mostWidenings: 0)
        for trial in race.next { race.add(outcome([trial.rate == 2 ? 0.9 : 0.5]), of: trial) }
        #expect(race.place?.rank == 2 && race.place?.count == 3 && race.place?.isEdge == false)
    }

    @Test func aFailedRunIsTheWorst() {
        let (winner, _) = race([1, 2], seeds: [1, 2]) { trial in
            trial == RateRace.Trial(rate: 2, seed: 2)
                ? nil : outcome([trial.rate == 2 ? 0.97 : 0.5])
        }
        #expect(winner == 1)
    }

    /// It comes to what the worst of all seeds says of every rate, with fewer runs.
    @Test func theWinnerIsThatOfAllTrials() {
        var random = SeededRandom(seed: 11)
        let seeds: [UInt64] = [1, 2, 3]
        let rates = [0.25, 0.5, 1, 2, 4, 8]
        var trainedCount = 0
        for _ in 0..<300 {
            var accuracies: [String: Double] = [:]
            for rate in rates {
                for seed in seeds {
                    let draw = Double(random.floats(1)[0])
                    accuracies["\(rate) \(seed)"] = draw < -0.7 ? 0.1 : 0.9 + draw * 0.04
                }
            }
            func accuracy(_ rate: Double, _ seed: UInt64) -> Double {
                accuracies["\(rate) \(seed)"] ?? .nan
            }
            let (winner, trials) = race(rates, seeds: seeds) {
                outcome([accuracy($0.rate, $0.seed)])
            }
            let worst = rates.map { rate in seeds.map { accuracy(rate, $0) }.min() ?? .nan }
            #expect(winner == worst.max().flatMap(worst.firstIndex).map { rates[$0] })
            #expect(Set(trials.map { "\($0.rate) \($0.seed)" }).count == trials.count)
            trainedCount += trials.count
        }
        #expect(trainedCount < 300 * rates.count * seeds.count * 3 / 4, "\(trainedCount)")
    }
}
