import Datasets
import Foundation
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan

/// Trains a sweep's runs in this process: some at a time, each in one thread from its first step to
/// its last.
final class LocalSweep: Sendable {
    private let sweep: Sweep
    private let state: SweepState
    private let interruption: Interruption
    private let kernels: KernelSet

    /// A second failure is no accident.
    private static let attempts = 2

    init(_ sweep: Sweep, _ state: SweepState, _ interruption: Interruption) {
        self.sweep = sweep
        self.state = state
        self.interruption = interruption
        kernels = KernelSet(sweep.kernels)
    }

    /// Returns when every thread is gone.
    func run() {
        guard !state.pending.isEmpty else { return }
        let data = EvaluationData(sweep.dataset)
        let ended = DispatchSemaphore(value: 0)
        let threadCount = sweep.runsAtATime(state)
        for index in 0..<threadCount {
            let thread = Thread { [self] in
                work(data)
                ended.signal()
            }
            thread.name = "sweep \(index)"
            thread.start()
        }
        for _ in 0..<threadCount { ended.wait() }
    }

    private func work(_ data: EvaluationData) {
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        while interruption.reason == nil, let job = state.takeJob() {
            state.end(job, train(job, data, team))
        }
    }

    private func train(
        _ job: SweepState.Job, _ data: EvaluationData, _ team: ThreadTeam
    ) -> SweepResult.Run.Ending {
        var cause = StopReason(.internalError, "not tried")
        for attempt in 1...Self.attempts {
            do {
                return try trainOnce(job, data, team)
            } catch {
                cause = StopReason(recording: error)
                let next = attempt < Self.attempts ? "; trying once more" : ""
                state.notice("run \(job.directory.path): \(cause.text)\(next)")
            }
        }
        return .failed(cause)
    }

    private func trainOnce(
        _ job: SweepState.Job, _ data: EvaluationData, _ team: ThreadTeam
    ) throws -> SweepResult.Run.Ending {
        let lock = try FolderLock(job.directory.path)
        defer { withExtendedLifetime(lock) {} }
        let run = try sweep.plannedRun(job, state)
        let outcome = try LocalTrainer.train(
            run, data: data, kernels: kernels, team: team, observer: JobObserver(job, state),
            interruption: interruption
        ) {
            if let text = sweep.configurationFile?(job.run.configuration) {
                try job.directory.writeConfiguration(text)
            }
        }
        return outcome.end?.status.isFinal == true ? .ended(outcome) : .unfinished
    }
}

/// Hands the progress of one run on.
private struct JobObserver: SessionObserver {
    private let job: SweepState.Job
    private let state: SweepState

    init(_ job: SweepState.Job, _ state: SweepState) {
        self.job = job
        self.state = state
    }

    func notice(_ text: String) { state.notice(text) }
    func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {}
    func progress(_ progress: RunProgress) { state.advance(job, to: progress.share) }
    func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {}
    func runEnded(_ outcome: RunOutcome) {}
}

extension RunProgress {
    /// Of the whole run.
    var share: Double {
        (Double(epoch - 1) + Double(step) / Double(max(steps, 1))) / Double(max(epochs, 1))
    }
}

extension Sweep {
    /// Through a cluster one after the other.
    func runsAtATime(_ state: SweepState) -> Int {
        cluster == nil ? max(1, min(parallelism, state.pending.count)) : 1
    }

    /// A job as a session takes it: from the newest checkpoint that an earlier start left, or from
    /// step 0.
    func plannedRun(_ job: SweepState.Job, _ state: SweepState) throws -> PlannedRun {
        let schedule = RunSchedule(
            job.run.configuration, trainingExampleCount: dataset.train.count)
        var run = PlannedRun(
            job.run.configuration, directory: job.directory,
            stepLineInterval: stepLineInterval
                ?? max(1, (schedule.stepsPerEpoch + stepLinesPerEpoch - 1) / stepLinesPerEpoch),
            keepsWeights: job.run.keepsWeights, checkpoints: checkpoints,
            parallelism: runsAtATime(state))
        if case .unfinished = try job.open() {
            try run.resume(dataset: dataset) { state.notice($0) }
        }
        return run
    }
}
