import ArgumentParser
import CrashPoints
import Datasets
import Experiments
import Formats
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import Report
import RunRecords
import TrainingPlan
import ZeroMQ

/// A setting that cannot be used as it was given: where it was given, why not, and what to do.
struct UsageError: Error, CustomStringConvertible {
    let description: String

    init(_ place: String, _ reason: String, _ remedy: String) {
        description = "\(place): \(reason); \(remedy)"
    }
}

/// Ends a command with the exit code of its role or run, after its results were shown.
struct CommandEnd: Error {
    let reason: StopReason
}

extension StopReason {
    /// The exit code of an error and the sentence for the person who meets it; nil for those of
    /// ArgumentParser, which knows how to show them (help and version among them).
    init?(_ error: any Error) {
        switch error {
        case let error as CommandEnd: self = error.reason
        case let error as RoleError: self = error.reason
        case is UsageError, is CrashPointError, is ConfigurationError, is KernelVariantError,
            is EndpointError,
            is ShardPlan.PlanError, is SweepGridError, is SweepError:
            self.init(.usage, "\(error)")
        case is DatasetError, is MetricsError, is ReferenceError, is SafetensorsError,
            is NoRunsError:
            self.init(.badData, "\(error)")
        case is DownloadError, is FileDescriptorLimitError, is SystemLimitError, is UnresolvedHost:
            self.init(.unavailable, "\(error)")
        case let error as FileError:
            switch error.operation {
            case .read: self.init(.badData, "\(error)")
            case .write: self.init(.cannotWrite, "\(error)")
            }
        case is FolderInUse: self.init(.lostPeer, "\(error)")
        case is CacheError: self.init(.cannotWrite, "\(error)")
        case is RunDirectoryError, is MismatchError, is MixedDatasets:
            self.init(.mismatch, "\(error)")
        default:
            guard LockstepCommand.exitCode(for: error) == .failure else { return nil }
            self.init(.internalError, "\(error)")
        }
    }
}

extension StopReason {
    /// The command that looks for the cause, where the doctor may find it.
    ///
    /// - Parameter arguments: of this process.
    func doctorCommand(arguments: [String]) -> String? {
        let roles: Set = [
            "train", "compare", "sweep", "study", "coordinator", "worker", "server", "launch",
            "status", "scale",
        ]
        guard let role = arguments.dropFirst().first, roles.contains(role),
            !arguments.contains("--exit-with-standard-input"),
            !arguments.contains("--follow-standard-input")
        else { return nil }
        let isMember = ["worker", "server", "status", "scale"].contains(role)
        let isLaunch =
            role == "launch"
            && arguments.contains { $0.hasPrefix("--hosts") || $0.hasPrefix("--hostfile") }
        let passed =
            ["--coordinator", "--key", "--run-dir", "--data"]
            + (isLaunch ? ["--hosts", "--hostfile", "--ssh", "--remote-path", "--port"] : [])
            + (isMember ? [] : ["--bind"])
        switch exitCode {
        case .cannotWrite where text.hasPrefix(StandardStreams.output): return nil
        case .unavailable, .refusedByKey, .cannotWrite: break
        case .mismatch where isMember: break
        default: return nil
        }
        var words = ["lockstep", "doctor"]
        for (index, argument) in arguments.enumerated() {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            if argument == "--insecure" || isLaunch && argument == "--copy" {
                words.append(argument)
            } else if let name = parts.first, passed.contains(name) {
                let next = index + 1 < arguments.count ? arguments[index + 1] : ""
                let value = parts.count > 1 ? parts[1] : next
                // What came through a pipe has gone.
                if value != "-" { words += [name, RemoteShell.quoted(value)] }
            }
        }
        if isMember, !words.contains("--coordinator") {
            words += ["--coordinator", "tcp://127.0.0.1:29500"]
        }
        return words.joined(separator: " ")
    }
}

/// Things that do not belong together: which, and what to do.
struct MismatchError: Error, CustomStringConvertible {
    let description: String
}
