/// How a process ends, after sysexits.h and the shells' 128 + signal.
package enum ExitCode: Int32, Sendable, CaseIterable {
    /// Also for a run that diverged: it is a result.
    case success = 0
    case usage = 64
    case badData = 65
    /// No peer within the time, the port is in use, or a limit of the system is too low.
    case unavailable = 69
    /// A fault of ours, or of a machine that computes wrongly.
    case internalError = 70
    case cannotWrite = 73
    /// A peer was lost: worth trying again.
    case lostPeer = 75
    case refusedByKey = 77
    /// Configuration, version or hash does not fit.
    case mismatch = 78
    case hungUp = 129
    case interrupted = 130
    case terminated = 143
    /// The limit of CPU time is reached.
    case outOfTime = 152
}

/// Why a role stops: its exit code, and the sentence for the person in front of it.
public struct StopReason: Hashable, Sendable {
    package var exitCode: ExitCode
    package var text: String

    package init(_ exitCode: ExitCode, _ text: String) {
        self.exitCode = exitCode
        self.text = text
    }
}
