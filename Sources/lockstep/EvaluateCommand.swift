import ArgumentParser
import Convergence
import Datasets
import Foundation
import Hashing
import LockstepProtocol
import LockstepRuntime
import Logging
import NeuralNetwork

/// `lockstep evaluate`
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Accuracy, loss and confusion matrix of saved weights on the test set.",
        discussion: """
            Examples:
              lockstep evaluate runs/my-run/checkpoints/step-18750
              lockstep evaluate model.safetensors --data synthetic
            """)

    @Argument(
        help: ArgumentHelp(
            "A checkpoint's folder, or a .safetensors file.", valueName: "checkpoint"))
    var checkpoint: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files.", valueName: "dir|mnist|synthetic"))
    var data: String?

    @Option(
        help: ArgumentHelp("As of the other commands.", valueName: "level"),
        transform: logLevel(named:))
    var logLevel: Logger.Level = .notice

    func run() throws {
        let logger = ConsoleLogHandler.bootstrap(logLevel)
        let kernels = try KernelVariant.selected(
            environment: ProcessInfo.processInfo.environment)
        let saved = try SavedNetwork(reading: checkpoint)
        let dataset = try Dataset.find(data, logger)
        let test = dataset.test
        let evaluation = Evaluator(
            saved.configuration.architecture, kernels: KernelSet(kernels),
            examples: SparseExamples(
                pixels: test.pixels, labels: test.labels, width: LabelledImages.pixelCount)
        ).evaluate(saved.weights)
        report(saved, dataset, evaluation)
    }

    private func report(_ saved: SavedNetwork, _ dataset: Dataset, _ evaluation: Evaluation) {
        let trainedOn = saved.trainedOn.map { "trained on \($0)" } ?? "trained on unknown data"
        let isMNIST = dataset.name == MNIST.name
        printAligned([
            ["checkpoint", saved.path],
            [
                "configuration",
                "\(saved.configuration.name), seed \(saved.configuration.seed), \(trainedOn)",
            ],
            ["weights", "SHA-256 \(saved.weights.sha256)"],
            [
                "test set",
                "\(dataset.name) (SHA-256 \("\(dataset.sha256)".prefix(12)))"
                    + (isMNIST ? "" : ": this is not MNIST"),
            ],
            ["accuracy", String(format: "%.2f %%", evaluation.accuracy * 100)],
            [
                "loss",
                evaluation.loss.isFinite ? String(format: "%.5f", evaluation.loss) : "infinite",
            ],
        ])
        var matrix = ConfusionMatrix()
        for (actual, row) in evaluation.confusion.enumerated() {
            for (decided, count) in row.enumerated() {
                matrix.add(actual: actual, decided: decided, count: count)
            }
        }
        print("", matrix.text(.of(STDOUT_FILENO)), separator: "\n")
    }
}

/// A checkpoint's weights with the configuration that they belong to.
struct SavedNetwork {
    let path: String
    let configuration: RunConfiguration
    let weights: FloatBuffer
    /// The name of the data set.
    let trainedOn: String?

    /// - Parameter path: of a safetensors file, or of a folder with one.
    /// - Throws: ``FileError`` and ``SafetensorsError`` for what is no such file,
    ///   ``MismatchError`` where its tensors are not those of its configuration.
    init(reading path: String) throws {
        let path = try Self.file(at: path)
        let file = try Safetensors(reading: path)
        self.path = path
        trainedOn = file.metadata["dataset"]
        configuration = try Self.configuration(of: file, path: path)
        let values = try Self.values(of: file, configuration.layout, path: path)
        weights = FloatBuffer(values)
        if let expected = file.metadata["weights_sha256"], expected != weights.sha256 {
            throw SafetensorsError(
                path: path, tensor: nil, byte: 0,
                reason: "the weights' SHA-256 is \(weights.sha256), and the file says \(expected)")
        }
    }

    private static func file(at path: String) throws(FileError) -> String {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard unsafe manager.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileError(operation: .read, path: path, code: ENOENT)
        }
        guard isFolder.boolValue else { return path }
        let names = (try? manager.contentsOfDirectory(atPath: path)) ?? []
        guard let name = names.sorted().first(where: { $0.hasSuffix(".safetensors") }) else {
            throw FileError(operation: .read, path: path + "/model.safetensors", code: ENOENT)
        }
        return "\(path)/\(name)"
    }

    private static func configuration(
        of file: Safetensors, path: String
    ) throws(MismatchError) -> RunConfiguration {
        guard file.metadata["layers"] != nil else {
            throw MismatchError(
                description: "\(path): there is no configuration in its metadata; "
                    + "evaluate weights that Lockstep has saved")
        }
        do throws(UsageError) {
            let settings = Settings(texts: file.metadata, path: path)
            let configuration = try settings.runConfiguration()
            try settings.validate(configuration)
            return configuration
        } catch {
            throw MismatchError(
                description: "\(path): its metadata holds no usable configuration (\(error))")
        }
    }

    private static func values(
        of file: Safetensors, _ layout: ParameterLayout, path: String
    ) throws(MismatchError) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(layout.parameterCount)
        for (name, shape, _) in layout.tensors {
            guard let tensor = file[name], tensor.shape == shape else {
                let found = file[name].map { "has shape \($0.shape)" } ?? "is missing"
                throw MismatchError(
                    description: "\(path): the layers of its configuration need a tensor “\(name)” "
                        + "of shape \(shape), and it \(found); evaluate the file as it was saved")
            }
            values += tensor.values
        }
        guard file.tensors.count == layout.tensors.count else {
            throw MismatchError(
                description:
                    "\(path): it holds \(file.tensors.count) tensors, and the layers of its "
                    + "configuration have \(layout.tensors.count); evaluate the file as it was saved"
            )
        }
        return values
    }
}
