package import Datasets
package import NeuralNetwork
import Synchronization

/// What all runs of a session are judged on, made once and read by all threads.
package final class EvaluationData: Sendable {
    package let dataset: Dataset
    package let test: SparseExamples
    private let madeTrain = Mutex<SparseExamples?>(nil)

    /// Made by the first who asks: a coordinator needs it only where validation examples are held
    /// out.
    package var train: SparseExamples {
        madeTrain.withLock { made in
            if let made { return made }
            let examples = Self.examples(of: dataset.train)
            made = examples
            return examples
        }
    }

    package init(_ dataset: Dataset) {
        self.dataset = dataset
        test = Self.examples(of: dataset.test)
    }

    private static func examples(of images: LabelledImages) -> SparseExamples {
        SparseExamples(
            pixels: images.pixels, labels: images.labels, width: LabelledImages.pixelCount)
    }
}
