import LockstepProtocol
import LockstepRuntime
import RunRecords
import Synchronization
import TerminalText
import TrainingPlan

/// Trains a sweep's runs one after the other through a cluster, in one session as long as none is
/// lost.
final class ClusterSweep {
    private let sweep: Sweep
    private let cluster: Sweep.Cluster
    private let state: SweepState
    private let interruption: Interruption

    init(
        _ sweep: Sweep, _ cluster: Sweep.Cluster, _ state: SweepState, _ interruption: Interruption
    ) {
        self.sweep = sweep
        self.cluster = cluster
        self.state = state
        self.interruption = interruption
    }

    /// A session ends with the run that it lost. The runs that are left go through another one, the
    /// lost run first; when it is lost again, it has failed.
    ///
    /// - Throws: ``RoleError`` where two sessions in a row began no run.
    func run() throws {
        var jobs: [SweepState.Job] = []
        while let job = state.takeJob() { jobs.append(job) }
        var jobsLost: Set<Int> = []
        var hasStoodStill = false
        while !jobs.isEmpty, interruption.reason == nil {
            let session = SessionOfJobs(sweep, state, jobs)
            let result = try cluster.train(try session.request(cluster), session, interruption)
            let begun = session.begunCount
            let endedCount = session.endedCount
            jobs.removeFirst(endedCount)
            guard let lost = jobs.first, interruption.reason == nil else { break }
            if begun == 0 {
                if hasStoodStill { throw RoleError(result.reason.exitCode, result.reason.text) }
                hasStoodStill = true
                state.notice("\(result.reason.text); trying once more")
                continue
            }
            hasStoodStill = false
            if begun == endedCount { continue }
            if jobsLost.insert(lost.index).inserted {
                state.notice(
                    "run \(lost.directory.path): \(result.reason.text); trying once more")
            } else {
                state.end(lost, .failed(result.reason))
                jobs.removeFirst()
            }
        }
    }
}

/// Follows the runs of one session, which come in their order.
private final class SessionOfJobs: SessionObserver {
    private struct Counts {
        var begun = 0
        var ended = 0
    }

    private let sweep: Sweep
    private let state: SweepState
    private let jobs: [SweepState.Job]
    private let counts = Mutex(Counts())

    init(_ sweep: Sweep, _ state: SweepState, _ jobs: [SweepState.Job]) {
        self.sweep = sweep
        self.state = state
        self.jobs = jobs
    }

    var begunCount: Int { counts.withLock { $0.begun } }
    var endedCount: Int { counts.withLock { $0.ended } }

    func request(_ cluster: Sweep.Cluster) throws -> SessionRequest {
        SessionRequest(
            runs: try jobs.map { try sweep.plannedRun($0, state) }, dataset: sweep.dataset,
            placement: cluster.placement, kernels: sweep.kernels,
            waitTimeoutMilliseconds: cluster.waitTimeoutMilliseconds, audits: cluster.audits)
    }

    func notice(_ text: String) { state.notice(text) }

    func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {
        counts.withLock { $0.begun += 1 }
        guard let text = sweep.configurationFile?(configuration) else { return }
        do {
            try directory.writeConfiguration(text)
        } catch {
            state.notice("\(error)")
        }
    }

    func progress(_ progress: RunProgress) {
        state.advance(jobs[counts.withLock { $0.ended }], to: progress.share)
    }

    func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {}

    func runEnded(_ outcome: RunOutcome) {
        guard outcome.end?.status.isFinal == true else { return }
        let index = counts.withLock { counts in
            counts.ended += 1
            return counts.ended - 1
        }
        state.end(jobs[index], .ended(outcome))
    }
}
