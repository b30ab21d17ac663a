import Foundation
package import Hashing

/// The four IDX files of a data set in a folder, raw or gzip.
///
/// They are looked for in the folder itself, then where torchvision puts them below its root:
/// `MNIST/raw` and `raw`.
package struct DatasetFolder: Sendable {
    package let path: String
    /// Where each part is, in the order of `DatasetPart`.
    package let files: [(part: DatasetPart, path: String)]
    /// Further files of the same parts, under other names. They must say the same.
    private let copies: [(part: DatasetPart, path: String)]

    package init(path: String) throws(DatasetError) {
        self.path = path
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw DatasetError(.noSuchFolder, path: path)
        }
        guard isFolder.boolValue else { throw DatasetError(.notAFolder, path: path) }
        for below in ["", "/MNIST/raw", "/raw"] {
            let namings = DatasetNaming.allCases.map { Self.files(in: path + below, $0) }
            guard let found = namings.first(where: { !$0.isEmpty }) else { continue }
            var first: [(DatasetPart, String)] = []
            for part in DatasetPart.allCases {
                guard let file = found.first(where: { $0.part == part }) else {
                    throw DatasetError(.missingFile(part: part), path: path + below)
                }
                first.append(file)
            }
            files = first
            copies = found.filter { file in !first.contains { $0.1 == file.path } }
            return
        }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw DatasetError(.unreadable(reason: error.localizedDescription), path: path)
        }
        throw DatasetError(
            names.isEmpty ? .emptyFolder : .missingFile(part: .trainImages), path: path)
    }

    /// The parts that lie in one folder. A dangling link counts, so that it is named when it is
    /// read.
    private static func files(
        in folder: String, _ naming: DatasetNaming
    ) -> [(part: DatasetPart, path: String)] {
        DatasetPart.allCases.flatMap { part in
            naming.fileNames(of: part).map { (part, "\(folder)/\($0)") }
                .filter { (try? FileManager.default.attributesOfItem(atPath: $0.1)) != nil }
        }
    }

    /// Reads and checks all four files.
    ///
    /// - Parameter requiringMNIST: whether each file must be MNIST's by its checksum.
    package func load(requiringMNIST: Bool = false) throws(DatasetError) -> Dataset {
        var streams: [any ByteStream] = []
        for file in files { streams.append(try openByteStream(path: file.path)) }
        let train = try load(images: streams[0], labels: streams[1])
        let test = try load(images: streams[2], labels: streams[3])
        let dataset = Dataset(train: train, test: test, origin: path)
        for copy in copies {
            guard try isSame(copy.path, dataset.file(copy.part)) else {
                let path = files.first { $0.part == copy.part }?.path ?? path
                throw DatasetError(.ambiguous(part: copy.part, other: copy.path), path: path)
            }
        }
        if requiringMNIST, dataset.sha256 != MNIST.sha256 {
            for file in files {
                let found = dataset.sha256(of: file.part)
                let expected = MNIST.sha256(of: file.part)
                guard found == expected else {
                    throw DatasetError(
                        .wrongChecksum(found: found, expected: expected), path: file.path)
                }
            }
        }
        return dataset
    }

    /// Whether a file's uncompressed bytes are these.
    private func isSame(
        _ path: String, _ segments: [ArraySlice<UInt8>]
    ) throws(DatasetError) -> Bool {
        let stream = try openByteStream(path: path)
        for segment in segments where try stream.read(segment.count)[...] != segment {
            return false
        }
        return try stream.read(1).isEmpty
    }

    private func load(
        images: any ByteStream, labels: any ByteStream
    ) throws(DatasetError) -> LabelledImages {
        let half = try Dataset.decode(images: images, labels: labels)
        try images.finish(
            expectedByteCount: IDX.headerByteCount(rank: 3) + half.pixels.count)
        try labels.finish(
            expectedByteCount: IDX.headerByteCount(rank: 1) + half.labels.count)
        return half
    }
}

extension Dataset {
    /// Over one uncompressed IDX file.
    package func sha256(of part: DatasetPart) -> SHA256.Digest {
        var hash = SHA256()
        for segment in file(part) { hash.update(segment) }
        return hash.finalize()
    }

    package func isMNIST(_ part: DatasetPart) -> Bool { sha256(of: part) == MNIST.sha256(of: part) }

    /// The half that a part belongs to.
    package func examples(of part: DatasetPart) -> LabelledImages {
        switch part {
        case .trainImages, .trainLabels: train
        case .testImages, .testLabels: test
        }
    }
}
