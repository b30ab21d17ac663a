import Datasets
import Hashing
import LockstepProtocol
import LockstepRuntime
import RunRecords
import Synchronization
import TerminalText
import TrainingPlan

/// What the threads of a sweep share: which runs are left, how they ended, and how far all is.
final class SweepState: Sendable {
    /// A run of the sweep with its place.
    struct Job: Sendable {
        let index: Int
        let run: SweepRun
        let directory: RunDirectory
        let configurationSHA256: String
        /// Of work; see ``RunConfiguration/work(on:)``.
        fileprivate(set) var work: Double

        /// Looks what an earlier start left in the job's folder, and makes it where it is missing.
        func open() throws -> RunDirectory.Opening {
            try RunDirectory.open(
                directory.path, configuration: run.configuration.name,
                seed: run.configuration.seed, configurationSHA256: configurationSHA256)
        }
    }

    private struct State {
        var endings: [SweepResult.Run.Ending]
        /// Places in `pending` of those that nobody has taken yet.
        var nextPending = 0
        var workDone = 0.0
        var trainedRuns = 0
        var failedRuns = 0
        /// Of the runs in progress: the fraction that is done.
        var shares: [Int: Double] = [:]
        var lastProgress: UInt64 = 0
    }

    /// Those that were not complete, the biggest first: so all threads end at about the same time.
    let pending: [Job]
    /// Those that are not trained, as they only decode the outputs of another run, with that run.
    let redecoded: [(job: Job, source: Job)]
    private let jobs: [Job]
    private let completeRuns: Set<Int>
    private let ids: [String]
    private let totalWork: Double
    private let observer: any SweepObserver
    private let state: Mutex<State>
    private let start = SystemClock.nanoseconds

    /// A person's eye follows no more.
    private static let progressIntervalNanoseconds: UInt64 = 100_000_000

    /// Opens all folders.
    init(_ sweep: Sweep, observer: any SweepObserver) throws {
        self.observer = observer
        var endings: [SweepResult.Run.Ending] = []
        var completeRuns: Set<Int> = []
        var openings: [RunDirectory.Opening] = []
        var jobs = sweep.runs.enumerated().map { index, run in
            Job(
                index: index, run: run, directory: sweep.runDirectory(of: run.configuration),
                configurationSHA256: run.configuration.sha256(dataset: sweep.dataset),
                work: run.configuration.work(on: sweep.dataset))
        }
        for job in jobs {
            openings.append(try job.open())
            switch openings[job.index] {
            case .new, .unfinished:
                endings.append(.unfinished)
            case .finished(_, let outcome):
                completeRuns.insert(job.index)
                endings.append(.ended(outcome))
            }
        }
        let done = completeRuns
        self.completeRuns = done
        let sources = try Self.sources(jobs, openings)
        for index in sources.keys { jobs[index].work = 0 }
        self.jobs = jobs
        redecoded = sources.sorted { $0.key < $1.key }.map { (jobs[$0.key], jobs[$0.value]) }
        pending = jobs.filter { !done.contains($0.index) && sources[$0.index] == nil }
            .sorted { ($1.work, $0.index) < ($0.work, $1.index) }
        ids = jobs.map { sweep.id(of: $0.run.configuration) }
        totalWork = pending.reduce(0) { $0 + $1.work }
        state = Mutex(State(endings: endings))
        if !done.isEmpty {
            observer.notice("\(done.count) of \(jobs.count) runs are complete already: kept")
        }
        if !sources.isEmpty {
            observer.notice(
                "\(sources.count) of \(jobs.count) runs have the weights of others and decode their "
                    + "outputs in another way: trained once")
        }
    }

    /// As in ``RedecodedRun/sources(of:)``, of the runs that have not begun, where the other one's
    /// log tells both accuracies and its weights are kept as long.
    private static func sources(
        _ jobs: [Job], _ openings: [RunDirectory.Opening]
    ) throws -> [Int: Int] {
        try RedecodedRun.sources(of: jobs.map(\.run.configuration)).filter { index, source in
            guard case .new = openings[index],
                jobs[index].run.keepsWeights == jobs[source].run.keepsWeights
            else { return false }
            return switch openings[source] {
            case .new: true
            case .unfinished(let directory), .finished(let directory, _):
                try RedecodedRun.isRecorded(in: directory)
            }
        }
    }

    func ending(of job: Job) -> SweepResult.Run.Ending {
        state.withLock { $0.endings[job.index] }
    }

    /// The biggest run that nobody has taken; nil when none is left.
    func takeJob() -> Job? {
        state.withLock { state in
            guard state.nextPending < pending.count else { return nil }
            state.nextPending += 1
            return pending[state.nextPending - 1]
        }
    }

