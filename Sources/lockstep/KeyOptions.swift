import ArgumentParser
import Foundation
import LockstepRuntime
import ZeroMQ

/// Which key a role has, if it has one.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The cluster's key, - for standard input; default $LOCKSTEP_KEY_FILE, then "
                + "~/.config/lockstep/cluster.key where it is there.", valueName: "file"))
    var key: String?

    @Flag(help: "Do without a key, also beyond this host: anyone may join, read and disturb.")
    var insecure = false

    static let variable = "LOCKSTEP_KEY_FILE"

    /// - Throws: ``UsageError`` and ``RoleError``.
    func clusterKey(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> ClusterKey? {
        if insecure {
            if let key {
                throw UsageError(
                    "--key \(key)", "--insecure says to do without a key",
                    "leave one of the two out")
            }
            return nil
        }
        let named = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
        if key == "-" { return try ClusterKey(readingFrom: STDIN_FILENO, "standard input") }
        if let path = key ?? named { return try ClusterKey(reading: path) }
        let path = ClusterKey.defaultPath(environment: environment)
        return FileManager.default.fileExists(atPath: path) ? try ClusterKey(reading: path) : nil
    }

    /// What cannot be done beyond this host without a key.
    func check(_ place: String, isBeyondThisHost: Bool, _ key: ClusterKey?) throws(UsageError) {
        guard isBeyondThisHost, key == nil, !insecure else { return }
        throw UsageError(
            place, "beyond this host a key is needed, and there is none",
            "make one with lockstep keys create and copy it to every host, or add --insecure in a "
                + "network that you trust")
    }
}

/// The coordinator that somebody connects to, and the key for that.
func coordinatorEndpoint(
    _ text: String, _ options: KeyOptions
) throws -> (endpoint: Endpoint, key: ClusterKey?) {
    let endpoint = try coordinatorEndpoint(text)
    // A socket in a folder is guarded by the folder.
    let key = endpoint.transport == .ipc ? nil : try options.clusterKey()
    try options.check(
        "--coordinator \(text)", isBeyondThisHost: !endpoint.isLoopback, key)
    return (endpoint, key)
}
