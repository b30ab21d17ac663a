import ArgumentParser
import Foundation
import LockstepProtocol
import LockstepRuntime
import ZeroMQ

/// Which key a role has, if it has one.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The cluster's key, - for standard input; default $LOCKSTEP_KEY_FILE, then "
                + "~/.config/lockstep/cluster.key if it exists.", valueName: "file"))
    var key: String?

    @Flag(help: "Run without a key, even beyond this host: anyone can join, read and disturb.")
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
        if key == "-" { return try ClusterKey(readingPipe: STDIN_FILENO) }
        if let path = key ?? named { return try ClusterKey(reading: path) }
        let path = ClusterKey.defaultPath(environment: environment)
        return FileManager.default.fileExists(atPath: path) ? try ClusterKey(reading: path) : nil
    }

    /// The key of a process that others of this host reach at an endpoint, or that reaches them
    /// there: on TCP there are other users as well, so a user without a key gets one.
    ///
    /// - Parameter makesOwn: whether a key is made where there is none.
    /// - Throws: ``UsageError`` and ``RoleError``; for an endpoint beyond this host also where
    ///   there is no key.
    func clusterKey(
        at endpoint: Endpoint, named place: String, makesOwn: Bool = true,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> ClusterKey? {
        // A socket in a folder is guarded by the folder.
        guard endpoint.transport == .tcp else { return nil }
        let key = try clusterKey(environment: environment)
        try check(place, isBeyondThisHost: !endpoint.isLoopback, key)
        return try key
            ?? (insecure || !makesOwn
                ? nil
                : Self.own(
                    environment,
                    otherwise: "name a key with --key, or add --insecure "
                        + "where nobody else is on this host"))
    }

    /// The key of a cluster that one command starts, with a port on this host.
    static func ofLocalCluster(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> ClusterKey {
        if let named = environment[variable], !named.isEmpty {
            return try ClusterKey(reading: named)
        }
        return try own(environment, otherwise: "name a key with \(variable), or leave --bind out")
    }

    /// This user's, made at the first need.
    private static func own(
        _ environment: [String: String], otherwise remedy: String
    ) throws -> ClusterKey {
        let path = ClusterKey.defaultPath(environment: environment)
        do {
            let (key, isNew) = try ClusterKey.own(at: path)
            if isNew {
                Console.shared.say("made a key that keeps other users out: \(path), \(key)")
            }
            return key
        } catch let error as RoleError {
            throw RoleError(
                error.reason.exitCode,
                "\(error.reason.text), \(remedy)")
        }
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

/// The coordinator that a member connects to, and the key for that.
func coordinatorEndpoint(
    _ text: String, _ options: KeyOptions, makesOwn: Bool = true
) throws -> (endpoint: Endpoint, key: ClusterKey?) {
    let endpoint = try coordinatorEndpoint(text)
    let key = try options.clusterKey(
        at: endpoint, named: "--coordinator \(text)", makesOwn: makesOwn)
    return (endpoint, key)
}
