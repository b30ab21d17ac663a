package import LockstepProtocol
package import LockstepRuntime
import NeuralNetwork
import TrainingPlan

/// Records and evaluates in simulated time, and compares everything with the single process.
package final class SimulatedReporting: Reporting {
    private let scenario: Scenario
    private let distort: (ReportingEvent) -> [ReportingEvent]
    private var waiting: [ReportingEvent] = []
    private var answers: [CoordinatorEvent] = []
    /// The newest record, which stands for those before.
    private var recorded: CoordinatorEvent?
    private var run: RunIndex = 0
    private var nextStep: Step = 0
    private let rows: GradientRows
    private let reference: SimulatedModel.Reference
    private let runSchedule: RunSchedule
    private var lastEvaluated: Step?
    let checkpoints: SimulatedCheckpoints
    /// The checkpoint that the coordinator has found at its last start.
    private(set) var saved: (step: Step, state: WholeState)?
    /// The runs that had ended when the coordinator was started last: its first run comes after
    /// them.
    private var earlierRuns = 0
    private var runsBefore: [SessionID: Int] = [:]
    private(set) var endedRuns = 0
    private(set) var problems: [String] = []
    private(set) var mostWaiting = 0
    /// Schedules the handling of the event that was posted last.
    var schedule: (ReportingEvent) -> Void = { _ in }

    init(_ scenario: Scenario, _ distortions: Distortions) {
        self.scenario = scenario
        distort = distortions.reporting
        checkpoints = SimulatedCheckpoints(scenario, distortions.disk)
        // All runs of a scenario are alike.
        let configuration = scenario.runs[0]
        rows = GradientRows(configuration.layout)
        reference = SimulatedModel.reference(configuration)
        runSchedule = RunSchedule(
            configuration, trainingExampleCount: SimulatedModel.exampleCount)
    }

    package func post(_ event: ReportingEvent) {
        for event in distort(event) {
            waiting.append(event)
            mostWaiting = max(mostWaiting, waiting.count)
            schedule(event)
        }
    }

    package func takeAnswer() -> CoordinatorEvent? {
        if let recorded {
            self.recorded = nil
            return recorded
        }
        return answers.isEmpty ? nil : answers.removeFirst()
    }

    var isIdle: Bool { waiting.isEmpty }

    /// Handles the event that has waited longest.
    func handleNext() {
        guard !waiting.isEmpty else { return }
        switch waiting.removeFirst() {
        case .begin(let index, _, _):
            run = index
            nextStep = saved?.step ?? 0
            lastEvaluated = isEvaluated(nextStep) ? nextStep : nil
        case .committed(let step, let report):
            record(step, report)
            recorded = .recorded(run, before: step.next)
        case .evaluate(let index, let step, let weights):
            compare(weights, of: step, "evaluated")
            if nextStep != step {
                problem("step \(step) was evaluated after \(nextStep) steps were recorded")
            }
            lastEvaluated = step
            answers.append(
                .evaluated(
                    index, step,
                    reachedTarget: step == scenario.targetStep && isLast(index)))
        case .checkpoint(let index, let step, let weights, let state):
            keep(index, step, WholeState(weights: weights, optimizer: state))
        case .end(let ending):
            end(ending)
            answers.append(.ended(run))
        }
    }

    private func isLast(_ run: RunIndex) -> Bool {
        earlierRuns + run.index == scenario.runs.count - 1
    }

    /// A run's number in the scenario; a server may still serve a session that is over.
    func number(of run: RunIndex, in session: SessionID) -> Int {
        (runsBefore[session] ?? 0) + run.index
    }

    /// The coordinator is started, for the runs that have not ended.
    func begin(_ session: SessionID) { runsBefore[session] = endedRuns }

    private func isEvaluated(_ step: Step) -> Bool {
        step > 0 && runSchedule.evaluation(atOrAfter: step) == step
    }

    /// The coordinator's process is killed: what was not written is lost.
    func crash() {
        waiting = []
        answers = []
        recorded = nil
        earlierRuns = endedRuns
        saved = checkpoints.crash(run: endedRuns)
        if let lost = checkpoints.lost(run: endedRuns, restored: saved?.step) {
            problem("the checkpoint of step \(lost) was written, and is lost")
        }
        if let saved { compare(saved.state.weights, of: saved.step, "restored") }
    }

    /// What the coordinator is to train when it is started again, and from which step on.
    var rest: (runs: [RunConfiguration], firstSteps: [Step]) {
        let runs = Array(scenario.runs.dropFirst(endedRuns))
        return (runs, runs.indices.map { $0 == 0 ? saved?.step ?? 0 : 0 })
    }

    private func keep(_ index: RunIndex, _ step: Step, _ state: WholeState) {
        compare(state.weights, of: step, "saved")
        if nextStep != step {
            problem("step \(step) was saved after \(nextStep) steps were recorded")
        }
        if isEvaluated(step), lastEvaluated != step {
            problem("step \(step) was saved before its weights were evaluated")
        }
        checkpoints.write(state, of: step, run: endedRuns)
    }

    private func record(_ step: Step, _ report: StepReport) {
        guard step == nextStep else {
            return problem("step \(step) was recorded where \(nextStep) was due")
        }
        if isEvaluated(step), lastEvaluated != step {
            problem("step \(step) was recorded before its weights were evaluated")
        }
        nextStep = step.next
        if report.metrics != reference.metrics[step.index] {
            problem("the metrics of step \(step) are not those of the single process")
        }
        if rows.layerSums(report.squaredNorms) != reference.squaredNorms[step.index] {
            problem("the gradient's norms of step \(step) are not those of the single process")
        }
        if report.digest != reference.digests[step.index] {
            problem("the digest of step \(step) is not that of the single process")
        }
    }

    private func compare(_ weights: FloatBuffer, of step: Step, _ what: String) {
        if SimulatedModel.bits(weights) != reference.weights[step.index] {
            problem("the \(what) weights of step \(step) are not those of the single process")
        }
    }

    private func end(_ ending: RunEnding) {
        let isTarget = isLast(run) && scenario.targetStep != nil
        let expected = isTarget ? scenario.targetStep ?? runSchedule.endStep : runSchedule.endStep
        switch ending.status {
        case .completed where !isTarget, .target where isTarget: break
        case .completed, .target, .diverged, .interrupted, .lost:
            return problem(
                "run \(run) ended as \(ending.status) after \(ending.step) steps: "
                    + (ending.cause ?? "no cause"))
        }
        if ending.step != expected { problem("run \(run) ended at step \(ending.step)") }
        if nextStep < expected { problem("only \(nextStep) steps of run \(run) were recorded") }
        if let weights = ending.weights {
            compare(weights, of: ending.step, "final")
        } else {
            problem("run \(run) ended without weights")
        }
        endedRuns += 1
        saved = nil
    }

    private func problem(_ text: String) { problems.append(text) }
}
