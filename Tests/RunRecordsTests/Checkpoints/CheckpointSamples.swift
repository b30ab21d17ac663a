import RunRecords
import TestSupport

/// Small checkpoints of one run, and a disk that holds some.
enum CheckpointSamples {
    static let parameterCount = 40
    static let path = "/runs/run/checkpoints"

    static func checkpoint(_ step: Int, stateCount: Int = 2) -> Checkpoint {
        var random = SeededRandom(seed: step)
        var recording = RecordingState(stepLineInterval: 3)
        recording.epochLossSum = 0.1 + Double(step) / 3
        recording.epochCorrectCount = step
        recording.epochExamples = 32 * step
        recording.epochStartSeconds = 1e-300
        recording.seconds = .pi * Double(step)
        recording.bestExamplesPerSecond = 412_345.678_901_234_5
        recording.lastTest = RecordingState.TestEvaluation(
            step: step - 1, loss: 0.3, accuracy: 1.0 / 3, examples: 10_000,
            decisionsChangedByRescaling: 2)
        return Checkpoint(
            step: step, weights: random.floats(parameterCount),
            state: (0..<stateCount).map { _ in random.floats(parameterCount, limit: 1e-30) },
            provenance: Samples.provenance, arithmeticVersion: 1, recording: recording,
            log: LogMark(byteCount: 1_000 * step, sha256: String(repeating: "5e", count: 32)))
    }

    static var identity: CheckpointIdentity { checkpoint(1).identity }

    static func store(_ disk: SimulatedDisk, keep: Int = 2) -> CheckpointStore {
        CheckpointStore(path: path, keep: keep, disk: disk)
    }

    /// With the checkpoints of these steps.
    static func disk(_ steps: [Int], keep: Int = 2) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        for step in steps { try store(disk, keep: keep).write(checkpoint(step)) }
        return disk
    }

    /// What every reader of a store may count on: what is found is one of these, bit for bit.
    static func found(
        on disk: SimulatedDisk, among steps: [Int], matching identity: CheckpointIdentity = identity
    ) throws -> (step: Int?, refusals: [CheckpointRefusal]) {
        let (checkpoint, refusals) = try store(disk).newestWhole(matching: identity)
        if let checkpoint {
            let isOurs = steps.contains(checkpoint.step)
            guard isOurs, isSame(checkpoint, self.checkpoint(checkpoint.step)) else {
                throw Accepted(step: checkpoint.step)
            }
        }
        return (checkpoint?.step, refusals)
    }

    /// A checkpoint that is not whole was taken for one.
    struct Accepted: Error { let step: Int }

    static func isSame(_ first: Checkpoint, _ second: Checkpoint) -> Bool {
        first == second
            && first.weights.map(\.bitPattern) == second.weights.map(\.bitPattern)
            && first.state.map { $0.map(\.bitPattern) }
                == second.state.map { $0.map(\.bitPattern) }
    }
}
