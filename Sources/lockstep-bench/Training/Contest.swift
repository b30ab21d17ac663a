/// Training runs of several sides in turn, round by round.
///
/// A round runs every contender once, the sides of a ratio one after the other, so that a slow
/// minute of the machine meets all of them; every second round goes the other way. The best round
/// of each side counts, and every round's ratio is kept for the spread.
struct Contest {
    struct Entry: Hashable {
        let side: String
        let shape: TrainingShape
    }

    typealias Run = (TrainingShape) throws -> TrainingResult

    /// By round, from the first to the one in which a side dropped out.
    private(set) var results: [Entry: [TrainingResult]] = [:]
    /// Why a side dropped out.
    private(set) var failures: [String] = []

    /// - Parameters:
    ///   - entries: in the order of a round.
    ///   - sides: how to run each; the one named `own` must not fail.
    mutating func run(
        _ entries: [Entry], rounds: Int, own: String, sides: [String: Run]
    ) throws {
        var lost: Set<Entry> = []
        for round in 1...rounds {
            let order = round.isMultiple(of: 2) ? entries.reversed() : entries
            for entry in order where !lost.contains(entry) {
                guard let run = sides[entry.side] else { continue }
                Notes.progress("round \(round) of \(rounds): \(entry.side), \(entry.shape.words)")
                do {
                    results[entry, default: []].append(try run(entry.shape))
                } catch let error as BenchError where entry.side != own {
                    lost.insert(entry)
                    failures.append("\(entry.side), \(entry.shape.words), is left out: \(error)")
                }
            }
        }
        Notes.endProgress()
    }

    /// Examples a second, round by round; nil for what was not run.
    func rates(_ side: String, _ shape: TrainingShape) -> Rounds? {
        rounds(side, shape, .higher, \.examplesPerSecond)
    }

    func rounds(
        _ side: String, _ shape: TrainingShape, _ better: Rounds.Better,
        _ value: (TrainingResult) -> Double
    ) -> Rounds? {
        results[Entry(side: side, shape: shape)].map { Rounds($0.map(value), better) }
    }
}
