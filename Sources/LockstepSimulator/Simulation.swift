import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import TrainingPlan
import ZeroMQ

/// One seed: the real machines, loops and engines on a simulated network, clock and recorder, with
/// faults, and what came of it.
package final class Simulation {
    /// What a seed came to.
    package struct Outcome: Sendable {
        package let seed: UInt64
        package let steps: Int
        package let faults: Int
        /// In simulated time.
        package let milliseconds: Int
        /// Which promises were broken; none in earnest.
        package let problems: [String]
    }

    let scenario: Scenario
    let time = SimulatedTime()
    let network: SimulatedNetwork
    let reporting: SimulatedReporting
    var random: SimulatedRandom
    var processes: [SimulatedProcess] = []
    var faults: FaultPlan
    let checks: Checks
    let trace: Trace?
    private let events: Agenda
    private var recordedAt: Microseconds = 0
    private var nextNonce: UInt64 = 1
    /// The worker that computed wrongly was expelled, and a sound machine takes its place.
    private(set) var isMended = false

    /// A run that takes longer has stopped for good: faults cost some seconds each.
    private static let longest = Microseconds.milliseconds(400_000)

    /// - Parameter write: takes the lines of the conversation.
    package init(
        seed: UInt64, distortions: Distortions = Distortions(), write: ((String) -> Void)? = nil
    ) {
        scenario = Scenario(seed: seed)
        random = SimulatedRandom(seed: ~seed)
        events = Agenda()
        network = SimulatedNetwork(
            time, random: SimulatedRandom(seed: random.next()), agenda: events)
        reporting = SimulatedReporting(scenario, distortions)
        faults = FaultPlan(scenario)
        checks = Checks(scenario)
        let names = Self.names(scenario)
        trace = write.map { [time] in Trace(time, names: names, write: $0) }
        network.trace = trace
        let cluster = SimulatedCluster(self, distortions)
        processes = cluster.processes
        network.fate = { [unowned self] in nextFate() }
        reporting.schedule = { [unowned self] event in scheduleRecording(of: event) }
    }

    private static func names(_ scenario: Scenario) -> [String] {
        ["coordinator"] + (0..<scenario.servers).map { "server \($0)" }
            + (0..<scenario.workers).map { "worker \($0)" }
    }

    /// Runs to the end, or to the first thing that goes wrong for good.
    package func run() -> Outcome {
        for process in processes.indices {
            wake(process, at: UInt64(random.int(0...3_000)))
        }
        while let (now, event) = events.next(), now < Self.longest, !isOver {
            time.now = now
            switch event {
            case .turn(let process): turn(process)
            case .arrival(let flight):
                guard let (process, port) = network.arrive(flight) else { continue }
                processes[process].transport.deliver(flight, from: port)
                wake(process, at: now)
            case .record:
                reporting.handleNext()
                wake(0, at: now)
            case .fault: nextFault()
            case .interrupt(let process):
                processes[process].interrupt()
                wake(process, at: now)
            case .restart(let process): restart(process)
            }
        }
        return outcome()
    }

    private var isOver: Bool {
        // Nobody is gone before the coordinator has ended.
        processes[0].end != nil && reporting.isIdle
            && processes.allSatisfy { $0.end != nil || isGone($0) }
    }

    /// A worker that was killed, and is not started again because the session is over.
    func isGone(_ process: SimulatedProcess) -> Bool {
        process.isDead && processes[0].end != nil
    }

    // MARK: Processes

    func wake(_ index: Int, at time: Microseconds) {
        let process = processes[index]
        let start = max(time, process.busyUntil)
        guard process.end == nil, !process.isDead, start < process.nextTurn else { return }
        process.nextTurn = start
        events.add(.turn(index), at: start)
    }

    private func turn(_ index: Int) {
        let process = processes[index]
        // An earlier turn has taken the place of this one, or a pause has put it off.
        guard process.nextTurn == time.now, process.end == nil, !process.isDead else { return }
        process.nextTurn = .max
        if time.now < process.busyUntil { return wake(index, at: process.busyUntil) }
        process.turn()
        if let end = process.end {
            trace?.event(index, "ends with code \(end.exitCode.rawValue): \(end.text)")
            network.close(index)
            if index == scenario.wrongProcess, end.exitCode == .internalError {
                isMended = true
                events.add(.restart(index), at: time.now + Self.mendingMicroseconds)
            }
            if let at = faults.takeReturn(of: index) {
                events.add(.restart(index), at: max(at, time.now))
            }
            return
        }
        if process.isBusy {
            // Computes a node before it looks again.
            process.busyUntil = time.now + UInt64(random.int(Self.nodeMicroseconds))
            wake(index, at: process.busyUntil)
        } else if !process.transport.isEmpty {
            wake(index, at: time.now + Self.turnMicroseconds)
        }
        wake(index, at: time.now + .milliseconds(SimulatedProcess.tickMilliseconds))
    }

    /// Asks a process to leave.
    func interrupt(_ index: Int) { events.add(.interrupt(index), at: time.now) }

    /// Ends a process at once, and has it started again.
    func kill(_ index: Int, until restart: Microseconds) {
        processes[index].kill()
        if index == 0 {
            reporting.crash()
            checks.coordinatorCrashes()
        }
        network.kill(index)
        events.add(.restart(index), at: restart)
    }

    private func restart(_ index: Int) {
        // The session may be over: nobody starts a worker then.
        guard processes[0].end == nil else { return }
        trace?.event(index, "is started again")
        processes[index].restart()
        wake(index, at: time.now)
    }

    /// What a process that joins is known by.
    func takeNonce() -> UInt64 {
        defer { nextNonce += 1 }
        return nextNonce
    }

    private static let mendingMicroseconds: Microseconds = 50_000
    private static let nodeMicroseconds = 180...220
    private static let turnMicroseconds: Microseconds = 10

    private func scheduleRecording(of event: ReportingEvent) {
        let cost: Int
        switch event {
        case .evaluate: cost = random.int(150...250)
        case .begin, .committed, .end: cost = 20
        case .checkpoint: cost = random.int(200...400)
        }
        let slowness = time.now < faults.slowReportingUntil ? faults.reportingSlowness : 0
        recordedAt = max(recordedAt, time.now) + UInt64(cost + slowness)
        // What was posted while the recorder was slow may wait until after that.
        if slowness > 0 { faults.lasts(until: recordedAt) }
        events.add(.record, at: recordedAt)
    }

    // MARK: Faults

    func scheduleFault(at time: Microseconds) { events.add(.fault, at: time) }

    private func nextFate() -> SimulatedNetwork.Fate {
        guard checks.isInFaults || checks.isAtTheEdge else { return .arrives }
        return faults.fate(&random, isShort: checks.nearsQuietEnd)
    }

    private func nextFault() {
        guard checks.isInFaults else { return }
        faults.strike(self)
        if let pause = faults.nextPause(&random) { scheduleFault(at: time.now + pause) }
    }

    /// Shard 0 has begun to apply a step.
    ///
    /// - Parameter run: its number in the scenario.
    func applied(_ run: Int, _ step: Step) {
        checks.stepBegins(run, step, at: time.now, faults: faults)
        if checks.faultsBeginNow { scheduleFault(at: time.now + 1) }
    }

    // MARK: The end

    private func outcome() -> Outcome {
        checks.finish(self)
        return Outcome(
            seed: scenario.seed, steps: checks.stepCount, faults: faults.count,
            milliseconds: Int(time.now / 1_000), problems: reporting.problems + checks.problems)
    }
}
