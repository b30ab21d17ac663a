import LockstepRuntime
import NeuralNetwork
import RunRecords
import TrainingPlan

/// The checkpoints of a simulated coordinator: the real store, on a disk that fails and forgets.
///
/// Each run has its own folder. What is restored after a crash has passed the store's checks;
/// whether it is right is for ``SimulatedReporting`` to see.
final class SimulatedCheckpoints {
    private let disk: SimulatedDisk
    /// The same, with what is planted before it.
    private let storeDisk: any Disk
    /// The newest that was written without an error, on a disk that has not failed so far.
    private var written: (run: Int, step: Step)?
    private var hasFailed = false
    private let configuration: RunConfiguration

    init(_ scenario: Scenario, _ distort: (any Disk) -> any Disk) {
        disk = SimulatedDisk(seed: scenario.seed)
        storeDisk = distort(disk)
        // All runs of a scenario are alike.
        configuration = scenario.runs[0]
    }

    private func store(of run: Int) -> CheckpointStore {
        CheckpointStore(path: "run-\(run)/checkpoints", disk: storeDisk)
    }

    private static let provenance = Provenance(
        dataset: "simulated", datasetSHA256: "00", configurationSHA256: "00")

    private var identity: CheckpointIdentity {
        CheckpointIdentity(
            provenance: Self.provenance, arithmeticVersion: arithmeticVersion,
            parameterCount: configuration.layout.parameterCount,
            stateCount: configuration.optimizer.stateCount)
    }

    /// Writes the state of a step. A disk that refuses is no reason to stop: there is an older one.
    func write(_ state: WholeState, of step: Step, run: Int) {
        let checkpoint = Checkpoint(
            step: step.index, weights: state.weights.array, state: state.optimizer.map(\.array),
            provenance: Self.provenance, arithmeticVersion: arithmeticVersion,
            recording: RecordingState(stepLineInterval: 1), log: LogMark(byteCount: 0, sha256: ""))
        do {
            try store(of: run).write(checkpoint)
            written = (run, step)
        } catch {
            hasFailed = true
        }
    }

    /// The checkpoint that a crash must not have taken away, if it has.
    func lost(run: Int, restored: Step?) -> Step? {
        guard !hasFailed, let written, written.run == run, restored ?? 0 < written.step else {
            return nil
        }
        return written.step
    }

    /// The power goes: the newest checkpoint of the run that is whole then, if there is one.
    func crash(run: Int) -> (step: Step, state: WholeState)? {
        disk.crash(keeping: .anything)
        let found = try? store(of: run).newestWhole(matching: identity).checkpoint
        return found.map { (Step($0.step), WholeState($0)) }
    }

    /// Lets one of the next changes of the disk go wrong.
    func fail(after operations: Int, _ fault: SimulatedDisk.Fault) {
        hasFailed = true
        disk.fail(at: disk.operationCount + operations, fault)
    }
}
