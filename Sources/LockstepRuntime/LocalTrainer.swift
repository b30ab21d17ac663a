import Datasets
import LockstepProtocol
package import NeuralNetwork
package import RunRecords
import TrainingPlan

/// Trains runs in this process, without a socket: one node, the root, at every step.
package final class LocalTrainer {
    private let request: SessionRequest
    private let observer: any SessionObserver
    private let interruption: Interruption
    private let kernels: KernelSet
    private let team: ThreadTeam

    init(
        _ request: SessionRequest, observer: any SessionObserver, interruption: Interruption
    ) {
        self.request = request
        self.observer = observer
        self.interruption = interruption
        kernels = KernelSet(request.kernels)
        team = ThreadTeam(count: request.placement.threads)
    }

    func run() -> SessionResult {
        let trace = SessionTrace(request, observer: observer)
        var result = train(trace)
        if let failure = trace?.write(), result.reason.exitCode == .success {
            result.reason = failure
        }
        return result
    }

    private func train(_ trace: SessionTrace?) -> SessionResult {
        defer { team.finish() }
        let data = EvaluationData(request.dataset)
        var outcomes: [RunOutcome] = []
        do {
            for (index, run) in request.runs.enumerated() {
                let trace = trace.map { RunTrace(store: $0.store, run: RunIndex(index)) }
                let recorder = try RunRecorder(
                    run, data: data, placement: request.placement.recorded(workers: 0, servers: 1),
                    kernels: kernels,
                    observer: observer, trace: trace)
                try Self.train(
                    run, recorder, data.train, kernels: kernels, team: team,
                    interruption: interruption, trace: trace)
                outcomes.append(recorder.outcome)
                // A run that was complete when the signal came is.
                let isLast = index == request.runs.count - 1
                if let reason = interruption.reason,
                    !isLast || recorder.outcome.end?.status == .interrupted
                {
                    return SessionResult(outcomes: outcomes, reason: reason)
                }
            }
        } catch {
            return SessionResult(outcomes: outcomes, reason: StopReason(recording: error))
        }
        return SessionResult(
            outcomes: outcomes, reason: StopReason(.success, "all runs are done"))
    }

    /// Trains one run with one thread and records it.
    ///
    /// - Parameter recordsBegan: called when the run's log is there.
    /// - Throws: ``FileError`` where the records cannot be written, ``MetricsError`` where the log
    ///   is not the one that the run's checkpoint was written with.
    package static func train(
        _ run: PlannedRun, data: EvaluationData, kernels: KernelSet, team: ThreadTeam,
        observer: any SessionObserver, interruption: Interruption,
        recordsBegan: () throws -> Void
    ) throws -> RunOutcome {
        let recorder = try RunRecorder(
            run, data: data, placement: Placement(workers: 0, threads: 1, servers: 1),
            kernels: kernels, observer: observer)
        try recordsBegan()
        try train(
            run, recorder, data.train, kernels: kernels, team: team, interruption: interruption)
        return recorder.outcome
    }

    /// Trains one run from its start to its end, whatever that is, and records it.
    private static func train(
        _ run: PlannedRun, _ recorder: RunRecorder, _ examples: SparseExamples, kernels: KernelSet,
        team: ThreadTeam, interruption: Interruption, trace: RunTrace? = nil
    ) throws(FileError) {
        let schedule = recorder.schedule
        let engine = LocalEngine(
            recorder.configuration, schedule, examples: examples, kernels: kernels, team: team,
            from: run.start)
        var evaluationNanoseconds: UInt64 = 0
        let start = SystemClock.nanoseconds
        var checkpointTime = start
        var step = recorder.step
        var checkpointRequests = interruption.checkpointCount
        while step < schedule.endStep {
            if let reason = interruption.reason {
                recorder.checkpoint(of: step, weights: engine.weights, state: engine.optimizerState)
                return try recorder.end(
                    .interrupted, step: step, weights: engine.weights, cause: reason.text)
            }
            let begun = trace.map { _ in SystemClock.nanoseconds }
            if let cause = engine.advance(step, isMeasured: recorder.logs(step)) {
                return try recorder.end(
                    .diverged, step: step, weights: engine.weights, cause: cause)
            }
            var now = SystemClock.nanoseconds
            if let begun { trace?.record(.compute, .training, step.next, from: begun, to: now) }
            try recorder.committed(
                step, engine.metrics, weightsDigest: engine.weightsDigest,
                squaredGradientNorms: engine.squaredGradientNorms,
                seconds: Double(now - start - evaluationNanoseconds) / 1e9)
            if schedule.evaluationFollows(step) {
                let reachedTarget = try recorder.evaluate(engine.weights, of: step.next)
                evaluationNanoseconds += SystemClock.nanoseconds - now
                now = SystemClock.nanoseconds
                if reachedTarget {
                    return try recorder.end(.target, step: step.next, weights: engine.weights)
                }
            }
            let age = Double(now - checkpointTime) / 1e9
            let isAsked = interruption.checkpointCount != checkpointRequests
            if isAsked
                || run.checkpoints.isDue(age: age, endsEpoch: schedule.epochEnds(after: step))
            {
                checkpointRequests = interruption.checkpointCount
                recorder.checkpoint(
                    of: step.next, weights: engine.weights, state: engine.optimizerState)
                checkpointTime = now
            }
            step = step.next
        }
        try recorder.end(.completed, step: step, weights: engine.weights)
    }
}
