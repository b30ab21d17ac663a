import LockstepProtocol
import LockstepRuntime
import TrainingPlan

/// The promises, checked during a simulation and at its end.
///
/// What is recorded, evaluated and saved is compared by ``SimulatedReporting``.
final class Checks {
    private let scenario: Scenario
    private(set) var problems: [String] = []
    /// The nodes that each server keeps, by process and slot.
    private var slots: [[Int: LeafRange]]
    /// When shard 0 began to apply each step, over all runs.
    private var stepTimes: [Microseconds] = []
    private var isAudited: [Bool] = []
    /// Also one that is computed again.
    private var lastStepBegan: Microseconds?
    private var faultsEnded: Microseconds?
    private var newest: (run: Int, step: Step) = (-1, 0)
    private var outstandingReports = 0
    /// When workers got other leaves last, and who has any.
    private var viewChangedAt: Microseconds = 0
    private var workersInView: Set<Incarnation> = []
    /// The newest view, which view each worker has heard of, by process, and when that was news.
    private var newestView: AssignedView?
    private var heardViews: [Int: AssignedView] = [:]
    private var viewHeardAt: Microseconds = 0

    private struct AssignedView: Equatable {
        let run: RunIndex
        let view: ViewNumber

        init(_ duty: WorkDuty) { (run, view) = (duty.order.run, duty.view) }
    }
    /// Whether that were all of them before the faults began.
    private var allBegan = true
    private var outstandingSnapshots = 0
    /// Of the generation that continues.
    private var shardCount = 1
    private(set) var faultsBeginNow = false
    /// The last run has.
    private var hasEnded = false

    init(_ scenario: Scenario) {
        self.scenario = scenario
        slots = Array(repeating: [:], count: 1 + scenario.servers + scenario.workers)
    }

    var stepCount: Int { stepTimes.count }

    // MARK: When faults may happen

    var isInFaults: Bool {
        stepTimes.count > Scenario.quietSteps && faultsEnded == nil
    }

    /// Whether frames may be lost although no other faults continue: before the first step or after
    /// the last.
    var isAtTheEdge: Bool {
        stepTimes.isEmpty && scenario.joinsAmongFaults
            || hasEnded && scenario.leavesAmongFaults
    }

    private var lastFaultyStep: Int { scenario.stepCount - 2 * Scenario.quietSteps - 8 }

    var nearsQuietEnd: Bool { stepTimes.count > lastFaultyStep - 30 }

    /// - Parameter run: its number in the scenario.
    func stepBegins(
        _ run: Int, _ step: Step, at now: Microseconds, faults: FaultPlan
    ) {
        // After a server or the coordinator was lost steps are computed again.
        faultsBeginNow = false
        checkPause(before: step, at: now, losses: faults.losses)
        lastStepBegan = now
        guard (run, step) > newest else { return }
        newest = (run, step)
        stepTimes.append(now)
        isAudited.append(scenario.audits.covers(step))
        if stepTimes.count <= Scenario.quietSteps, workersInView.count < scenario.workers {
            allBegan = false
        }
        faultsBeginNow = stepTimes.count == Scenario.quietSteps + 1
        if faultsEnded == nil, stepTimes.count >= lastFaultyStep,
            faults.isEnough || stepTimes.count >= lastFaultyStep + 8
        {
            faultsEnded = now
        }
    }

    /// A worker that is lost is not waited for until its lease ends. After several losses that may
    /// be longer: leaves may go to one after the other of those who are gone.
    private func checkPause(before step: Step, at now: Microseconds, losses: Int) {
        guard let last = lastStepBegan, step > 0, losses <= Self.fewLosses,
            now - last > .milliseconds(Self.longestStepMilliseconds)
        else { return }
        problem("step \(step) began \((now - last) / 1_000) ms after the one before")
    }

    private static let fewLosses = 4
    /// Less than a lease, and more than anything else takes.
    private static let longestStepMilliseconds = 8_000

    // MARK: Servers: every leaf counts once

    /// The server that has shard 0: the first that joined.
    private var firstShard: Int?

    func isFirstShard(_ process: Int) -> Bool { firstShard == process }

    func serverDoes(
        _ action: ServerAction, _ process: Int, _ machine: ServerMachine,
        _ inbound: ServerInbound?
    ) {
        switch action {
        case .prepare(let duty):
            if duty.shard == 0 { firstShard = process }
            slots[process] = [:]
        case .keep(let slot):
            guard case .push(_, let node, _) = inbound else {
                return problem("a server kept something that is not a push")
            }
            slots[process][slot] = node
        case .apply(let step):
            let leafCount = applied(machine, process)
            guard case .serving(let place, let progress) = machine.phase else { return }
            let schedule = RunSchedule(
                scenario.runs[place.run.index],
                trainingExampleCount: SimulatedModel.exampleCount)
            if progress.step != step || leafCount != schedule.leafCount(of: step) {
                problem("step \(step) was applied with \(leafCount) leaves")
            }
            slots[process] = [:]
        case .compare, .sendWeights, .sendReport, .keepSnapshot, .forgetSnapshot, .sendHeld,
            .sendPart,
            .keepState, .forgetState, .connectCheckpoint, .requestState, .storeState, .adoptState,
            .send, .endRun, .notice:
            break
        }
    }

    /// How many leaves a fold adds up, if each counts once and all in order.
    private func applied(_ machine: ServerMachine, _ process: Int) -> Int {
        var next = 0
        for case .load(let slot) in machine.foldSchedule {
            guard let node = slots[process][slot], node.firstLeaf == next else {
                problem("a fold does not take each leaf once")
                return -1
            }
            next = node.endLeaf
        }
        return next
    }

    // MARK: The coordinator: bounded memory

