import ArgumentParser
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
              lockstep train --configuration ce-softmax --workers 4 --epochs 3
              lockstep train --workers 0 --json

            In three terminals, or on three hosts:
              lockstep coordinator --workers 2 --epochs 2
              lockstep worker --coordinator tcp://127.0.0.1:29500
              lockstep worker --coordinator tcp://127.0.0.1:29500

            Settings come from flags, else from the environment (LOCKSTEP_BATCH_SIZE for \
            --batch-size), else from the file of --config, else from the defaults.

            Exit codes: 0 done (a diverged run is a result), 64 usage, 65 bad data, 69 no peer \
            within the time or port in use, 70 internal, 73 cannot write, 75 lost a peer, 77 \
            refused by key, 78 configuration, version or hash does not fit, 130 and 143 on signals.
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
            StudyCommand.self, DataCommand.self, SimulateCommand.self,
        ])

    private static var libraryVersion: String {
        let version = Library.version
        return "\(version.major).\(version.minor).\(version.patch)"
    }

    static func main() {
        // A reader that goes away is no reason to lose a run; writing reports it.
        _ = signal(SIGPIPE, SIG_IGN)
        do {
            try CrashPoint.arm(environment: ProcessInfo.processInfo.environment)
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard let reason = StopReason(error) else { exit(withError: error) }
            Console.shared.show(reason)
            if let command = reason.doctorCommand(arguments: CommandLine.arguments) {
                Console.shared.say("To look for the cause: \(command)")
            }
            Foundation.exit(reason.exitCode.rawValue)
        }
    }
}
