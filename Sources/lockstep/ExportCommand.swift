import ArgumentParser
import Formats
import Foundation
import Hashing
import LockstepRuntime
import RunRecords
import TrainingPlan

/// `lockstep export`
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write weights and records in the formats of other tools.",
        discussion: """
            Weights go to one file: safetensors; npz, which numpy.load reads; or onnx, the whole \
            network from pixels in 0…1 to outputs. Kernels are [inputs, outputs], as Keras has \
            them. Configuration, data set and hashes go with them.

            Runs go to a folder for TensorBoard, one events file a run: scalars by step and by \
            epoch, histograms of each checkpoint, and the HParams table, in which runs that differ \
            in their seed only are a group. A run that is exported again replaces its file.

            Examples:
              lockstep export runs/my-run --to onnx
              lockstep export runs/my-run/checkpoints/step-18750 --to npz --output weights.npz
              lockstep export runs/* --to tensorboard --output board
              tensorboard --logdir board
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case safetensors, npz, onnx, tensorboard
    }

    @Argument(
        help: ArgumentHelp(
            "A run's folder (its newest checkpoint), a checkpoint's folder or file; for tensorboard, "
                + "folders of runs.", valueName: "checkpoint"))
    var sources: [String]

    @Option(help: "safetensors, npz, onnx or tensorboard.")
    var to: Format

    @Option(
        help: ArgumentHelp(
            "A file, or for tensorboard a folder. Default: a file in this folder, named by "
                + "configuration, seed and step.", valueName: "path"))
    var output: String?

    func run() throws {
        switch to {
        case .safetensors, .npz, .onnx: try exportNetwork()
        case .tensorboard: try exportRuns()
        }
    }

    // MARK: Weights

    private func exportNetwork() throws {
        guard let source = sources.first, sources.count == 1 else {
            throw UsageError(
                "--to \(to.rawValue)",
                "a file holds one checkpoint, and these are \(sources.count)",
                "export one after the other")
        }
        let saved = try SavedNetwork(reading: source)
        let path = output ?? Self.fileName(for: saved, to)
        guard !Self.isSameFile(path, saved.path) else {
            throw UsageError(
                "--output \(path)", "this is the checkpoint itself", "give another file")
        }
        switch to {
        case .safetensors: try saved.file.write(to: path)
        case .npz:
            try NPZ(metadata: saved.file.metadata, tensors: saved.file.tensors).write(to: path)
        case .onnx: try saved.onnx.write(to: path)
        case .tensorboard: preconditionFailure("a run is no network")
        }
        print("\(path): \(saved.summary)")
    }

    private static func fileName(for saved: SavedNetwork, _ format: Format) -> String {
        let configuration = saved.configuration
        let step = saved.file.metadata["step"].flatMap(Int.init).map { "-step\($0)" } ?? ""
        return "\(configuration.name)-seed\(configuration.seed)\(step).\(format.rawValue)"
    }

    /// Whether two names lead to one file, whatever links are on the way.
    private static func isSameFile(_ first: String, _ second: String) -> Bool {
        var (status, other) = (stat(), stat())
        guard unsafe stat(first, &status) == 0, unsafe stat(second, &other) == 0 else {
            return false
        }
        return status.st_dev == other.st_dev && status.st_ino == other.st_ino
    }

    // MARK: Runs

    private func exportRuns() throws {
        guard let output else {
            throw UsageError(
                "--to tensorboard", "the folder to write to is missing", "give --output, too")
        }
        let names = try Self.names(of: sources)
        // All are read before the first is written.
        let runs = try sources.map { try Self.run(at: $0) }
        for (name, run) in zip(names, runs) {
            try run.write(toFolder: "\(output)/\(name)")
            print("\(output)/\(name)/\(TensorBoardRun.fileName)")
        }
    }

    private static func run(at path: String) throws -> TensorBoardRun {
        let directory = RunDirectory(path: path)
        let log = try MetricsFile(reading: directory.metricsPath)
        guard let outcome = RunOutcome(log) else {
            throw MetricsError(
                path: directory.metricsPath, line: 1, reason: "is missing or was cut off")
        }
        if log.cutOffByteCount > 0 {
            Console.shared.say(
                "\(directory.metricsPath): the last line was cut off and is left out")
        }
        let checkpoints = try directory.checkpoints.map { step, path in
            let file = try Safetensors(reading: path)
            let hash = file.metadata["configuration_sha256"]
            guard hash == outcome.provenance.configurationSHA256 else {
                throw MismatchError(
                    description: "\(path): it belongs to configuration \(hash ?? "(unknown)"), and "
                        + "the run's is \(outcome.provenance.configurationSHA256); remove it, or "
                        + "put the run's own there")
            }
            return TensorBoardRun.Checkpoint(step: step, tensors: file.tensors)
        }
        let group = try group(of: outcome, path: directory.metricsPath)
        guard let run = TensorBoardRun(log, checkpoints: checkpoints, group: group) else {
            preconditionFailure("a log with an outcome has a run")
        }
        return run
    }

    /// Names the configuration without its seed: the preset and the start of a hash over the rest.
    private static func group(of outcome: RunOutcome, path: String) throws -> String {
        let configuration = try SavedNetwork.configuration(of: outcome.run.settings, path: path)
        let lines = configuration.canonicalText(datasetSHA256: outcome.provenance.datasetSHA256)
            .split(separator: "\n").filter { !$0.hasPrefix("seed=") }.joined(separator: "\n")
        return "\(configuration.name)-\("\(SHA256.hash(Array(lines.utf8)))".prefix(12))"
    }

    /// What the runs are called in TensorBoard: as much of the ends of their paths as tells them
    /// apart.
    ///
    /// - Throws: ``UsageError`` for a folder that is there twice.
    private static func names(of paths: [String]) throws(UsageError) -> [String] {
        let parts = paths.map { path in
            URL(fileURLWithPath: path).standardizedFileURL.pathComponents.filter { $0 != "/" }
        }
        for (index, path) in paths.enumerated() where parts[..<index].contains(parts[index]) {
            throw UsageError(path, "this run is there twice", "give it once")
        }
        var length = 1
        while Set(parts.map { $0.suffix(length) }).count < parts.count { length += 1 }
        return parts.map { $0.suffix(length).joined(separator: "/") }
    }
}

extension SavedNetwork {
    /// For a person, in one line.
    fileprivate var summary: String {
        let dataset = trainedOn.map { " trained on \($0)" } ?? ""
        let hash = file.metadata["dataset_sha256"].map { " (SHA-256 \($0.prefix(12)))" } ?? ""
        return "\(configuration.name), seed \(configuration.seed),\(dataset)\(hash), weights "
            + weights.sha256.prefix(12)
    }

    fileprivate var onnx: ONNX {
        let architecture = configuration.architecture
        let count = configuration.layout.layers.count
        return ONNX(
            summary: "Lockstep: \(summary)", producerVersion: lockstepVersion,
            metadata: file.metadata,
            layers: (0..<count).map { index in
                ONNX.Layer(
                    kernel: file.tensors[2 * index], bias: file.tensors[2 * index + 1],
                    activation: ONNX.Activation(
                        index == count - 1 ? architecture.output : architecture.hidden))
            })
    }
}

extension ONNX.Activation {
    /// Nil for the identity, which needs no operator.
    fileprivate init?(_ activation: Activation) {
        switch activation {
        case .tanh: self = .tanh
        case .relu: self = .relu
        case .sigmoid: self = .sigmoid
        case .softmax: self = .softmax
        case .identity: return nil
        }
    }
}
