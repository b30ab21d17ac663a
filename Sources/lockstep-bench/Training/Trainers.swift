import Foundation
import LockstepProtocol
import ZeroMQ

/// What a training run of any side tells about itself.
struct TrainingResult: Decodable, Sendable {
    /// Of the fastest epoch, or of all where the program tells no more, or where its epochs are too
    /// short for a rate of their own.
    private(set) var examplesPerSecond: Double
    private let steps: Int?
    private let batchSize: Int?
    /// All epochs, where the program tells it.
    let seconds: Double?
    /// nil where the program does not tell it.
    let testAccuracy: Double?
    /// From the program's start to its end; set by who ran it.
    var wallSeconds = 0.0

    enum CodingKeys: String, CodingKey {
        case seconds, steps
        case batchSize = "batch_size"
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
        if examplesPerSecond == 0, let all = self.seconds, all > 0, let steps, let batchSize {
            examplesPerSecond = Double(steps * batchSize) / all
        }
        guard examplesPerSecond > 0 else {
            throw BenchError(
                .badData,
                "\(command.joined(separator: " ")) was too short to be measured: give more data")
        }
    }
}

/// `lockstep train`, the program beside this one.
struct LockstepTrainer {
    private let program: String
    private let data: BenchData
    private let folder: TemporaryFolder

    init(_ data: BenchData, _ folder: TemporaryFolder) throws {
        program = try Tools.lockstep()
        self.data = data
        self.folder = folder
    }

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        var command = [program, "train", "--workers", "\(shape.workers)", "--threads"]
        command += ["\(shape.threads)", "--data", try data.files(shape.input).folder]
        command += Self.arguments(shape, runFolder: folder.freshPath("run"))
        return try TrainingResult(
            of: command, environment: Self.environment(folder), folder: folder)
    }

    /// What is trained, the same for every command that trains.
    static func arguments(_ shape: TrainingShape, runFolder: String) -> [String] {
        var arguments = ["--preset", shape.configuration]
        if shape.layers != StepInput.seedLayers { arguments += ["--layers", shape.layersText] }
        if let microBatch = shape.microBatch { arguments += ["--micro-batch", "\(microBatch)"] }
        return arguments + [
            "--batch-size", "\(shape.batchSize)", "--epochs", "\(shape.epochs)", "--run-dir",
            runFolder, "--log-level", "warning", "--json",
        ]
    }

    /// Settings of the person's environment would change what is measured; the cache stays clean.
    static func environment(_ folder: TemporaryFolder) -> [String: String?] {
        var environment: [String: String?] = ["XDG_CACHE_HOME": folder.path]
        for key in ProcessInfo.processInfo.environment.keys
        where key.hasPrefix("LOCKSTEP_") && key != "LOCKSTEP_KERNELS" {
            environment.updateValue(nil, forKey: key)
        }
        return environment
    }
}

/// `torch_ddp.py`: PyTorch in one process, or DistributedDataParallel on gloo in several.
struct PyTorchTrainer {
    let command: [String]
    let data: BenchData
    let folder: TemporaryFolder

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        try TrainingResult(
            of: command + Self.arguments(shape),
            environment: [
                "MNIST_DIR": try data.files(shape.input).folder, "LAYERS": shape.layersText,
                "MASTER_PORT": "\(try freePort())",
            ], folder: folder)
    }

    static func arguments(_ shape: TrainingShape) -> [String] {
        [
            "\(shape.batchSize)", "\(shape.epochs)", shape.configuration,
            "\(max(1, shape.workers))", "\(shape.threads)",
        ]
    }
}

/// `jax_scan.py`: an epoch as one jitted scan, in one process, the seed's layers.
struct JAXTrainer {
    let command: [String]
    let data: BenchData
    let folder: TemporaryFolder

    /// Its first epoch compiles, so that one alone says nothing.
    private static let fewestEpochs = 2

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        try TrainingResult(
            of: command + [
                "\(shape.batchSize)", "\(max(Self.fewestEpochs, shape.epochs))",
                shape.configuration, "\(shape.threads)",
            ], environment: ["MNIST_DIR": try data.files(shape.input).folder], folder: folder)
    }
}

/// `keras_seed.py`: the seed's script.
struct KerasTrainer {
    let command: [String]
    let data: BenchData
    let folder: TemporaryFolder

    func run(_ shape: TrainingShape) throws -> TrainingResult {
        try TrainingResult(
            of: command + [
                shape.configuration, "\(shape.epochs)", "1", "\(shape.batchSize)",
            ], environment: ["MNIST_DIR": try data.files().folder], folder: folder)
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
