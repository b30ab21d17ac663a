import Glibc
import Synchronization

extension CrashPoint {
    /// Written before the process has a second thread, and only read from then on.
    nonisolated(unsafe) private static var armed: CrashPoint?
    /// Several threads of a process may pass a point.
    private static let passesLeft = Atomic<Int>(0)

    /// The process dies here if it was asked to: nothing is flushed, nobody is told but whoever
    /// reads standard error.
    package func pass() {
        if unsafe Self.armed == self { passArmed() }
    }

    /// Apart, so that a point that is not armed costs nothing but the comparison.
    @inline(never)
    private func passArmed() {
        guard Self.passesLeft.subtract(1, ordering: .relaxed).newValue == 0 else { return }
        let text = "dies at \(rawValue), as \(Self.variable) says\n"
        _ = unsafe write(STDERR_FILENO, text, text.utf8.count)
        kill(getpid(), SIGKILL)
    }

    /// Makes the process die where the environment says; to be called before it has a second
    /// thread.
    package static func arm(environment: [String: String]) throws(CrashPointError) {
        guard let text = environment[variable], !text.isEmpty else { return }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let point = CrashPoint(rawValue: String(parts[0])), parts.count <= 2,
            let count = parts.count == 1 ? 1 : Int(parts[1]), count >= 1
        else { throw CrashPointError(text: text) }
        passesLeft.store(count, ordering: .relaxed)
        unsafe armed = point
    }

    package static let variable = "LOCKSTEP_CRASH_AT"
}

/// There is no such point.
package struct CrashPointError: Error, Equatable, CustomStringConvertible {
    let text: String

    package var description: String {
        let names = CrashPoint.allCases.map { "  \($0.rawValue)" }.joined(separator: "\n")
        return
            "\(CrashPoint.variable)=\(text): no point to crash at; unset the variable, or give one of these, with "
            + ":N for the N-th time\n\(names)"
    }
}
