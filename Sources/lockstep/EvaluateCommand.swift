import ArgumentParser
import Datasets
import Formats
import Foundation
import LockstepRuntime
import Logging
import NeuralNetwork
import Report
import TerminalText
import TrainingPlan

/// `lockstep evaluate`
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Accuracy, loss and confusion matrix of saved weights on the test set.",
        discussion: """
            Examples:
              lockstep evaluate runs/my-run
              lockstep evaluate runs/my-run/checkpoints/step-18750
              lockstep evaluate model.safetensors --data synthetic
              lockstep evaluate runs/my-run --json
            """)

    @Argument(
        help: ArgumentHelp(
            "A run's folder (its newest checkpoint), a checkpoint's, or a .safetensors file.",
            valueName: "checkpoint"))
    var checkpoint: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "mnist, synthetic, or a folder with IDX files.", valueName: "dir|mnist|synthetic"))
    var data: String?

    @Option(help: ArgumentHelp("Say what is at least this grave.", valueName: "level"))
    var logLevel = LogLevel(.notice)

    @Flag(help: "Print the result as one line of JSON.")
    var json = false

    func run() throws {
        let logger = ConsoleLogHandler.bootstrap(logLevel.level)
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
        if json {
            print(EvaluationLine(saved, dataset, evaluation).text)
        } else {
            report(saved, dataset, evaluation)
        }
    }

    private func report(_ saved: SavedNetwork, _ dataset: Dataset, _ evaluation: Evaluation) {
        let trainedOn = saved.trainedOn.map { "trained on \($0)" } ?? "trained on unknown data"
        let isMNIST = dataset.name == MNIST.name
        print(
            TextTable(words: [
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
            ]).text())
        var matrix = ConfusionMatrix()
        for (actual, row) in evaluation.confusion.enumerated() {
            for (decided, count) in row.enumerated() {
                matrix.add(actual: actual, decided: decided, count: count)
            }
        }
        print("", matrix.text(.of(STDOUT_FILENO)), separator: "\n")
    }
}

/// What `--json` prints: the fields of a run's end that an evaluation has, by the same names.
private struct EvaluationLine: Encodable {
    let checkpoint: String
    let configuration: String
    let configurationSHA256: String?
    let seed: UInt64
    /// The name of the data set, where the file has it.
    let trainedOn: String?
    let dataset: String
    let datasetSHA256: String
    let weightsSHA256: String
    let testExamples: Int
    let testAccuracy: Double
    /// Left out where it is not finite.
    let testLoss: Double?
    /// `[label][decision]`.
    let confusion: [[Int]]

    private enum CodingKeys: String, CodingKey {
        case checkpoint, configuration
        case configurationSHA256 = "configuration_sha256"
        case seed
        case trainedOn = "trained_on"
        case dataset
        case datasetSHA256 = "dataset_sha256"
        case weightsSHA256 = "weights_sha256"
        case testExamples = "test_examples"
        case testAccuracy = "test_accuracy"
        case testLoss = "test_loss"
        case confusion
    }

    init(_ saved: SavedNetwork, _ dataset: Dataset, _ evaluation: Evaluation) {
        checkpoint = saved.path
        configuration = saved.configuration.name
        configurationSHA256 = saved.file.metadata["configuration_sha256"]
        seed = saved.configuration.seed
        trainedOn = saved.trainedOn
        self.dataset = dataset.name
        datasetSHA256 = "\(dataset.sha256)"
        weightsSHA256 = saved.weights.sha256
        testExamples = evaluation.examples
        testAccuracy = evaluation.accuracy
        testLoss = evaluation.loss.isFinite ? evaluation.loss : nil
        confusion = evaluation.confusion
    }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
