import ArgumentParser
import Datasets
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
