import Convergence
import Datasets
import Foundation
import LockstepProtocol

/// The data set that both sides train on, from the same four files.
struct BenchData {
    let dataset: Dataset
    private let temporary: TemporaryFolder

    /// The peers have this number in their source.
    private static let peerExampleCount = 60_000

    init(_ options: DataOptions, _ temporary: TemporaryFolder) throws {
        self.temporary = temporary
        let source = DatasetSource(environment: ProcessInfo.processInfo.environment)
        do {
            let found = try source.find(options.data.map(DatasetRequest.init))
            dataset = found.dataset
            found.notes.forEach(Notes.say)
        } catch let error as DatasetError {
            throw BenchError(.badData, "\(error)")
        } catch let error as DownloadError {
            throw BenchError(.unavailable, "\(error)")
        }
    }

    /// Name and hash, for a person.
    var description: String { "\(dataset.name) \(Figures.shortHash("\(dataset.sha256)"))" }

    /// A new folder with the four files, raw for Lockstep and as mirrors have them for the peers.
    ///
    /// - Returns: its path, and why peers cannot train on it.
    func write() throws -> (folder: String, unfitForPeers: String?) {
        let folder = temporary.freshPath("data")
        var offset = 0
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            for part in DatasetPart.allCases {
                let byteCount = byteCount(of: part)
                let bytes = dataset.payloadChunk(offset: offset, byteCount: byteCount)
                try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(part.fileName)"))
                offset += byteCount
            }
        } catch {
            throw BenchError(.cannotWrite, "cannot write \(folder): \(error.localizedDescription)")
        }
        guard dataset.train.count == Self.peerExampleCount else {
            let count = Figures.count(dataset.train.count)
            return (folder, "Peers are left out: they train on 60,000 examples, here are \(count).")
        }
        guard let gzip = Tools.find("gzip") else {
            return (folder, "Peers are left out: they read gzip files, and there is no gzip.")
        }
        let paths = DatasetPart.allCases.map { "\(folder)/\($0.fileName)" }
        _ = try Child([gzip, "-1", "-k"] + paths, folder: temporary).waitForOutput(seconds: 120)
        return (folder, nil)
    }

    /// An IDX header is four bytes and four for each dimension.
    private func byteCount(of part: DatasetPart) -> Int {
        let isTraining = part == .trainImages || part == .trainLabels
        let count = isTraining ? dataset.train.count : dataset.test.count
        return part.holdsImages ? 16 + count * LabelledImages.pixelCount : 8 + count
    }
}
