import Foundation
import LockstepProtocol

/// Why a measurement cannot be made, and what to do.
struct BenchError: Error, CustomStringConvertible {
    let exitCode: ExitCode
    let description: String

    init(_ exitCode: ExitCode, _ description: String) {
        self.exitCode = exitCode
        self.description = description
    }

    /// Ends this process, with the reason as its last line.
    func exit() -> Never {
        Children.shared.waitIfEnding()
        Notes.endProgress()
        Notes.say("Error: \(description)")
        Foundation.exit(exitCode.rawValue)
    }
}
