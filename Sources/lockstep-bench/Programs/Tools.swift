import Foundation
import LockstepProtocol

/// Programs of this machine.
enum Tools {
    /// The running program.
    static let own = "/proc/self/exe"

    /// A program of this name on the path.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The `lockstep` that was built with this program.
    static func lockstep() throws -> String {
        let folder = URL(fileURLWithPath: own).resolvingSymlinksInPath().deletingLastPathComponent()
        let path = folder.appendingPathComponent("lockstep").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw BenchError(
                .unavailable, "there is no \(path): build it with 'swift build -c release'")
        }
        return path
    }
}
