import CrashPoints
import Formats
import Hashing
package import NeuralNetwork
import RunRecords
import TrainingPlan

extension RunRecorder {
    /// Keeps the weights at the end of the run, with all that it takes to use them.
    func save(
        _ weights: FloatBuffer, _ step: Step, _ status: EndRecord.Status
    ) throws(FileError) {
        var metadata = outcome.run.settings
        metadata["configuration_sha256"] = provenance.configurationSHA256
        metadata["dataset"] = provenance.dataset
        metadata["dataset_sha256"] = provenance.datasetSHA256
        metadata["weights_sha256"] = weights.sha256
        metadata["arithmetic_version"] = "\(arithmeticVersion)"
        metadata["step"] = "\(step)"
        metadata["status"] = status.rawValue
        let values = weights.array
        let file = Safetensors(
            metadata: metadata,
            tensors: configuration.layout.tensors.map { name, shape, range in
                Safetensors.Tensor(name: name, shape: shape, values: Array(values[range]))
            })
        _ = try directory.writeCheckpoint(
            step: step.index, file: "model.safetensors", file.encoded())
    }
}

extension FloatBuffer {
    /// Over the flat vector as little-endian float32 in layout order.
    package var sha256: String {
        unsafe "\(SHA256.hash(bytes.bytes))"
    }
}
