import Foundation
import Hashing
import LockstepProtocol
import LockstepRuntime
import Synchronization

/// A cluster whose processes are started over ssh, from its first host to its end.
struct RemoteLaunch {
    private let hosts: [RemoteHost]
    private let options: LaunchCommand
    private let key: ClusterKey?

    /// After its end is asked for, a run has so long to write a checkpoint.
    private static let graceMilliseconds = 10_000
    /// What ssh ends with where there is no connection.
    private static let noConnection: Int32 = 255

    init(hosts: [RemoteHost], options: LaunchCommand, key: ClusterKey?) {
        self.hosts = hosts
        self.options = options
        self.key = key
    }

    func run() throws {
        let interruption = Interruption()
        // A host that is gone is no reason to end without a word.
        _ = signal(SIGPIPE, SIG_IGN)
        Signals.forward(to: interruption)
        let program = try options.copy ? copyProgram() : options.remotePath ?? executablePath
        let started = Started(count: hosts.count)
        let labels = labels
        let processes = RemoteProcesses { index, line in
            started.note(index, line)
            Console.shared.say("\(labels[index]): \(line)")
        }
        defer { processes.end(patienceMilliseconds: Self.graceMilliseconds) }
        for index in hosts.indices {
            try processes.start(
                ssh(hosts[index], command(index, program)), input: key?.bytes ?? [],
                output: index == 0 ? .standardOutput : .standardError)
        }
        var askedAt: Date?
        while true {
            if let reason = interruption.reason, askedAt == nil {
                askedAt = Date()
                processes.send(reason.exitCode == .interrupted ? SIGINT : SIGTERM)
            }
            if let askedAt, -askedAt.timeIntervalSinceNow * 1_000 > Double(Self.graceMilliseconds) {
                throw CommandEnd(
                    reason: interruption.reason ?? StopReason(.internalError, "no reason"))
            }
            guard let end = processes.next(withinMilliseconds: 50) else { continue }
            if end.index == 0 {
                if end.status == 0 { return }
                throw CommandEnd(reason: failure(end, hasStarted: started[0]))
            }
            guard end.status != 0, interruption.reason == nil else { continue }
            let reason = failure(end, hasStarted: started[end.index])
            // Whoever has been there is missed by the coordinator, which does without.
            if started[end.index] || options.minWorkers != nil {
                Console.shared.say("\(reason.text); the others go on")
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
        let host = labels[end.index]
        switch (end.status, hasStarted) {
        case (Self.noConnection, false):
            return StopReason(
                .unavailable,
                "\(host) is not reached by \(options.ssh): see its message above, or leave the host out"
                    + " (--min-workers lets the others go on)")
        case (Self.noConnection, true):
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

    /// A name for each host that no other has.
    private var labels: [String] {
        hosts.map { host in
            let isAlone = hosts.count { $0.name == host.name } == 1
            return isAlone ? host.name : host.sshArguments.joined(separator: " ")
        }
    }

    // MARK: Commands

    private func ssh(_ host: RemoteHost, _ command: String) -> [String] {
        var words = options.ssh.split(separator: " ").map(String.init)
        if words.first?.split(separator: "/").last == "ssh" {
            // Without a terminal there; a host that is gone is noticed.
            words += ["-T", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        }
        return words + host.sshArguments + [command]
    }

    private func command(_ index: Int, _ program: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        let settings = environment.filter {
            $0.key.hasPrefix("LOCKSTEP_") && $0.key != KeyOptions.variable
        }
        let port = options.port.map(String.init) ?? environment["MASTER_PORT"]
        let variables =
            [
                "RANK": "\(index)", "WORLD_SIZE": "\(hosts.count)", "LOCAL_WORLD_SIZE": "1",
                "MASTER_ADDR": options.advertise ?? hosts[0].name,
                "MASTER_PORT": port ?? "\(Rank.defaultPort)",
            ].merging(settings) { $1 }
        let words =
            ["env"] + variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } + [
                program, "launch", "--follow-standard-input",
            ] + (key == nil ? ["--insecure"] : ["--key", "-"])
            + Self.forwarded(Array(CommandLine.arguments.dropFirst(2)))
        let folder = FileManager.default.currentDirectoryPath
        return "cd \(Self.quoted(folder)) 2>/dev/null; exec "
            + words.map(Self.quoted).joined(separator: " ")
    }

    /// The arguments that are for the processes, and not for whoever starts them.
    static func forwarded(_ arguments: [String]) -> [String] {
        let withValue: Set = [
            "--hosts", "--hostfile", "--ssh", "--remote-path", "--key", "--advertise", "--port",
        ]
        let alone: Set = ["--copy", "--insecure"]
        var result: [String] = []
        var isValue = false
        for argument in arguments {
            if isValue {
                isValue = false
            } else if withValue.contains(argument) {
                isValue = true
            } else if !alone.contains(argument),
                !withValue.contains(String(argument.prefix { $0 != "=" }))
            {
                result.append(argument)
            }
        }
        return result
    }

    /// For a shell.
    static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: ","),
                UInt8(ascii: ":"), UInt8(ascii: "$"):
                // Only the path of a program begins with a variable.
                true
            default: false
            }
        }
        let isSafe = isPlain && (!word.contains("$") || word.hasPrefix("$HOME/.cache/lockstep/"))
        return isSafe && !word.isEmpty
            ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }

    /// Copies this program to every host, under a name that tells its contents.
    ///
    /// - Returns: where it is there.
    private func copyProgram() throws -> String {
        let program = URL(fileURLWithPath: executablePath)
        let hash = "\(SHA256.hash(try Data(contentsOf: program)))".prefix(16)
        let path = "$HOME/.cache/lockstep/bin/lockstep-\(hash)"
        let script = """
            test -x \(path) && exec cat >/dev/null; umask 077; mkdir -p $HOME/.cache/lockstep/bin && \
            cat >\(path).$$ && chmod 700 \(path).$$ && mv \(path).$$ \(path)
            """
        for (index, host) in hosts.enumerated() {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ssh(host, script)
            process.standardInput = try FileHandle(forReadingFrom: program)
            process.standardOutput = FileHandle.standardError
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus != 0 else { continue }
            let text = "the program cannot be copied to \(labels[index])"
            guard options.minWorkers != nil, index > 0 else {
                throw CommandEnd(
                    reason: StopReason(.unavailable, "\(text): see the message above"))
            }
            Console.shared.say("\(text); the others go on")
        }
        return path
    }
}
