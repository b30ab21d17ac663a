import LockstepProtocol
package import TrainingPlan

/// What one seed simulates: a cluster, what it trains, and which faults befall it.
package struct Scenario: Sendable {
    package let seed: UInt64
    package let workers: Int
    package let servers: Int
    /// Whether each server shares a process with a worker, and its fate.
    package let workersServe: Bool
    /// Trained one after the other.
    package let runs: [RunConfiguration]
    /// The evaluation of the last run that reaches its target, if one does.
    package let targetStep: Step?
    package let datasetIsMissing: Bool
    /// How many frames of a thousand are lost, repeated and late while faults continue.
    let lostPerMille: Int
    let repeatedPerMille: Int
    let latePerMille: Int
    /// The mean pause between faults that befall connections and processes, in microseconds.
    let faultPause: Int
    /// Which of those.
    let kinds: [FaultKind]
    /// The time between checkpoints; 0 for none.
    let checkpointMilliseconds: Int
    /// Whether frames are lost, repeated and late while members join, and while they leave.
    let joinsAmongFaults: Bool
    let leavesAmongFaults: Bool
    let audits: AuditRate
    /// The worker whose sums are wrong from a step on, if there is one.
    let wrongWorker: (worker: Int, firstStep: Step)?

    enum FaultKind: CaseIterable, Sendable {
        case reset, partition, clog, pause, clockJump, slowReporting
        /// A process, which is started again.
        case killWorker, killServer, killCoordinator
        /// A worker, which comes back.
        case leave
        /// The next changes of the coordinator's disk.
        case disk
        /// All processes are stopped for longer than a lease, and wake one after the other: the lid
        /// of a laptop, a paused container.
        case sleep
    }

    /// Steps at the beginning and at the end without a fault: to compare the speeds.
    package static let quietSteps = 14
    package static let minimumFaults = 20
    package static let minimumSteps = 100

    package init(seed: UInt64) {
        var random = SimulatedRandom(seed: seed)
        self.seed = seed
        workers = random.element(of: [1, 1, 2, 2, 2, 2, 3, 3, 4])
        let apart = random.element(of: [1, 1, 1, 1, 2, 2, 3])
        datasetIsMissing = random.oneIn(4)
        let isTwoRuns = random.oneIn(4)
        var configuration = random.element(of: SimulatedModel.configurations)
        if random.oneIn(3) { configuration.evaluateEvery = random.int(1...9) }
        let runCount = isTwoRuns ? 2 : 1
        let stepsPerEpoch = RunSchedule(
            configuration, trainingExampleCount: SimulatedModel.exampleCount
        ).stepsPerEpoch
        configuration.epochs =
            (Self.minimumSteps / runCount + stepsPerEpoch - 1) / stepsPerEpoch
        runs = Array(repeating: configuration, count: runCount)
        let schedule = RunSchedule(
            configuration, trainingExampleCount: SimulatedModel.exampleCount)
        // Late enough for all steps that a simulation has to have.
        let earliestTarget = max(
            schedule.totalSteps - stepsPerEpoch + 1,
            Self.minimumSteps - (runCount - 1) * schedule.totalSteps)
        targetStep = random.oneIn(6) ? schedule.evaluation(atOrAfter: Step(earliestTarget)) : nil
        lostPerMille = random.element(of: [0, 2, 5, 10, 30])
        repeatedPerMille = random.element(of: [0, 2, 5, 20])
        latePerMille = random.element(of: [0, 2, 5, 20])
        faultPause = random.element(of: [3_000, 10_000, 30_000])
        joinsAmongFaults = random.oneIn(3)
        leavesAmongFaults = random.oneIn(3)
        checkpointMilliseconds = random.element(of: [0, 2, 5, 10, 20, 100])
        let all = FaultKind.allCases
        kinds = random.oneIn(2) ? all : [random.element(of: all), random.element(of: all)]
        let isWrong = workers > 2 && random.oneIn(3)
        wrongWorker =
            isWrong
            ? (
                random.int(0...workers - 1),
                Step(random.int(Self.quietSteps...Self.minimumSteps / 2))
            )
            : nil
        let rates: [UInt32] = [0, 0, 0, 20_000, 300_000, 1_000_000]
        audits = AuditRate(millionths: isWrong ? 1_000_000 : random.element(of: rates))
        workersServe = !isWrong && random.oneIn(3)
        servers = workersServe ? workers : apart
    }

    var auditsAll: Bool { audits.millionths == 1_000_000 }

    /// Two look at each other's sums; one alone could do as it likes.
    var minimumWorkers: Int { wrongWorker == nil ? 1 : 2 }

    /// Its place among the processes.
    var wrongProcess: Int? { wrongWorker.map { 1 + servers + $0.worker } }

    /// Those that a fault of one befalls: itself, and the other role of its process.
    func processes(with process: Int) -> [Int] {
        guard workersServe, process > 0 else { return [process] }
        return process <= servers ? [process, process + servers] : [process, process - servers]
    }

    package var stepCount: Int {
        runs.reduce(0) { sum, run in
            sum
                + RunSchedule(run, trainingExampleCount: SimulatedModel.exampleCount).totalSteps
        }
    }
}
