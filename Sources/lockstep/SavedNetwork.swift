import Formats
import Foundation
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TrainingPlan

/// A checkpoint's weights with the configuration that they belong to.
struct SavedNetwork {
    let path: String
    let configuration: RunConfiguration
    let weights: FloatBuffer
    /// The file's content, with the tensors in the order of the layout whatever it was in the file.
    let file: Safetensors
    /// The name of the data set.
    let trainedOn: String?

    /// - Parameter path: of a safetensors file, of a folder with one, or of a run's folder: its
    ///   newest checkpoint then.
    /// - Throws: ``FileError`` and ``SafetensorsError`` for what is not such a file,
    ///   ``MismatchError`` where its tensors are not those of its configuration.
    init(reading path: String) throws {
        let path = try Self.file(at: path)
        var file = try Safetensors(reading: path)
        self.path = path
        trainedOn = file.metadata["dataset"]
        configuration = try Self.configuration(of: file.metadata, path: path)
        let values = try Self.values(of: file, configuration.layout, path: path)
        weights = FloatBuffer(values)
        file.tensors = configuration.layout.tensors.compactMap { file[$0.name] }
        self.file = file
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
        let directory = RunDirectory(path: path)
        if let newest = directory.checkpoints.last { return newest.path }
        guard !manager.fileExists(atPath: directory.metricsPath) else {
            throw FileError(
                operation: .read, path: directory.path + "/checkpoints/step-*", code: ENOENT)
        }
        let names = (try? manager.contentsOfDirectory(atPath: path)) ?? []
        guard let name = names.sorted().first(where: { $0.hasSuffix(".safetensors") }) else {
            throw FileError(operation: .read, path: path + "/model.safetensors", code: ENOENT)
        }
        return "\(path)/\(name)"
    }

    /// The configuration whose settings stand among `metadata` by their names.
    static func configuration(
        of metadata: [String: String], path: String
    ) throws(MismatchError) -> RunConfiguration {
        guard metadata["layers"] != nil else {
            throw MismatchError(
                description: "\(path): it has no configuration; "
                    + "use weights that Lockstep has saved")
        }
        do throws(UsageError) {
            let settings = Settings(texts: metadata, path: path)
            let configuration = try settings.runConfiguration()
            try settings.validate(configuration)
            return configuration
        } catch {
            throw MismatchError(
                description: "\(path): it holds no usable configuration (\(error))")
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
                        + "of shape \(shape), and it \(found); use the file as it was saved")
            }
            values += tensor.values
        }
        guard file.tensors.count == layout.tensors.count else {
            throw MismatchError(
                description:
                    "\(path): it holds \(file.tensors.count) tensors, and the layers of its "
                    + "configuration have \(layout.tensors.count); use the file as it was saved"
            )
        }
        return values
    }
}