    func notice(_ text: String) {
        state.withLock { _ in observer.notice(text) }
    }

    /// A share of a run, in [0, 1], is done.
    func advance(_ job: Job, to share: Double) {
        state.withLock { state in
            state.shares[job.index] = share
            let now = SystemClock.nanoseconds
            guard now - state.lastProgress >= Self.progressIntervalNanoseconds else { return }
            state.lastProgress = now
            observer.progress(progress(state))
        }
    }

    func end(_ job: Job, _ ending: SweepResult.Run.Ending) {
        state.withLock { state in
            state.endings[job.index] = ending
            state.shares[job.index] = nil
            switch ending {
            case .unfinished: return
            case .failed: state.failedRuns += 1
            case .ended: break
            }
            state.workDone += job.work
            state.trainedRuns += 1
            observer.runEnded(run(job.index, ending), progress: progress(state))
        }
    }

    private func progress(_ state: borrowing State) -> SweepProgress {
        let seconds = SystemClock.seconds(since: start)
        let done = state.shares.reduce(state.workDone) { sum, entry in
            sum + entry.value * jobs[entry.key].work
        }
        return SweepProgress(
            runsDone: completeRuns.count + state.trainedRuns, runs: jobs.count,
            failedRuns: state.failedRuns, share: totalWork > 0 ? done / totalWork : 1,
            runsPerMinute: seconds > 0 ? Double(state.trainedRuns) / seconds * 60 : 0,
            secondsLeft: done > 0 ? seconds * (totalWork - done) / done : nil)
    }

    private func run(_ index: Int, _ ending: SweepResult.Run.Ending) -> SweepResult.Run {
        SweepResult.Run(
            id: ids[index], run: jobs[index].run, directory: jobs[index].directory, ending: ending,
            wasComplete: completeRuns.contains(index))
    }

    /// What became of all runs.
    func result(_ interruption: Interruption) -> SweepResult {
        let endings = state.withLock { $0.endings }
        let runs = endings.enumerated().map { index, ending in run(index, ending) }
        var failedIDs: [String] = []
        var causes: [StopReason] = []
        for case (let id, .failed(let cause)) in runs.map({ ($0.id, $0.ending) }) {
            failedIDs.append(id)
            causes.append(cause)
        }
        let isWhole = !runs.contains { if case .unfinished = $0.ending { true } else { false } }
        let reason: StopReason
        if !isWhole, let interrupted = interruption.reason {
            reason = interrupted
        } else if failedIDs.isEmpty {
            reason = StopReason(.success, "all runs are done")
        } else {
            reason = StopReason(
                .ofFailures(causes),
                "\(failedIDs.count) of \(runs.count) runs failed twice (\(failedIDs.joined(separator: ", "))"
                    + "); see above for the causes, and start the sweep again")
        }
        return SweepResult(runs: runs, reason: reason)
    }
}

extension ExitCode {
    /// Of a command that some of its runs have failed in. Where nothing can be written, another
    /// start is of no use before that is mended, and the code says so.
    static func ofFailures(_ causes: [StopReason]) -> ExitCode {
        let codes = Set(causes.map(\.exitCode))
        if codes.contains(.cannotWrite) { return .cannotWrite }
        return codes.count == 1 ? codes.first ?? .lostPeer : .lostPeer
    }
}

extension RunConfiguration {
    /// How much work a run on this data set is, in multiplications, roughly: enough to tell a long
    /// run from a short one.
    func work(on dataset: Dataset) -> Double {
        let schedule = RunSchedule(self, trainingExampleCount: dataset.train.count)
        let parameters = Double(layout.parameterCount)
        let epochs = Double(schedule.epochs)
        let steps = Double(schedule.totalSteps)
        // Forward, and two products backward; the optimiser's formula once a step.
        let training = epochs * Double(schedule.exampleCount) * 3 + steps * Self.optimizerWork
        return parameters
            * (training + judgedExamples(schedule, testCount: dataset.test.count))
    }

    /// The examples that are evaluated on in a whole run, each as often as it is.
    func judgedExamples(_ schedule: RunSchedule, testCount: Int) -> Double {
        let epochs = Double(schedule.epochs)
        let between = evaluateEvery.map { Double(schedule.totalSteps) / Double($0) } ?? 0
        // Test examples are kept for the ends of epochs where others are held out.
        return validationExamples > 0
            ? (between + epochs) * Double(validationExamples) + epochs * Double(testCount)
            : (between + epochs) * Double(testCount)
    }

    /// Of an update of one parameter.
    private static let optimizerWork = 8.0
}
