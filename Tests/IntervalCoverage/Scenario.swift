import Foundation
import Statistics

/// Something that is claimed at 95 %, and one simulated trial of it.
struct Scenario: Sendable {
    enum Kind: String {
        /// The trial tells whether the interval held the truth.
        case interval
        /// The trial tells whether the test rejected what is true.
        case test
    }

    let kind: Kind
    let name: String
    let trial: @Sendable (inout SimulatedRandom) -> Bool

    static let all = means + curves + ratios + crossed

    private static let replicateCount = 2_000

    // MARK: Student

    private static let means =
        [3, 24].map { count in
            Scenario(kind: .interval, name: "Student, \(count) seeds") { random in
                let values = (0..<count).map { _ in 0.3 + random.normal() }
                return Summary(values)?.confidenceInterval?.contains(0.3) == true
            }
        } + [
            Scenario(kind: .interval, name: "Student within 0…1, 3 seeds") { random in
                // Accuracies near 1: on most samples the interval would go beyond.
                let values = (0..<3).map { _ in
                    1 - Double((0..<200).count { _ in random.happens(0.02) }) / 200
                }
                return Summary(values)?.confidenceInterval(within: 0...1)?.contains(0.98) == true
            },
            Scenario(kind: .test, name: "Student's test of the margin, 8 seeds") { random in
                let values = (0..<8).map { _ in 0.1 + random.normal() }
                return (Effect(values, margin: 0.1)?.pValue ?? 1) <= 0.05
            },
            Scenario(kind: .test, name: "McNemar, 60 examples") { random in
                let first = (0..<60).count { _ in random.happens(0.5) }
                return McNemar(onlyFirst: first, onlySecond: 60 - first).pValue <= 0.05
            },
        ]

    // MARK: Times

    /// Steps to a target: log-normal, read every `grid` steps, so that there are ties.
    private static func time(
        median: Double, common: Double, grid: Double, _ random: inout SimulatedRandom
    ) -> Double {
        let time = median * exp(0.25 * common + 0.25 * random.normal())
        return (time / grid).rounded(.up) * grid
    }

    /// With the normal quantile at which so many have got there.
    private static let curves =
        [(0.75, -0.67448975), (0.5, 0), (0.25, 0.67448975)].map {
            survival, z in
            Scenario(kind: .interval, name: "Kaplan–Meier at \(survival), 24 seeds") { random in
                let spread = 0.25 * 2.0.squareRoot()
                let times = (0..<24).map { _ in
                    let time = 1_000 * exp(spread * random.normal())
                    let end = 600 + 1_600 * random.uniform()
                    return TimeToEvent(min(time, end), isReached: time <= end)
                }
                let band = KaplanMeier(times).survival(at: 1_000 * exp(spread * z)).band
                return band.contains(survival)
            }
        } + [
            Scenario(kind: .test, name: "log-rank, two groups of 24") { random in
                let times = (0..<48).map { _ in censored(random.normal(), &random) }
                let test = LogRank([
                    .init(first: Array(times.prefix(24)), second: Array(times.suffix(24)))
                ])
                return (test.pValue ?? 1) <= 0.05
            },
            Scenario(kind: .test, name: "log-rank by seed, 40 pairs") { random in
                let test = LogRank(
                    (0..<40).map { _ in
                        let common = random.normal()
                        return .init(
                            first: [censored(common, &random)], second: [censored(common, &random)])
                    })
                return (test.pValue ?? 1) <= 0.05
            },
        ]

    private static func censored(
        _ common: Double, _ random: inout SimulatedRandom
    ) -> TimeToEvent {
        let value = time(median: 1_000, common: common, grid: 1, &random)
        return TimeToEvent(value, isReached: true).restricted(to: 1_300)
    }

    // MARK: Ratios of restricted means

    /// A pair of runs of one seed: the slow one takes twice as long, ends at the horizon without
    /// the target in a third of the cases, and diverges now and then.
    private static func pair(_ random: inout SimulatedRandom) -> (slow: Double, fast: Double) {
        let common = random.normal()
        let slow = time(median: 2_000, common: common, grid: 100, &random)
        let fast = time(median: 1_000, common: common, grid: 100, &random)
        return (random.happens(0.04) ? horizon : min(slow, horizon), min(fast, horizon))
    }

    private static let horizon = 2_400.0

    /// Over a million pairs.
    private static let trueRatio: Double = {
        var random = SimulatedRandom(scenario: 1_000, repetition: 0)
        var (slow, fast) = (0.0, 0.0)
        for _ in 0..<1_000_000 {
            let pair = pair(&random)
            slow += pair.slow
            fast += pair.fast
        }
        return slow / fast
    }()

    private static func ratio(
        _ seeds: Int, batches: Int, _ random: inout SimulatedRandom
    ) -> Bootstrap {
        let pairs = (0..<batches).map { _ in
            (0..<seeds).map { _ in
                let pair = pair(&random)
                return (slow: event(pair.slow), fast: event(pair.fast))
            }
        }
        return Bootstrap(unitCount: seeds, replicateCount: replicateCount) { places in
            let logs = pairs.map { pairs in
                let means = [
                    places.map { pairs[$0].slow }, places.map { pairs[$0].fast },
                ].map { KaplanMeier($0).restrictedMean(to: horizon) }
                return log(means[0] / means[1])
            }
            return exp(logs.reduce(0, +) / Double(batches))
        }
    }

    private static func event(_ time: Double) -> TimeToEvent {
        TimeToEvent(time, isReached: time < horizon)
    }

    private static let ratios = [(8, 1), (10, 1), (24, 1), (10, 6)].flatMap { seeds, batches in
        let name = "\(seeds) seeds, \(batches) batches"
        return [
            Scenario(kind: .interval, name: "ratio of restricted means, \(name)") { random in
                ratio(seeds, batches: batches, &random).interval?.contains(trueRatio) == true
            },
            Scenario(kind: .test, name: "test of that ratio, \(name)") { random in
                ratio(seeds, batches: batches, &random).pValue(of: trueRatio) <= 0.05
            },
        ]
    }

    // MARK: Seeds and examples

    /// Who is right where: easy and hard examples, seeds that are better and worse.
    private static let crossed = [(8, 0.0), (10, 0.4), (24, 0.4)].map { seeds, spread in
        Scenario(
            kind: .interval, name: "seeds and examples, \(seeds) seeds, spread \(spread)"
        ) { random in
            let examples = 1_200
            // The chance that only the one, or only the other is right, by example.
            let chances = (0..<examples).map { _ in
                random.happens(0.1) ? (random.uniform(), random.uniform()) : (0.01, 0.01)
            }
            let rows = (0..<seeds).map { _ in
                let shift = 1 + spread * (2 * random.uniform() - 1)
                return chances.map { first, second -> Int8 in
                    if random.happens(min(1, 0.5 * first * shift)) { return 1 }
                    return random.happens(0.25 * second) ? -1 : 0
                }
            }
            // The second has its chance where the first has not.
            let hard = 0.25 - 0.125 * (1 - 0.25)
            let easy = 0.005 - 0.0025 * (1 - 0.005)
            let truth = 0.1 * hard + 0.9 * easy
            let bootstrap = Bootstrap(CrossedTable(rows), replicateCount: replicateCount)
            return bootstrap.interval?.contains(truth) == true
        }
    }
}
