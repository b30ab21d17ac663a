import Foundation
import LockstepProtocol
import LockstepRuntime
import Synchronization

/// A cluster whose processes are started over ssh, from its first host to its end.
struct RemoteLaunch {
    private let shell: RemoteShell
    private let options: LaunchCommand
    private let key: ClusterKey?

    /// After its end is asked for, a run has so long to write a checkpoint.
    private static let graceMilliseconds = 10_000
    private static let hopeless: Set<ExitCode> = [
        .usage, .badData, .internalError, .refusedByKey, .mismatch,
    ]

    init(_ shell: RemoteShell, options: LaunchCommand, key: ClusterKey?) {
        self.shell = shell
        self.options = options
        self.key = key
    }

    func run() throws {
        let interruption = Interruption()
        // A host that is gone is no reason to end without a word.
        _ = signal(SIGPIPE, SIG_IGN)
        Signals.forward(to: interruption)
        let hosts = shell.hosts
        let waitMilliseconds = try options.waitTimeoutMilliseconds()
        let program = try shell.programPath(
            withinMilliseconds: waitMilliseconds, interruption
        ) {
            $0 == 0 || options.minWorkers == nil
        }
        let started = Started(count: hosts.count)
        let labels = shell.labels
        let processes = RemoteProcesses { index, line in
            started.note(index, line)
            Console.shared.say("\(labels[index]): \(line)")
        }
        defer {
            // Whoever has not begun has nothing to bring to an end.
            for index in hosts.indices where !started[index] { processes.terminate(index) }
            processes.end(patienceMilliseconds: Self.graceMilliseconds)
        }
        for index in hosts.indices {
            try processes.start(
                command(index, program), input: key?.bytes ?? [],
                output: index == 0 ? .standardOutput : .standardError)
        }
        let deadline = ContinuousClock.now + .milliseconds(waitMilliseconds)
        var graceEnd: ContinuousClock.Instant?
        var checkpointRequests = 0
        while true {
            if case let count = interruption.checkpointCount, count != checkpointRequests {
                checkpointRequests = count
                processes.send(SIGUSR1)
            }
            if let reason = interruption.reason, graceEnd == nil {
                graceEnd = .now + .milliseconds(Self.graceMilliseconds)
                processes.send(reason.exitCode == .interrupted ? SIGINT : SIGTERM)
            }
            if let graceEnd, .now > graceEnd {
                throw CommandEnd(
                    reason: interruption.reason ?? StopReason(.internalError, "no reason"))
            }
            if graceEnd == nil, let silent = hosts.indices.first(where: { !started[$0] }),
                ContinuousClock.now > deadline, options.minWorkers == nil || silent == 0
            {
                throw CommandEnd(
                    reason: StopReason(
                        .unavailable,
                        "\(labels[silent]) has not started within \(seconds(waitMilliseconds)) s: see its "
                            + "messages above, or wait longer with --wait-timeout"))
            }
            guard let end = processes.next(withinMilliseconds: 50) else { continue }
            if end.index == 0 {
                if end.status == 0 { return }
                throw CommandEnd(
                    reason: interruption.reason ?? failure(end, hasStarted: started[0]))
            }
            guard end.status != 0, interruption.reason == nil else { continue }
            let reason = failure(end, hasStarted: started[end.index])
            // Whoever has been there is missed by the coordinator, which does without. But for one
            // that could never work it would wait.
            let isHopeless = Self.hopeless.contains(reason.exitCode)
            if started[end.index] && !isHopeless || options.minWorkers != nil {
                Console.shared.say("\(reason.text); the others continue")
            } else {
                throw CommandEnd(reason: reason)
            }
        }
    }

    /// Which processes have said that they are there.
    private final class Started: Sendable {
        private let indices = Mutex<Set<Int>>([])
        private let count: Int

        init(count: Int) { self.count = count }

        func note(_ index: Int, _ line: String) {
            guard line.contains(LaunchCommand.mark(index, of: count)) else { return }
            indices.withLock { _ = $0.insert(index) }
        }

        subscript(index: Int) -> Bool { indices.withLock { $0.contains(index) } }
    }

    private func failure(_ end: RemoteProcesses.Ended, hasStarted: Bool) -> StopReason {
        let host = shell.labels[end.index]
        switch (end.status, hasStarted) {
        case (RemoteShell.noConnection, false):
            return StopReason(
                .unavailable,
                "cannot reach \(host) with \(options.remote.ssh): see its message above, or leave the host out"
                    + " (--min-workers lets the others continue)")
        case (RemoteShell.noConnection, true):
            return StopReason(.lostPeer, "the connection to \(host) is lost")
        case (126, false), (127, false):
            return StopReason(
                .unavailable,
                "\(host) has no program to start: give its path there with --remote-path, or --copy it"
            )
        case (let status, _):
            return StopReason(
                ExitCode(rawValue: status) ?? .lostPeer,
                "\(host) has ended with code \(status): see its messages above")
        }
    }

    // MARK: Commands

    private func command(_ index: Int, _ program: String) -> [String] {
        let environment = ProcessInfo.processInfo.environment
        let settings = environment.filter {
            $0.key.hasPrefix("LOCKSTEP_") && $0.key != KeyOptions.variable
        }
        let port = options.port.map(String.init) ?? environment["MASTER_PORT"]
        let variables = [
            "RANK": "\(index)", "WORLD_SIZE": "\(shell.hosts.count)", "LOCAL_WORLD_SIZE": "1",
            "MASTER_ADDR": shell.hosts[0].name, "MASTER_PORT": port ?? "\(Rank.defaultPort)",
        ].merging(settings) { $1 }
        return shell.command(
            index, program,
            ["launch", "--follow-standard-input"]
                + (key == nil ? ["--insecure"] : ["--key", "-"])
                + RemoteShell.forwarded(
                    Array(CommandLine.arguments.dropFirst(2)), without: ["--port"]),
            environment: variables)
    }
}
