import ArgumentParser
import CLinux
import CrashPoints
import Foundation
import LockstepProtocol
import LockstepRuntime
import TrainingPlan
import ZeroMQ

/// `lockstep`: one subcommand a file.
@main
struct LockstepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockstep",
        abstract:
            "Distributed data-parallel training of MNIST over ZeroMQ, the same bits everywhere.",
        discussion: """
            A run's weights depend on its configuration, its seed and its data, and on nothing \
            else: not on the number of workers, threads or servers, nor on the CPU.

            Examples:
              lockstep compare --workers 2
              lockstep train --preset ce-softmax --workers 4 --epochs 3
              lockstep train --workers 0 --json

            In three terminals, or on three hosts:
              lockstep coordinator --workers 2 --epochs 2
              lockstep worker --coordinator tcp://127.0.0.1:29500
              lockstep worker --coordinator tcp://127.0.0.1:29500

            Settings come from flags, else from the environment (LOCKSTEP_BATCH_SIZE for \
            --batch-size), else from the file of --config, else from the defaults.

            Exit codes: 0 done (a diverged run is a result), 64 usage, 65 bad data, 69 no peer \
            within the time, port in use, or a limit of the system too low, 70 internal, 73 cannot write, 75 lost a peer, 77 \
            refused by key, 78 configuration, version or hash does not fit; 129, 130, 143 and 152 on \
            signals.

            Signals: SIGINT (Ctrl-C), SIGTERM and SIGHUP end a run in good order, with a \
            checkpoint and a record of its end, and so does SIGXCPU, the limit of CPU time; SIGINT \
            or SIGTERM once more ends it at once. SIGUSR1 and SIGUSR2 have a checkpoint written, \
            and training goes on. After nohup, SIGHUP does nothing.
            """,
        version: """
            lockstep \(lockstepVersion) (arithmetic \(arithmeticVersion), protocol \
            \(protocolVersion), libzmq \(libraryVersion))
            """,
        subcommands: [
            TrainCommand.self, CompareCommand.self, SweepCommand.self, CoordinatorCommand.self,
            ServerCommand.self, WorkerCommand.self, LaunchCommand.self, StatusCommand.self,
            ScaleCommand.self, KeysCommand.self, DoctorCommand.self,
            EvaluateCommand.self, ExportCommand.self, ReplayCommand.self, ReportCommand.self,
            StudyCommand.self, DataCommand.self, SimulateCommand.self, CompletionsCommand.self,
        ])

    private static var libraryVersion: String {
        let version = Library.version
        return "\(version.major).\(version.minor).\(version.patch)"
    }

    static func main() {
        StandardStreams.open()
        // A reader that goes away and a file that may not grow are no reasons to lose a run:
        // writing reports them.
        for end in [SIGPIPE, SIGXFSZ] { _ = signal(end, SIG_IGN) }
        Signals.ignoreRequestsForCheckpoints()
        do {
            try CommandLine.checkEncoding()
            try reserve()
            try CrashPoint.arm(environment: ProcessInfo.processInfo.environment)
            var command = try parseAsRoot()
            try command.run()
            try StandardStreams.flushOutput()
            Console.shared.finish()
        } catch {
            end(with: error)
        }
    }

    /// What every command needs of the system; the doctor lists it with what else is wrong.
    private static func reserve() throws {
        if CommandLine.arguments.dropFirst().first == DoctorCommand.configuration.commandName {
            return
        }
        try FileDescriptorLimit.reserve(fileCount)
        guard MemoryLimit.isLimited else { return }
        lockstep_use_one_heap()
        try MemoryLimit.reserve(MemoryLimit.baseByteCount)
    }

    /// Of data, records and pipes that are open at a time.
    private static let fileCount = 24

    private static func end(with error: any Error) -> Never {
        guard let reason = StopReason(error) else { show(error) }
        let command = reason.doctorCommand(arguments: CommandLine.arguments)
        end(with: reason, hint: command.map { "To look for the cause: \($0)" })
    }

    private static func end(with reason: StopReason, hint: String? = nil) -> Never {
        Console.shared.show(reason, hint: hint)
        Console.shared.finish()
        Foundation.exit(reason.exitCode.rawValue)
    }

    /// Help and the version, which were asked for, and what is wrong with a command line.
    private static func show(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        let text = fullMessage(for: error)
        if code == .success {
            print(text)
            do throws(CommandEnd) {
                try StandardStreams.flushOutput()
            } catch {
                end(with: error.reason)
            }
        } else {
            Console.shared.say(text)
        }
        Console.shared.finish()
        Foundation.exit(code.rawValue)
    }
}
