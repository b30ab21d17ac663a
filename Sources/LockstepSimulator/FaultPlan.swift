import RunRecords
import TrainingPlan

/// Which faults befall a simulation, and how many have.
struct FaultPlan {
    private let scenario: Scenario
    /// Frames that were lost, repeated or late, and everything else that went wrong.
    private(set) var count = 0
    /// Processes that were killed or asked to leave.
    private(set) var losses = 0
    private var strikes = 0
    private var longStrikes = 0
    private(set) var slowReportingUntil: Microseconds = 0
    /// More time for each event of the recorder, in microseconds.
    private(set) var reportingSlowness = 0
    /// The last time that a fault has an effect.
    private(set) var lastsUntil: Microseconds = 0

    /// Workers that were asked to leave, and when they come back.
    private var returns: [Int: Microseconds] = [:]

    private static let maximumStrikes = 40
    private static let maximumLongStrikes = 1
    /// What a worker that is started again takes to have its share.
    private static let joiningMicroseconds: Microseconds = 500_000
    private static let diskFaults: [SimulatedDisk.Fault] = [
        .full, .failed, .torn, .lost, .misdirected,
    ]
    private static let wakingMicroseconds = 20_000
    private static let shortMicroseconds = 1_000...80_000
    private static let longMicroseconds = 500_000...2_500_000

    init(_ scenario: Scenario) { self.scenario = scenario }

    mutating func lasts(until end: Microseconds) { lastsUntil = max(lastsUntil, end) }

    var isEnough: Bool { count >= Scenario.minimumFaults }

    /// What happens to a frame.
    ///
    /// - Parameter isShort: the end of the faults is near, and there were not enough.
    mutating func fate(_ random: inout SimulatedRandom, isShort: Bool) -> SimulatedNetwork.Fate {
        let number = random.int(0...999)
        let lost = isShort && !isEnough ? 200 : scenario.lostPerMille
        let repeated = lost + scenario.repeatedPerMille
        let late = repeated + scenario.latePerMille
        if number >= late { return .arrives }
        count += 1
        if number < lost { return .isLost }
        if number < repeated { return .arrivesTwice }
        return .isLate(UInt64(random.int(500...60_000)))
    }

    /// How long after a strike the next one comes; nil for none.
    func nextPause(_ random: inout SimulatedRandom) -> Microseconds? {
        guard strikes < Self.maximumStrikes else { return nil }
        return UInt64(random.int(scenario.faultPause / 2...scenario.faultPause * 3 / 2))
    }

    /// Lets a fault befall a connection or a process.
    mutating func strike(_ simulation: Simulation) {
        strikes += 1
        count += 1
        let now = simulation.time.now
        let kind = simulation.random.element(of: scenario.kinds)
        let processCount = simulation.processes.count
        let process = simulation.random.int(0...processCount - 1)
        let other =
            (process + simulation.random.int(1...processCount - 1)) % processCount
        let end = now + duration(&simulation.random)
        let effect: String
        switch kind {
        case .reset:
            let number = simulation.random.int(0...1_000)
            effect = "reset of " + (simulation.network.reset(number: number) ?? "nothing")
        case .partition:
            simulation.network.partition(from: process, to: other, until: end)
            lastsUntil = max(lastsUntil, end)
            effect = "partition from \(process) to \(other) until \(end / 1_000) ms"
        case .clog:
            simulation.network.clog(from: process, to: other, until: end)
            lastsUntil = max(lastsUntil, end)
            effect = "clog from \(process) to \(other) until \(end / 1_000) ms"
        case .pause:
            for role in scenario.processes(with: process) {
                simulation.processes[role].busyUntil = max(
                    simulation.processes[role].busyUntil, end)
            }
            lastsUntil = max(lastsUntil, end)
            effect = "process \(process) sleeps until \(end / 1_000) ms"
        case .clockJump:
            let jump = simulation.random.int(10...60_000)
            simulation.processes[process].clock.jump(.milliseconds(jump))
            effect = "the clock of process \(process) jumps by \(jump) ms"
        case .sleep:
            let length = simulation.random.int(500...60_000)
            for sleeper in simulation.processes {
                sleeper.clock.jump(.milliseconds(length))
                let awake = now + UInt64(simulation.random.int(0...Self.wakingMicroseconds))
                sleeper.busyUntil = max(sleeper.busyUntil, awake)
                lastsUntil = max(lastsUntil, awake)
            }
            effect = "all processes sleep for \(length) ms"
        case .killWorker, .killServer, .killCoordinator:
            let victim =
                switch kind {
                case .killCoordinator: 0
                case .killServer: 1 + simulation.random.int(0...scenario.servers - 1)
                default: worker(simulation)
                }
            let roles = scenario.processes(with: victim)
            guard canLose(roles, simulation) else { return }
            losses += 1
            for role in roles { simulation.kill(role, until: end) }
            lastsUntil = max(lastsUntil, end + Self.joiningMicroseconds)
            effect = "process \(victim) is killed, until \(end / 1_000) ms"
        case .leave:
            let worker = self.worker(simulation)
            let roles = scenario.processes(with: worker)
            guard canLose(roles, simulation) else { return }
            losses += 1
            for role in roles {
                returns[role] = end
                simulation.interrupt(role)
            }
            lastsUntil = max(lastsUntil, end + Self.joiningMicroseconds)
            effect = "process \(worker) leaves, until \(end / 1_000) ms"
        case .disk:
            let fault = simulation.random.element(of: Self.diskFaults)
            let operations = simulation.random.int(0...30)
            simulation.reporting.checkpoints.fail(after: operations, fault)
            effect = "change \(operations) of the disk will be \(fault)"
        case .slowReporting:
            slowReportingUntil = end
            reportingSlowness = simulation.random.int(500...5_000)
            lastsUntil = max(lastsUntil, end)
            effect = "recorder slower until \(end / 1_000) ms"
        }
        simulation.trace?.line("fault: \(effect)")
    }

    private func canLose(_ roles: [Int], _ simulation: Simulation) -> Bool {
        roles.allSatisfy { role in
            let process = simulation.processes[role]
            return !process.isDead && process.end == nil && returns[role] == nil
                && role != scenario.wrongProcess
        }
    }

    private func worker(_ simulation: Simulation) -> Int {
        1 + scenario.servers + simulation.random.int(0...scenario.workers - 1)
    }

    /// When a process that has left comes back, if it was asked to leave.
    mutating func takeReturn(of process: Int) -> Microseconds? {
        returns.removeValue(forKey: process)
    }

    private mutating func duration(_ random: inout SimulatedRandom) -> Microseconds {
        guard longStrikes < Self.maximumLongStrikes, random.oneIn(60) else {
            return UInt64(random.int(Self.shortMicroseconds))
        }
        longStrikes += 1
        return UInt64(random.int(Self.longMicroseconds))
    }
}
