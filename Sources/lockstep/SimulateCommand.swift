import ArgumentParser
import Foundation
import LockstepProtocol
import LockstepSimulator

/// `lockstep simulate`
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract:
            "Train small networks on simulated clusters with faults, and check every promise.",
        discussion: """
            Each seed is a cluster with the real protocol and real arithmetic on a simulated \
            network and clock, where messages are lost, repeated and late, connections break, \
            links are cut and clogged, processes are suspended, clocks jump, and the disk and the \
            evaluation are slow. The weights must be those of a single process, bit for bit, with \
            every micro-batch counted once and every step recorded once. A failure prints its \
            seed, which replays exactly.

            Examples:
              lockstep simulate --seeds 1-1000
              lockstep simulate --seed 42 --trace | less
              lockstep simulate --seeds 1-1000000 --json
            """)

    @Option(
        help: ArgumentHelp("The seeds to simulate; default 1-1000.", valueName: "list"),
        transform: Self.list)
    var seeds: SeedList?

    @Option(help: ArgumentHelp("One seed.", valueName: "n"))
    var seed: UInt64?

    @Flag(help: "Print the conversation of one seed.")
    var trace = false

    @Option(help: ArgumentHelp("Threads; default: the cores of this host.", valueName: "n"))
    var threads: Int?

    @Flag(help: "Print the result as one line of JSON.")
    var json = false

    func validate() throws {
        if seeds != nil, seed != nil {
            throw ValidationError("give --seed or --seeds, not both")
        }
        if trace, seed == nil {
            throw ValidationError("--trace prints one conversation: add --seed N")
        }
        if let threads, !(1...1_024).contains(threads) {
            throw ValidationError("--threads \(threads): give 1 to 1024.")
        }
    }

    private static func list(_ text: String) throws -> SeedList {
        do throws(SeedList.Problem) {
            return try SeedList(text)
        } catch {
            throw ValidationError("--seeds \(text): \(error.reason); \(error.remedy)")
        }
    }

    func run() throws {
        if trace, let seed {
            let outcome = Simulation(seed: seed) { print($0) }.run()
            for problem in outcome.problems { print("PROBLEM: \(problem)") }
            if !outcome.problems.isEmpty { throw CommandEnd(brokenSeeds: 1) }
            return
        }
        let seeds = seed.map { [$0...$0] } ?? seeds?.ranges ?? [1...1_000]
        let count = SeedList(ranges: seeds).count
        let start = Date()
        let campaign = Campaign(
            seeds: seeds, threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        let summary = campaign.run(progress: { done in
            guard Console.shared.isTerminal else { return }
            Console.shared.showBar("\(done) of \(count) seeds")
        })
        Console.shared.clearBar()
        let seconds = Date().timeIntervalSince(start)
        print(json ? summary.json(seconds) : summary.text(seconds))
        if summary.failureCount > 0 { throw CommandEnd(brokenSeeds: summary.failureCount) }
    }
}

extension CommandEnd {
    /// Promises were broken: a fault of ours.
    fileprivate init(brokenSeeds count: Int) {
        self.init(
            reason: StopReason(
                .internalError,
                count == 1
                    ? "1 seed broke a promise: replay it with --seed N --trace"
                    : "\(count) seeds broke a promise: replay one with --seed N --trace"))
    }
}

extension Campaign.Summary {
    fileprivate func text(_ seconds: Double) -> String {
        let failed = failures.map { outcome in
            "seed \(outcome.seed): " + outcome.problems.prefix(3).joined(separator: "; ")
        }
        let rate = String(format: "%.0f", Double(seeds) / max(seconds, 0.001))
        return
            (failed + [
                "\(seeds) seeds, \(failureCount) failed; \(steps) steps (at least \(fewestSteps) a seed), "
                    + "\(faults) faults (at least \(fewestFaults)), \(milliseconds / 1_000) s simulated in "
                    + String(format: "%.1f", seconds) + " s, \(rate) seeds/s"
            ]).joined(separator: "\n")
    }

    fileprivate func json(_ seconds: Double) -> String {
        struct Line: Encodable {
            struct Failure: Encodable {
                let seed: UInt64
                let problems: [String]
            }
            let seeds, failed, steps, faults, fewestSteps, fewestFaults: Int
            let simulatedSeconds, seconds: Double
            let failures: [Failure]
        }
        let line = Line(
            seeds: seeds, failed: failureCount, steps: steps, faults: faults,
            fewestSteps: fewestSteps, fewestFaults: fewestFaults,
            simulatedSeconds: Double(milliseconds) / 1_000, seconds: seconds,
            failures: failures.map { .init(seed: $0.seed, problems: $0.problems) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return (try? encoder.encode(line)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
