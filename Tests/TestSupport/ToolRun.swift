package import Foundation

/// What a program printed and how it ended.
package struct ToolRun: Sendable {
    /// Its exit code; −1 where a signal ended it.
    package let status: Int32
    package let standardOutput: String
    package let standardError: String

    package init(status: Int32, standardOutput: String, standardError: String) {
        self.status = status
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// Runs a program to its end, or kills it after `seconds` (status −1 then).
    ///
    /// - Parameter environment: added to this process's own.
    package init(
        _ executable: URL, _ arguments: [String] = [], environment: [String: String] = [:],
        seconds: Double = 60
    ) throws {
        let own = ProcessInfo.processInfo.environment
        self = try RunningTool(
            executable, arguments, environment: own.merging(environment) { $1 }
        ).end(within: seconds)
    }

    /// Both streams without blanks around them: what was asked for stands behind what was said
    /// about it.
    package var output: String {
        (standardError + standardOutput).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A program of this name on the path; nil where there is none.
    package static func find(_ name: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":")
            .map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    /// Where the running tests, and the programs built with them, lie.
    package static var buildDirectory: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent()
    }
}
