import ArgumentParser
import Formats
import Foundation
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
            in their seed only are a group. Folders that hold runs, at any depth, are taken with all of \
            them. A run that is exported again adds to its file what is new, and a TensorBoard that \
            has it open shows that.

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
                + "folders of runs, or with runs below them.", valueName: "checkpoint"))
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
        case .tensorboard: try exportRuns(sources, to: output)
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
        case .tensorboard: preconditionFailure("a run is not a network")
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
