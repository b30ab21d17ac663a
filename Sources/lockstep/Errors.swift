import ArgumentParser
import Convergence
import CrashPoints
import Datasets
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
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
        case is DownloadError, is FileDescriptorLimitError, is UnresolvedHost:
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

/// Things that do not belong together: which, and what to do.
struct MismatchError: Error, CustomStringConvertible {
    let description: String
}
