import CrashPoints
import Foundation
package import LockstepProtocol
import NeuralNetwork
package import RunRecords
import Synchronization
import TrainingPlan
package import ZeroMQ

/// Records and evaluates beside the coordinator's loop, so that neither disk nor test set delays a
/// step.
///
/// Events go in by a queue and are handled in order; answers come back by another, with a wake-up.
/// The queue is bounded by what servers and coordinator keep: see
/// ``Limits/maximumUnrecordedReports`` and ``Limits/maximumSnapshots``.
package final class ReportingThread: Reporting, Sendable {
    private enum Event: Sendable {
        case run(ReportingEvent, nanoseconds: UInt64)
        case finish
    }

    private struct State {
        var events: [Event] = []
        var answers: [CoordinatorEvent] = []
        /// Steps recorded, and those that were answered.
        var recorded: (run: RunIndex, step: Step)?
        var outcomes: [RunOutcome] = []
        var failure: StopReason?
    }

    private let request: SessionRequest
    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)
    private let finished = DispatchSemaphore(value: 0)
    private let wakeUp: WakeUp
    private let kernels: KernelSet
    private let observer: any SessionObserver
    private let trace: TraceStore?

    /// An answer after so many steps keeps servers going; more would only wake the loop, which
    /// looks at its next tick anyway.
    private static let stepsPerAnswer = 64

    package init(
        _ request: SessionRequest, observer: any SessionObserver, wakeUp: WakeUp,
        trace: TraceStore? = nil
    ) {
        self.trace = trace
        self.request = request
        self.wakeUp = wakeUp
        self.observer = observer
        kernels = KernelSet(request.kernels)
        let thread = Thread { [self] in
            loop(EvaluationData(request.dataset))
            finished.signal()
        }
        thread.name = "reporting"
        thread.start()
    }

    package func post(_ event: ReportingEvent) {
        let nanoseconds = SystemClock.nanoseconds
        state.withLock { state in
            if case .end(let ending) = event, ending.status == .interrupted {
                // A person waits, and nobody for these.
                state.events.removeAll {
                    if case .run(.evaluate, _) = $0 { true } else { false }
                }
            }
            state.events.append(.run(event, nanoseconds: nanoseconds))
        }
        arrival.signal()
    }

    package func takeAnswer() -> CoordinatorEvent? {
        state.withLock { state in
            if let (run, step) = state.recorded {
                state.recorded = nil
                return .recorded(run, before: step)
            }
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
    }

    /// Waits until everything posted is recorded; the failure is the first one, if there was any.
    package func finish() -> (outcomes: [RunOutcome], failure: StopReason?) {
        state.withLock { $0.events.append(.finish) }
        arrival.signal()
        finished.wait()
        return state.withLock { ($0.outcomes, $0.failure) }
    }

    private func answer(_ answer: CoordinatorEvent) {
        state.withLock { $0.answers.append(answer) }
        wakeUp.signal()
    }

    private func recorded(_ run: RunIndex, before step: Step) {
        state.withLock { $0.recorded = (run, step) }
        if step.index % Self.stepsPerAnswer == 0 { wakeUp.signal() }
    }

    /// A run while it is recorded.
    private struct Recording {
        let run: RunIndex
        let start: UInt64
        let rows: GradientRows
        let recorder: RunRecorder
        var reachedTarget = false
    }

    private func loop(_ data: EvaluationData) {
        var recording: Recording?
        while true {
            arrival.wait()
            // Discarded events leave their signals behind.
            let event = state.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
            switch event {
            case nil: continue
            case .finish: return
            case .run(let event, let nanoseconds):
                do {
                    try handle(event, nanoseconds, &recording, data)
                } catch {
                    recording = nil
                    let reason = StopReason(recording: error)
                    state.withLock { $0.failure = $0.failure ?? reason }
                    answer(.failed(reason))
                }
            }
        }
    }

    /// The clocks' values are of one host; a report without a time has taken none.
    private static func seconds(from start: UInt64, to end: UInt64) -> Double {
        end > start ? Double(end - start) / 1e9 : 0
    }

    private func handle(
        _ event: ReportingEvent, _ nanoseconds: UInt64, _ recording: inout Recording?,
        _ data: EvaluationData
    ) throws {
        switch event {
        case .begin(let index, let workers, let servers):
            let run = request.runs[index.index]
            let placement = request.placement.recorded(workers: workers, servers: servers)
            recording = Recording(
                run: index, start: nanoseconds, rows: GradientRows(run.configuration.layout),
                recorder: try RunRecorder(
                    run, data: data, placement: placement, kernels: kernels, observer: observer,
                    trace: trace.map { RunTrace(store: $0, run: index) }))
        case .committed(let step, let report):
            guard let recording else { return }
            // Steps after the one that reached the target are not part of the run.
            if !recording.reachedTarget, let metrics = report.metrics {
                try recording.recorder.committed(
                    step, metrics, weightsDigest: report.digest,
                    squaredGradientNorms: recording.rows.layerSums(report.squaredNorms),
                    seconds: Self.seconds(from: recording.start, to: report.nanoseconds))
            }
            CrashPoint.stepRecorded.pass()
            recorded(recording.run, before: step.next)
        case .evaluate(let run, let step, let weights):
            guard let current = recording, !current.reachedTarget else { return }
            let reachedTarget = try current.recorder.evaluate(weights, of: step)
            recording?.reachedTarget = reachedTarget
            CrashPoint.evaluated.pass()
            answer(.evaluated(run, step, reachedTarget: reachedTarget))
        case .checkpoint(let run, let step, let weights, let vectors):
            guard let recording, recording.run == run, !recording.reachedTarget else { return }
            recording.recorder.checkpoint(of: step, weights: weights, state: vectors)
        case .end(let ending):
            guard let (run, recorder) = recording.map({ ($0.run, $0.recorder) }) else { return }
            try recorder.end(
                ending.status.record, step: ending.step, weights: ending.weights,
                cause: ending.cause)
            state.withLock { $0.outcomes.append(recorder.outcome) }
            recording = nil
            answer(.ended(run))
        }
    }
}

extension RunEnding.Status {
    fileprivate var record: EndRecord.Status {
        switch self {
        case .completed: .completed
        case .target: .target
        case .diverged: .diverged
        case .interrupted: .interrupted
        case .lost: .lost
        }
    }
}
