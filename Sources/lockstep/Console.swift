import Foundation
import LockstepProtocol
import Logging
import Synchronization
import TerminalText

/// Standard error: lines for people, and on a terminal a bar below them that is redrawn in place.
///
/// Nobody waits for a reader: see ``PatientWriter``.
final class Console: Sendable {
    static let shared = Console()

    let isTerminal = isatty(STDERR_FILENO) != 0
    private let isBarShown = Mutex(false)
    private let writer = PatientWriter(STDERR_FILENO)

    private static let startOfLine = "\r\u{1B}[K"

    /// How text may look on standard error.
    var style: TextStyle { .of(STDERR_FILENO) }

    /// A line of its own.
    func say(_ text: String) {
        isBarShown.withLock { isShown in
            writer.write((isShown ? Self.startOfLine : "") + text + "\n")
            isShown = false
        }
    }

    /// Redraws the bar; without a terminal there is none.
    func showBar(_ line: String) {
        guard isTerminal else { return }
        isBarShown.withLock { isShown in
            writer.write(Self.startOfLine + line)
            isShown = true
        }
    }

    func clearBar() {
        isBarShown.withLock { isShown in
            if isShown { writer.write(Self.startOfLine) }
            isShown = false
        }
    }

    /// The last lines of a command that did not end well.
    func show(_ reason: StopReason, hint: String? = nil) {
        clearBar()
        // What was printed before comes first, also where both streams are one file.
        fflush(nil)
        guard reason.exitCode != .success else { return }
        writer.write("Error: \(reason.text)\n", isNeeded: true)
        if let hint { writer.write("\(hint)\n", isNeeded: true) }
    }

    /// Waits, no longer than a person likes to, until everything has been taken.
    func finish() { writer.drain(milliseconds: Self.finishMilliseconds) }

    private static let finishMilliseconds = 1_000
}

/// Writes what is logged to the console. Notices stand as they are; the rest names its level.
struct ConsoleLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let level = event.level == .notice ? "" : "\(event.level): "
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        Console.shared.say(label + level + "\(event.message)" + fields)
    }

    /// Makes the logger of this process, and the handler of all others in it.
    ///
    /// - Parameter label: comes before each line; empty for the process that a person started.
    static func bootstrap(_ level: Logger.Level, label: String = "") -> Logger {
        LoggingSystem.bootstrap { _ in ConsoleLogHandler(label: label, logLevel: level) }
        return Logger(label: "lockstep")
    }
}

extension Logger {
    /// Takes a sentence on each frame that is not used; nil unless each is to be told.
    var dropped: (@Sendable (String) -> Void)? {
        guard logLevel <= .debug else { return nil }
        return { debug("\($0)") }
    }
}
