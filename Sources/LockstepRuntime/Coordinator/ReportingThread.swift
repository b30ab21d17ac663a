import Convergence
import Foundation
import LockstepProtocol
import NeuralNetwork
import Synchronization
import TrainingPlan
import ZeroMQ

/// Records and evaluates beside the coordinator's loop, so that neither disk nor test set delays a step.
///
/// Events go in by a queue and are handled in order; answers come back by another, with a wake-up.
final class ReportingThread: Sendable {
    enum Event: Sendable {
        case begin(PlannedRun, Placement, nanoseconds: UInt64)
        case committed(Step, StepReport, nanoseconds: UInt64)
        case evaluate(RunIndex, Step, FloatBuffer)
        /// Weights: those of the end's step, where they are known.
        case end(EndRecord.Status, Step, FloatBuffer?, cause: String?)
        case finish
    }

    enum Answer: Sendable {
        case evaluated(RunIndex, Step, reachedTarget: Bool)
        case failed(StopReason)
    }

    private struct State {
        var events: [Event] = []
        var answers: [Answer] = []
        var outcomes: [RunOutcome] = []
        var failure: StopReason?
        var isFinished = false
    }

    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)
    private let finished = DispatchSemaphore(value: 0)
    private let wakeUp: WakeUp
    private let kernels: KernelSet
    private let observer: any SessionObserver

    init(
        _ request: SessionRequest, observer: any SessionObserver, wakeUp: WakeUp
    ) {
        self.wakeUp = wakeUp
        self.observer = observer
        kernels = KernelSet(request.kernels)
        let dataset = request.dataset
        let thread = Thread { [self] in
            loop(EvaluationData(dataset))
            finished.signal()
        }
        thread.name = "reporting"
        thread.start()
    }

    func post(_ event: Event) {
        state.withLock { $0.events.append(event) }
        arrival.signal()
    }

    func takeAnswers() -> [Answer] {
        state.withLock { state in
            defer { state.answers = [] }
            return state.answers
        }
    }

    /// Waits until everything posted is recorded; the failure is the first one, if there was any.
    func finish() -> (outcomes: [RunOutcome], failure: StopReason?) {
        post(.finish)
        finished.wait()
        return state.withLock { ($0.outcomes, $0.failure) }
    }

    private func answer(_ answer: Answer) {
        state.withLock { $0.answers.append(answer) }
        wakeUp.signal()
    }

    private func loop(_ data: EvaluationData) {
        var recorder: RunRecorder?
        var rows: GradientRows?
        var start: UInt64 = 0
        var reachedTarget = false
        while true {
            arrival.wait()
            let event = state.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
            guard let event else { continue }
            do throws(FileError) {
                switch event {
                case .begin(let run, let placement, let nanoseconds):
                    start = nanoseconds
                    reachedTarget = false
                    rows = GradientRows(run.configuration.layout)
                    recorder = try RunRecorder(
                        run, data: data, placement: placement, kernels: kernels,
                        observer: observer)
                case .committed(let step, let report, let nanoseconds):
                    // Steps after the one that reached the target are no part of the run.
                    guard !reachedTarget, let metrics = report.metrics else { continue }
                    try recorder?.committed(
                        step, metrics,
                        squaredGradientNorms: rows?.layerSums(report.squaredNorms) ?? [],
                        seconds: Double(nanoseconds - start) / 1e9)
                case .evaluate(let run, let step, let weights):
                    if reachedTarget { continue }
                    reachedTarget = try recorder?.evaluate(weights, of: step) ?? false
                    answer(.evaluated(run, step, reachedTarget: reachedTarget))
                case .end(let status, let step, let weights, let cause):
                    try recorder?.end(status, step: step, weights: weights, cause: cause)
                    if let outcome = recorder?.outcome {
                        state.withLock { $0.outcomes.append(outcome) }
                    }
                    recorder = nil
                case .finish:
                    return
                }
            } catch {
                recorder = nil
                state.withLock { $0.failure = $0.failure ?? error.stopReason }
                answer(.failed(error.stopReason))
            }
        }
    }
}
