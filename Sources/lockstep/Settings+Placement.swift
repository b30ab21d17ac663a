import LockstepProtocol
import LockstepRuntime
import Logging
import RunRecords
import TrainingPlan

extension Settings {
    /// The bounds of `--threads`: more than any host has.
    private static let maximumThreads = 1_024

    /// How processes and threads are laid out on this host.
    func placement() throws(UsageError) -> SessionPlacement {
        let workers = try integer(
            .workers, in: 0...Limits.maximumWorkers, or: SessionPlacement.standard.workers)
        // A rate that a run was begun with, and that stands in its file, has no meaning here.
        if workers < 2, try auditRate() != .none, let given = self[.auditRate], !given.isFromFile {
            throw UsageError(
                given.place, "an audit takes two workers, and --workers is \(workers)",
                "give --workers 2 or more")
        }
        return SessionPlacement(
            workers: workers, threads: try threads(), servers: try servers())
    }

    /// The placement of a coordinator's session, which begins with so many workers: they choose
    /// their threads themselves.
    func coordinatorPlacement() throws(UsageError) -> SessionPlacement {
        let least = try minimumWorkers()
        return SessionPlacement(
            workers: try integer(
                .workers, in: least...max(try maximumWorkers(), least),
                or: self[.minWorkers] == nil ? SessionPlacement.standard.workers : least),
            threads: 1, servers: try servers())
    }

    /// With fewer a run waits.
    func minimumWorkers() throws(UsageError) -> Int {
        try integer(.minWorkers, in: 1...Limits.maximumWorkers, or: 1)
    }

    func maximumWorkers() throws(UsageError) -> Int {
        try integer(.maxWorkers, in: 1...Limits.maximumWorkers, or: Limits.maximumWorkers)
    }

    func threads() throws(UsageError) -> Int {
        try integer(.threads, in: 1...Self.maximumThreads, or: SessionPlacement.standard.threads)
    }

    /// Threads take turns at the cores: more than there are only wait for each other.
    func warnOfIdleThreads(_ threads: Int, _ logger: Logger) {
        let cores = HostResources.cores
        guard threads > cores, let given = self[.threads] else { return }
        logger.warning(
            """
            \(given.place): this process may use \(cores) \(cores == 1 ? "core" : "cores"), and \
            threads beyond that make steps slower
            """)
    }

    /// In the workers' processes, unless a number is given. Where no checkpoints are made that a
    /// run could fall back to, one stays in the coordinator, which outlives its workers.
    private func servers() throws(UsageError) -> ServerPlacement {
        if let given = self[.servers], given.text != Self.automatic {
            return .count(
                try integer(
                    .servers, in: 1...SettingLimits.maximumServers, or: 1,
                    instead: "or \(Self.automatic)"))
        }
        return try checkpointPolicy().seconds > 0 ? .onWorkers : .count(1)
    }

    private static let automatic = "auto"

    /// Long enough to start workers by hand in other terminals.
    static let defaultWaitTimeoutSeconds = 120.0
    static let maximumWaitTimeoutSeconds = 86_400.0

    func waitTimeoutMilliseconds() throws(UsageError) -> Int {
        let seconds = try number(.waitTimeout, or: Self.defaultWaitTimeoutSeconds)
        guard seconds >= 0.001, seconds <= Self.maximumWaitTimeoutSeconds else {
            throw UsageError(
                self[.waitTimeout]?.place ?? SettingKey.waitTimeout.flag,
                "a wait takes 0.001 to \(Int(Self.maximumWaitTimeoutSeconds)) seconds",
                "give for example 60")
        }
        return Int(seconds * 1_000)
    }

    /// Which fraction of the steps two workers compute.
    func auditRate() throws(UsageError) -> AuditRate {
        let fraction = try number(.auditRate, or: 0)
        guard 0...1 ~= fraction else {
            throw UsageError(
                self[.auditRate]?.place ?? SettingKey.auditRate.flag,
                "the fraction of steps that are audited is 0 to 1", "give for example 0.01")
        }
        return AuditRate(millionths: UInt32((fraction * 1e6).rounded(.up)))
    }

    /// Every how many steps one has a line in the log; nil where nothing is said.
    func stepLineInterval() throws(UsageError) -> Int? {
        guard self[.logEvery] != nil else { return nil }
        return try integer(.logEvery, in: 1...Self.maximumStepLineInterval, or: 1)
    }

    /// No run has more steps.
    private static let maximumStepLineInterval = 1_000_000_000

    /// A day; whoever wants fewer says 0.
    private static let maximumCheckpointSeconds = 86_400.0
    private static let maximumKeptCheckpoints = 1_000

    /// How often a run's state is written, and how much of it is kept.
    func checkpointPolicy() throws(UsageError) -> CheckpointPolicy {
        let seconds = try number(.checkpointSeconds, or: CheckpointPolicy.defaultSeconds)
        guard 0...Self.maximumCheckpointSeconds ~= seconds else {
            throw UsageError(
                self[.checkpointSeconds]?.place ?? SettingKey.checkpointSeconds.flag,
                "checkpoints are 0 to \(Int(Self.maximumCheckpointSeconds)) seconds apart",
                "give for example 2, or 0 for none before the run is interrupted")
        }
        return CheckpointPolicy(
            seconds: seconds,
            keep: try integer(
                .keepCheckpoints, in: 1...Self.maximumKeptCheckpoints,
                or: CheckpointStore.defaultKeep))
    }
}
