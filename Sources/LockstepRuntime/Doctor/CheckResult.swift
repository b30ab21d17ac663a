package import LockstepProtocol

/// What the doctor has seen of one thing.
package struct CheckResult: Codable, Hashable, Sendable {
    package enum Verdict: String, Codable, Sendable {
        case green
        /// A run works, but not as well as it could.
        case yellow
        /// A run fails.
        case red
    }

    /// One word or two, the same for the same thing everywhere.
    package let topic: String
    package let verdict: Verdict
    package let text: String
    /// What to do about it; nil where there is nothing to do.
    package let remedy: String?
    /// What the doctor ends with, where this is the first red; nil unless it is one.
    package let exitCode: Int32?

    package static func green(_ topic: String, _ text: String) -> CheckResult {
        CheckResult(topic: topic, verdict: .green, text: text, remedy: nil, exitCode: nil)
    }

    package static func yellow(_ topic: String, _ text: String, _ remedy: String) -> CheckResult {
        CheckResult(topic: topic, verdict: .yellow, text: text, remedy: remedy, exitCode: nil)
    }

    /// - Parameter exitCode: `unavailable`, `refusedByKey` or `mismatch`.
    package static func red(
        _ topic: String, _ text: String, _ remedy: String, _ exitCode: ExitCode = .unavailable
    ) -> CheckResult {
        CheckResult(
            topic: topic, verdict: .red, text: text, remedy: remedy, exitCode: exitCode.rawValue)
    }
}
