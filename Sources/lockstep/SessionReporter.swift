import Foundation
import LockstepRuntime
import Logging
import Report
import RunRecords
import Synchronization
import TerminalText
import TrainingPlan

/// Shows a session while it lasts: a bar on a terminal, and a line an epoch.
final class SessionReporter: SessionObserver {
    private struct State {
        var startedRuns = 0
        var failure: (any Error)?
    }

    private let runCount: Int
    private let logger: Logger
    private let writeConfiguration: @Sendable (RunConfiguration, RunDirectory) throws -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - runCount: those that the session trains.
    ///   - writeConfiguration: puts `config.yaml` into a run's directory.
    init(
        runCount: Int, logger: Logger,
        writeConfiguration: @escaping @Sendable (RunConfiguration, RunDirectory) throws -> Void
    ) {
        self.runCount = runCount
        self.logger = logger
        self.writeConfiguration = writeConfiguration
    }

    /// What kept a run's configuration from being written, if anything did.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func notice(_ text: String) { logger.notice("\(text)") }

    func runStarted(_ configuration: RunConfiguration, directory: RunDirectory) {
        let number = state.withLock { state in
            state.startedRuns += 1
            do {
                try writeConfiguration(configuration, directory)
            } catch {
                state.failure = state.failure ?? error
            }
            return state.startedRuns
        }
        let place = runCount > 1 ? "run \(number)/\(runCount): " : ""
        logger.notice(
            """
            \(place)\(configuration.name), seed \(configuration.seed), batch \
            \(configuration.batchSize), \(Figures.plural(configuration.epochs, "epoch")), in \
            \(directory.path)
            """)
    }

    func progress(_ progress: RunProgress) {
        guard Console.shared.isTerminal else { return }
        Console.shared.showBar(progress.line(Console.shared.style))
    }

    func epochEnded(_ record: EpochRecord, epochs: Int, examplesPerSecond: Double) {
        let line = record.line(
            epochs: epochs, examplesPerSecond: examplesPerSecond, Console.shared.style)
        logger.notice("\(line)")
    }

    func runEnded(_ outcome: RunOutcome) {
        Console.shared.clearBar()
        guard let end = outcome.end else { return }
        switch end.status {
        case .completed: break
        case .target:
            logger.notice("the target accuracy is reached after \(end.steps) steps")
        case .diverged, .interrupted, .lost:
            logger.warning("\(outcome.run.configuration): \(end.ending)")
        }
    }
}

extension EndRecord {
    /// How the run ended, in words: status, step and cause.
    var ending: String {
        let place =
            switch status {
            case .completed, .target: status.rawValue
            case .diverged: "diverged at step \(divergedStep ?? steps)"
            case .interrupted: "interrupted after step \(steps)"
            case .lost: "lost a peer after step \(steps)"
            }
        return cause.map { "\(place): \($0)" } ?? place
    }
}
