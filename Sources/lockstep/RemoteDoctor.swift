import Foundation
import LockstepProtocol
import LockstepRuntime
import Synchronization
import TrainingPlan

/// Has every host of a cluster look at itself, and at the way to the first.
struct RemoteDoctor {
    private let shell: RemoteShell
    private let options: DoctorCommand
    private let configuration: RunConfiguration
    private let key: ClusterKey?

    private static let defaultPort: UInt16 = 29_500
    /// Until a host has said what it has found.
    private static let hostMilliseconds = 12_000
    private static let graceMilliseconds = 2_000

    init(_ shell: RemoteShell, options: DoctorCommand, _ configuration: RunConfiguration) throws {
        self.shell = shell
        self.options = options
        self.configuration = configuration
        // As launch does, which hands it to all of them.
        key = try options.keyOptions.clusterKey() ?? (options.keyOptions.insecure ? nil : .make())
    }

    func run() throws {
        _ = signal(SIGPIPE, SIG_IGN)
        let interruption = Interruption()
        Signals.forward(to: interruption)
        let program = try shell.programPath(
            withinMilliseconds: 10 * Self.hostMilliseconds, interruption)
        let port = options.port ?? Self.defaultPort
        // The first answers the others as a coordinator would.
        let first = try look(
            0, program, ["--answer", "--bind", "tcp://*:\(port)"], staysOpen: true)
        defer { first.end() }
        let host0 = first.answer(withinMilliseconds: Self.hostMilliseconds)
        let name = shell.hosts[0].name
        let coordinator = "tcp://\(name.contains(":") ? "[\(name)]" : name):\(port)"
        let others = try (1..<shell.hosts.count).map {
            try look($0, program, ["--coordinator", coordinator], staysOpen: false)
        }
        defer { for other in others { other.end() } }
        let answers = [host0] + others.map { $0.answer(withinMilliseconds: Self.hostMilliseconds) }
        let hosts = zip(shell.labels, answers).map { label, answer in
            answer.map {
                Diagnosis.Host(name: label, checks: $0.checks, speed: $0.speed, link: $0.link)
            } ?? unreachable(label)
        }
        let speeds = hosts.compactMap(\.speed)
        let links = hosts.dropFirst().compactMap(\.link)
        let forecast =
            speeds.count == hosts.count && links.count == hosts.count - 1
                && links.allSatisfy { $0.bytesPerSecond != nil }
            ? Forecast.hosts(
                configuration, speeds, links: links,
                // They have measured at the same time.
                bytesPerSecond: links.compactMap(\.bytesPerSecond).reduce(0, +)
            ) { $0 == 1 ? "the first host" : "the first \($0) hosts" } : []
        try options.show(Diagnosis(hosts, forecast))
    }

    private func unreachable(_ label: String) -> Diagnosis.Host {
        Diagnosis.Host(
            name: label,
            checks: [
                .red(
                    "ssh", "no answer from \(label) over \(options.remote.ssh)",
                    "is the host up, is there a login without a password, and is "
                        + "the program there (--remote-path, --copy)?")
            ], speed: nil, link: nil)
    }

    private func look(
        _ index: Int, _ program: String, _ arguments: [String], staysOpen: Bool
    ) throws -> Look {
        let environment = ProcessInfo.processInfo.environment.filter {
            $0.key.hasPrefix("LOCKSTEP_") && $0.key != KeyOptions.variable
        }
        let command = shell.command(
            index, program,
            ["doctor", "--json", "--host-count", "\(shell.hosts.count)"] + arguments
                + (key == nil ? ["--insecure"] : ["--key", "-"])
                + RemoteShell.forwarded(
                    Array(CommandLine.arguments.dropFirst(2)), without: ["--port", "--bind"],
                    ["--json"]),
            environment: environment)
        return try Look(command, input: key?.bytes ?? [], label: shell.labels[index], staysOpen)
    }

    /// One host's look at itself.
    private final class Look: Sendable {
        private let process: SpawnedProcess
        private let input = SpawnedProcess.makePipe()
        private let line = Mutex<Diagnosis.Host?>(nil)
        private let isDone = DispatchSemaphore(value: 0)

        init(_ command: [String], input bytes: [UInt8], label: String, _ staysOpen: Bool) throws {
            let (output, errors) = (SpawnedProcess.makePipe(), SpawnedProcess.makePipe())
            process = try SpawnedProcess(
                command, input: input.fileHandleForReading, output: output.fileHandleForWriting,
                error: errors.fileHandleForWriting)
            for end in [
                input.fileHandleForReading, output.fileHandleForWriting,
                errors.fileHandleForWriting,
            ] { try? end.close() }
            try? input.fileHandleForWriting.write(contentsOf: bytes)
            if !staysOpen { try? input.fileHandleForWriting.close() }
            Thread.detachNewThread { [self] in
                LineReader.read(output.fileHandleForReading) { text in
                    guard let host = Diagnosis(json: text)?.hosts.first else { return }
                    line.withLock { $0 = host }
                    isDone.signal()
                }
                isDone.signal()
            }
            Thread.detachNewThread {
                LineReader.read(errors.fileHandleForReading) {
                    Console.shared.say("\(label): \($0)")
                }
            }
        }

        func answer(withinMilliseconds milliseconds: Int) -> Diagnosis.Host? {
            _ = isDone.wait(timeout: .now() + .milliseconds(milliseconds))
            return line.withLock(\.self)
        }

        func end() {
            try? input.fileHandleForWriting.close()
            if !process.waits(milliseconds: graceMilliseconds) { process.terminate() }
        }
    }
}
