import Datasets
import Formats
import Foundation
import NeuralNetwork
import RunRecords
import TestSupport
import Testing
import TrainingPlan

/// The program, as a person runs it.
enum Lockstep {
    @discardableResult
    static func run(_ arguments: [String], seconds: Double = 60) throws -> ToolRun {
        try ToolRun(
            ToolRun.buildDirectory.appendingPathComponent("lockstep"), arguments, seconds: seconds)
    }
}

/// A network of each activation, and of more and fewer layers than the seed's.
enum Networks {
    static let all: [[String]] = [
        ["--preset", "mse-tanh"],
        ["--preset", "ce-softmax"],
        [
            "--layers", "784,40,24,10", "--hidden-activation", "sigmoid",
            "--output-activation", "sigmoid", "--loss",
            "cross-entropy", "--learning-rate", "0.01",
        ],
        ["--layers", "784,10", "--output-activation", "identity", "--loss", "mse"],
    ]
}

/// A folder of its own with a run, trained on a few digits by the program, and with the whole test
/// set, as IDX files.
struct TrainedRun {
    let folder: String
    var run: String { folder + "/run" }

    /// MNIST where it is there (`LOCKSTEP_DATA`, or `../shared/mnist` beside the package), else
    /// generated digits.
    private static let dataset: Dataset = {
        let beside = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("shared/mnist").path
        let folders = [ProcessInfo.processInfo.environment["LOCKSTEP_DATA"], beside]
        return folders.lazy.compactMap(\.self)
            .compactMap { try? DatasetFolder(path: $0).load() }.first
            ?? SyntheticDigits(trainCount: trainCount).dataset()
    }()

    /// Enough for outputs that are neither those of the start nor all alike.
    private static let trainCount = 6_000

    /// Trains, and removes the folder when the body ends.
    ///
    /// - Parameter settings: flags of `lockstep train`.
    static func with(
        _ settings: [String], _ body: (TrainedRun) throws -> Void
    ) throws {
        let run = TrainedRun(
            folder: NSTemporaryDirectory() + "lockstep-consumer-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: run.folder) }
        try FileManager.default.createDirectory(
            atPath: run.folder, withIntermediateDirectories: true)
        try run.writeData()
        try run.train(settings, to: run.run)
        try body(run)
    }

    private func writeData() throws {
        let (train, test) = (Self.dataset.train, Self.dataset.test)
        let count = min(train.count, Self.trainCount)
        try write(train.pixels.prefix(count * 784), dimensions: [count, 28, 28], .trainImages)
        try write(train.labels.prefix(count), dimensions: [count], .trainLabels)
        try write(test.pixels, dimensions: [test.count, 28, 28], .testImages)
        try write(test.labels, dimensions: [test.count], .testLabels)
    }

    /// Trains on the folder's digits.
    func train(_ settings: [String], to directory: String) throws {
        let training = try Lockstep.run(
            ["train", "--workers", "0", "--data", folder, "--epochs", "2", "--run-dir", directory]
                + settings)
        try #require(training.status == 0, "\(training.output)")
    }

    private func write(
        _ values: ArraySlice<UInt8>, dimensions: [Int], _ part: DatasetPart
    ) throws {
        var bytes: [UInt8] = [0, 0, 8, UInt8(dimensions.count)]
        for dimension in dimensions {
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: dimension >> $0) }
        }
        try Data(bytes + values).write(to: URL(fileURLWithPath: "\(folder)/\(part.fileName)"))
    }

    /// Exports the newest checkpoint to `model.FORMAT` in the folder.
    func export(_ format: String) throws {
        let export = try Lockstep.run(
            ["export", run, "--to", format, "--output", "\(folder)/model.\(format)"])
        try #require(export.status == 0, "\(export.output)")
    }

    /// The file of the newest checkpoint.
    func checkpoint() throws -> String {
        try #require(RunDirectory(path: run).checkpoints.last).path
    }

    /// Leaves our own outputs on the test set in `outputs.f32`, and the number of right decisions
    /// in `correct`.
    func writeOutputs() throws {
        let file = try Safetensors(reading: checkpoint())
        let metadata = file.metadata
        let layers = try #require(metadata["layers"]).split(separator: ",").compactMap { Int($0) }
        let architecture = NetworkArchitecture(
            layers: layers,
            hidden: try #require(Activation(rawValue: metadata["hidden_activation", default: ""])),
            output: try #require(Activation(rawValue: metadata["output_activation", default: ""])),
            loss: try #require(Loss(rawValue: metadata["loss", default: ""])))
        let test = Self.dataset.test
        var outputs: [Float] = []
        let kernels = KernelSet(
            try KernelVariant.selected(environment: ProcessInfo.processInfo.environment))
        let evaluation = Evaluator(
            architecture, kernels: kernels,
            examples: SparseExamples(pixels: test.pixels, labels: test.labels, width: 784)
        ).evaluate(FloatBuffer(file.tensors.flatMap(\.values))) { outputs += $0 }
        try #require(outputs.count == test.count * 10)
        let bytes = outputs.flatMap { value in
            [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value.bitPattern >> $0) }
        }
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/outputs.f32"))
        try Data("\(evaluation.correct)".utf8).write(
            to: URL(fileURLWithPath: folder + "/correct"))
    }
}
