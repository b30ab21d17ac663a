package import Datasets
import NeuralNetwork
package import TrainingPlan

extension TrainingSplit {
    /// The split of a run: drawn by its seed.
    package init(_ configuration: RunConfiguration, labels: some Collection<UInt8>) {
        self.init(
            labels: labels, holdingOut: configuration.validationExamples, seed: configuration.seed)
    }

    /// Of labels that are either only trained on or only held out.
    var warning: String? {
        guard !oneSidedLabels.isEmpty else { return nil }
        let labels = oneSidedLabels.map { "\($0)" }.joined(separator: ", ")
        return
            "all examples of label \(labels) are on one side: held out (\(heldOut.count) examples) or "
            + "trained on; choose another --validation-examples for figures that count every label"
    }
}

extension SampleOrder {
    /// Of a run: the examples that are not held out.
    init(_ configuration: RunConfiguration, _ examples: SparseExamples) {
        let split = unsafe TrainingSplit(configuration, labels: examples.labelBytes)
        self.init(seed: configuration.seed, examples: split.trained)
    }
}
