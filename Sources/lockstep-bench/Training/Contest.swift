/// Training runs of several sides in turn, round by round.
///
/// A round runs every contender once, both sides of a ratio one after the other, so that a slow
/// minute of the machine meets both. Each keeps its best rate.
struct Contest {
    struct Entry: Hashable {
        let side: String
        let shape: TrainingShape
    }

    typealias Run = (TrainingShape) throws -> TrainingResult

    private(set) var best: [Entry: TrainingResult] = [:]
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
            for entry in entries where !lost.contains(entry) {
                guard let run = sides[entry.side] else { continue }
                Notes.progress("round \(round) of \(rounds): \(entry.side), \(entry.shape.words)")
                do {
                    let result = try run(entry.shape)
                    let isBetter =
                        best[entry].map { $0.examplesPerSecond < result.examplesPerSecond } ?? true
                    if isBetter { best[entry] = result }
                } catch let error as BenchError where entry.side != own {
                    lost.insert(entry)
                    failures.append("\(entry.side), \(entry.shape.words), is left out: \(error)")
                }
            }
        }
        Notes.endProgress()
    }

    func rate(_ side: String, _ shape: TrainingShape) -> Double? {
        best[Entry(side: side, shape: shape)]?.examplesPerSecond
    }
}

extension TrainingShape {
    var words: String {
        let place = workers == 0 ? "one process" : "\(workers) workers"
        return "\(place), threads \(threads), batch \(batchSize)"
    }
}
