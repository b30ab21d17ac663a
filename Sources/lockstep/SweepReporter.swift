import Experiments
import LockstepProtocol
import LockstepRuntime
import Logging
import RunRecords
import TerminalText

/// Shows a sweep while it lasts: a bar on a terminal, and a line for each run that ends.
struct SweepReporter: SweepObserver {
    private let logger: Logger
    private let label: @Sendable (SweepRun) -> String

    /// - Parameter label: what a run is called in its line.
    init(logger: Logger, label: @escaping @Sendable (SweepRun) -> String) {
        self.logger = logger
        self.label = label
    }

    func notice(_ text: String) { logger.notice("\(text)") }

    func progress(_ progress: SweepProgress) {
        guard Console.shared.isTerminal else { return }
        Console.shared.showBar(progress.line(Console.shared.style))
    }

    func runEnded(_ run: SweepResult.Run, progress: SweepProgress) {
        let digits = String(progress.runs).count
        let done = String(progress.runsDone)
        let number = String(repeating: " ", count: max(0, digits - done.count)) + done
        let place = "\(number)/\(progress.runs)  \(run.id)  \(label(run.run)):"
        switch run.ending {
        case .ended(let outcome):
            guard let end = outcome.end else { return }
            let accuracy =
                end.testAccuracy.isFinite
                ? Figures.fixed(end.testAccuracy * 100, 2) + " %" : "accuracy not known"
            let figures =
                "\(accuracy), \(end.ending), \(Figures.count(end.steps)) steps in "
                + "\(Figures.fixed(end.seconds, 2)) s"
            if end.status == .diverged {
                logger.warning("\(place) \(figures)")
            } else {
                logger.notice("\(place) \(figures)")
            }
        case .failed(let cause): logger.error("\(place) failed twice: \(cause.text)")
        case .unfinished: break
        }
        self.progress(progress)
    }
}