    func coordinatorDoes(_ action: CoordinatorAction, at now: Microseconds) {
        switch action {
        case .notice(.late(let members, _)):
            viewChangedAt = now
            workersInView.subtract(members.map(\.incarnation))
        case .notice(.entered(let member, _)):
            viewChangedAt = now
            workersInView.insert(member.incarnation)
        case .notice(.left(let member, _)), .notice(.expelled(let member, _)):
            viewChangedAt = now
            workersInView.remove(member.incarnation)
        case .notice(.tooFewWorkers):
            viewChangedAt = now
            workersInView = []
        case .keepReport: outstandingReports += 1
        case .recordStep: outstandingReports -= shardCount
        case .beginRun(let start):
            outstandingReports = 0
            viewChangedAt = now
            shardCount = start.servers.count
            workersInView = Set(start.workers.map(\.incarnation))
        case .send(_, _, _, let assignment):
            if case .work(_, let duty) = assignment.duty { newestView = AssignedView(duty) }
        case .endRun(let end): hasEnded = end.run.index + 1 == scenario.runs.count
        case .sendVersion, .sendDatasetPart, .requestPart, .keepPart, .reconnect, .evaluate,
            .keepStatePart, .checkpoint, .sendStatePart, .sendOverview, .scale, .keepTrace, .notice:
            break
        }
        if outstandingReports > shardCount * Limits.maximumUnrecordedReports {
            problem("\(outstandingReports) reports wait in the coordinator")
        }
    }

    func coordinatorCrashes() { outstandingReports = 0 }

    func worker(_ process: Int, receives message: WorkerInbound, at now: Microseconds) {
        guard case .assignment(_, let assignment) = message,
            case .work(_, let duty) = assignment.duty,
            heardViews[process] != AssignedView(duty)
        else { return }
        heardViews[process] = AssignedView(duty)
        viewHeardAt = now
    }

    // MARK: The end

    func finish(_ simulation: Simulation) {
        for (index, process) in simulation.processes.enumerated() {
            if let failure = process.failure { problem("process \(index) failed: \(failure)") }
            if let end = process.end {
                // One that is started again may find that the session is over.
                let isLate = process.wasRestarted && end.exitCode == .unavailable
                // One that was expelled may not have heard of it before the end.
                let isExpelled =
                    index == scenario.wrongProcess
                    && (end.exitCode == .internalError || end.exitCode == .lostPeer)
                if end.exitCode != .success, !isLate, !isExpelled {
                    problem(
                        "process \(index) ended with code \(end.exitCode.rawValue): \(end.text)")
                }
            } else if !simulation.isGone(process) {
                problem("process \(index) has not ended after \(simulation.time.now / 1_000) ms")
            }
        }
        if simulation.reporting.endedRuns != scenario.runs.count {
            problem("\(simulation.reporting.endedRuns) of \(scenario.runs.count) runs ended")
        }
        if simulation.reporting.mostWaiting > Limits.maximumUnrecordedReports + 2 {
            problem("\(simulation.reporting.mostWaiting) events waited for the recorder")
        }
        let framesPerProcess = 600
        if simulation.network.mostInFlight > framesPerProcess * simulation.processes.count {
            problem("\(simulation.network.mostInFlight) frames were on their way at once")
        }
        checkSpeed(simulation)
    }

    /// Once faults are over: continues within a bound, as fast as before.
    private func checkSpeed(_ simulation: Simulation) {
        guard let faultsEnded, problems.isEmpty,
            stepTimes.count > lastFaultyStep + Scenario.quietSteps
        else { return }
        let lastFault = max(faultsEnded, simulation.faults.lastsUntil)
        if let next = stepTimes.first(where: { $0 > lastFault }),
            next > lastFault + .milliseconds(Self.graceMilliseconds)
        {
            problem("continued \((next - lastFault) / 1_000) ms after the last fault")
        }
        // Fewer workers compute more each, until those that were late have their share again.
        guard allBegan, workersInView.count == scenario.workers else { return }
        // Whoever has not heard of the newest view computes more than its share, until the next
        // heartbeat.
        let isHeard = heardViews.values.allSatisfy { $0 == newestView }
        let heardAt = isHeard ? viewHeardAt : stepTimes.last ?? 0
        if heardAt > max(lastFault, viewChangedAt) + .milliseconds(Self.hearingMilliseconds) {
            problem("not all workers had heard of the newest view at \(heardAt / 1_000) ms")
        }
        guard isHeard else { return }
        let over = max(lastFault, viewHeardAt, viewChangedAt)
        let before = median(of: 0..<Scenario.quietSteps)
        // What a fault has kept back until its end may take another moment.
        let next = (stepTimes.firstIndex { $0 > over } ?? stepTimes.count) + 2
        let quiet = min(next, stepTimes.count)..<stepTimes.count
        let after = median(of: quiet)
        if quiet.count > Self.fewestQuietSteps, after * 4 > before * 5 {
            problem("steps take \(after) µs after the faults, and took \(before) µs before")
        }
    }

    private static let fewestQuietSteps = 6
    /// A heartbeat, and some ticks.
    private static let hearingMilliseconds = Limits.heartbeatIntervalMilliseconds + 100
    /// An answer is asked for again after half a second at most, over a new connection; and the
    /// leaves of a worker that was lost are given to others by then.
    private static let graceMilliseconds = 1_500

    /// Of the time that steps take. An audited one takes longer: where only some are, the others
    /// count.
    private func median(of steps: Range<Int>) -> Microseconds {
        let durations = steps.dropLast().filter { !isAudited[$0 + 1] || scenario.auditsAll }
            .map { stepTimes[$0 + 1] - stepTimes[$0] }.sorted()
        return durations.isEmpty ? 0 : durations[durations.count / 2]
    }

    private func problem(_ text: String) { problems.append(text) }
}
