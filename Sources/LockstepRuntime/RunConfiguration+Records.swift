package import Datasets
import Hashing
import NeuralNetwork
package import RunRecords
package import TrainingPlan

extension RunConfiguration {
    /// Which checkpoints a run of this configuration may continue from.
    package func checkpointIdentity(dataset: Dataset) -> CheckpointIdentity {
        CheckpointIdentity(
            provenance: provenance(dataset: dataset), arithmeticVersion: arithmeticVersion,
            parameterCount: layout.parameterCount, stateCount: optimizer.stateCount)
    }

    /// What every line of a run's log carries.
    package func provenance(dataset: Dataset) -> Provenance {
        Provenance(
            dataset: dataset.name, datasetSHA256: "\(dataset.sha256)",
            configurationSHA256: sha256(dataset: dataset))
    }

    /// The hash that names this configuration's runs on a data set.
    package func sha256(dataset: Dataset) -> String {
        configurationSHA256(
            datasetSHA256: "\(dataset.sha256)", sha256: { "\(SHA256.hash($0))" })
    }

    /// Every setting that has a value, by its name in files.
    package var settings: [String: String] {
        Dictionary(
            uniqueKeysWithValues: Key.allCases.compactMap { key in
                text(of: key).map { (key.rawValue, $0) }
            })
    }
}
