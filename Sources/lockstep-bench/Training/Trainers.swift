import Foundation
import LockstepProtocol
import ZeroMQ

/// What a training run of any side tells about itself.
struct TrainingResult: Decodable, Sendable {
    /// Of the fastest epoch, or of all where the program tells no more.
    let examplesPerSecond: Double
    /// All epochs, where the program tells it.
    let seconds: Double?
    let testAccuracy: Double
    /// From the program's start to its end; set by who ran it.
    var wallSeconds = 0.0

    enum CodingKeys: String, CodingKey {
        case seconds
        case examplesPerSecond = "examples_per_second"
        case testAccuracy = "test_accuracy"
    }

    /// Runs a program whose last line is the result.
    init(
        of command: [String], environment: [String: String?], folder: TemporaryFolder,
        seconds: Double = 600
    ) throws {
        let start = secondsNow()
        let child = try Child(command, environment: environment, folder: folder)
        let output = try child.waitForOutput(seconds: seconds)
        let wallSeconds = secondsNow() - start
        let line = output.split(separator: "\n").last { $0.hasPrefix("{") } ?? ""
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(line.utf8))
        } catch {
            throw BenchError(
                .internalError, "\(command.joined(separator: " ")) printed no result: \(line)")
        }
        self.wallSeconds = wallSeconds
    }
}

/// A run's shape, the same for both sides.
struct TrainingShape: Hashable, Sendable {
    var configuration: String
    /// 0 workers: in one process, without a socket.
    var workers: Int
    var threads: Int
    var batchSize: Int
    var epochs: Int
}

/// `lockstep train`, the program beside this one.
struct LockstepTrainer {
    private let program: String
    private let data: String
    private let folder: TemporaryFolder

    init(data: String, _ folder: TemporaryFolder) throws {
        program = try Tools.lockstep()
        self.data = data
        self.folder = folder
    }

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        // Settings of the person's environment would change what is measured; the cache stays
        // clean.
        var environment: [String: String?] = ["XDG_CACHE_HOME": folder.path]
        for key in ProcessInfo.processInfo.environment.keys
        where key.hasPrefix("LOCKSTEP_") && key != "LOCKSTEP_KERNELS" {
            environment.updateValue(nil, forKey: key)
        }
        let result = try TrainingResult(
            of: [
                program, "train", "--configuration", shape.configuration, "--workers",
                "\(shape.workers)", "--threads", "\(shape.threads)", "--batch-size",
                "\(shape.batchSize)", "--epochs", "\(shape.epochs)", "--data", data, "--run-dir",
                folder.freshPath("run"), "--log-level", "warning", "--json",
            ], environment: environment, folder: folder)
        return result
    }
}

/// `torch_ddp.py`: PyTorch in one process, or DistributedDataParallel on gloo in several.
struct PyTorchTrainer {
    let command: [String]
    let data: String
    let folder: TemporaryFolder

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        try TrainingResult(
            of: command + [
                "\(shape.batchSize)", "\(shape.epochs)", shape.configuration,
                "\(max(1, shape.workers))", "\(shape.threads)",
            ], environment: ["MNIST_DIR": data, "MASTER_PORT": "\(try freePort())"],
            folder: folder)
    }
}

/// `keras_seed.py`: the seed's script.
struct KerasTrainer {
    let command: [String]
    let data: String
    let folder: TemporaryFolder

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        try TrainingResult(
            of: command + [
                shape.configuration, "\(shape.epochs)", "1", "\(shape.batchSize)",
            ], environment: ["MNIST_DIR": data], folder: folder)
    }
}

/// A port of loopback that nobody has at the moment.
func freePort() throws -> UInt16 {
    do {
        let context = try Context()
        let socket = try Socket(.dealer, in: context)
        if let port = try socket.bind(to: Endpoint("tcp://127.0.0.1:*")).port { return port }
    } catch {
        throw BenchError(.unavailable, "there is no free port on 127.0.0.1: \(error)")
    }
    throw BenchError(.unavailable, "there is no free port on 127.0.0.1")
}
