import Datasets
import Foundation
import LockstepProtocol
import RunRecords
import TerminalText

/// The data set that both sides train on, from the same four files.
final class BenchData {
    /// A folder with the four files, raw for Lockstep and as mirrors have them for the peers.
    struct Files {
        let folder: String
        /// The share of the training pixels that is not zero.
        let density: Double
        /// Why peers cannot train on it.
        let unfitForPeers: String?
    }

    let dataset: Dataset
    private let temporary: TemporaryFolder
    private var written: [StepInput: Files] = [:]

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

    /// The files of an input, written at the first need.
    func files(_ input: StepInput = .mnist) throws -> Files {
        if let files = written[input.pixels] { return files }
        let files = try write(input)
        written[input.pixels] = files
        return files
    }

    private func write(_ input: StepInput) throws -> Files {
        let folder = temporary.freshPath("data")
        var offset = 0
        var density = 0.0
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            for part in DatasetPart.allCases {
                let byteCount = byteCount(of: part)
                var bytes = dataset.payloadChunk(offset: offset, byteCount: byteCount)
                if part.holdsImages {
                    input.change(&bytes[Self.imageHeaderByteCount...], of: part)
                }
                if part == .trainImages {
                    let pixels = bytes[Self.imageHeaderByteCount...]
                    density = Double(pixels.count { $0 != 0 }) / Double(max(1, pixels.count))
                }
                try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(part.fileName)"))
                offset += byteCount
            }
        } catch {
            throw BenchError(.cannotWrite, "cannot write \(folder): \(error.localizedDescription)")
        }
        return Files(
            folder: folder, density: density, unfitForPeers: try compress(folder))
    }

    /// Writes the files again as the peers read them.
    ///
    /// - Returns: why they cannot.
    private func compress(_ folder: String) throws -> String? {
        guard dataset.train.count == Self.peerExampleCount else {
            let count = Figures.count(dataset.train.count)
            return "Peers are left out: they train on 60,000 examples, here are \(count)."
        }
        guard let gzip = Tools.find("gzip") else {
            return "Peers are left out: they read gzip files, and there is no gzip."
        }
        let paths = DatasetPart.allCases.map { "\(folder)/\($0.fileName)" }
        _ = try Child([gzip, "-1", "-k"] + paths, folder: temporary).waitForOutput(seconds: 120)
        return nil
    }

    private static let imageHeaderByteCount = 16

    /// An IDX header is four bytes and four for each dimension.
    private func byteCount(of part: DatasetPart) -> Int {
        let isTraining = part == .trainImages || part == .trainLabels
        let count = isTraining ? dataset.train.count : dataset.test.count
        return part.holdsImages
            ? Self.imageHeaderByteCount + count * LabelledImages.pixelCount : 8 + count
    }
}
