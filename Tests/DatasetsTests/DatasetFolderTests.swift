import Datasets
import Foundation
import Hashing
import TestSupport
import Testing

@Suite struct DatasetFolderTests {
    @Test(arguments: ["", "MNIST/raw/", "raw/"], [false, true])
    func readsAFolder(below: String, gzip: Bool) throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder, below: below, gzip: gzip)
        let dataset = try DatasetFolder(path: folder.path).load()
        #expect(dataset.sha256 == SmallSet.sha256)
        #expect(dataset.name == "idx-\("\(SmallSet.sha256)".prefix(12))")
        #expect(Array(dataset.train.pixels) == SmallSet.pixels)
        #expect(Array(dataset.train.labels) == [9, 0, 4])
        #expect(Array(dataset.test.labels) == [7])
    }

    @Test func readsTheOtherNamesAndGoesByContent() throws {
        let folder = try TemporaryFolder()
        try folder.write(SmallSet.images, "train-images.idx3-ubyte")
        try folder.write(SmallSet.labels, "train-labels.idx1-ubyte.gz")
        try folder.write(Gzip.compress(SmallSet.testImages), "t10k-images-idx3-ubyte")
        try folder.write(SmallSet.testLabels, "t10k-labels-idx1-ubyte")
        #expect(try DatasetFolder(path: folder.path).load().sha256 == SmallSet.sha256)
    }

    /// EMNIST's archive has its sets of ten classes beside others.
    @Test(arguments: ["emnist-digits-", "emnist-mnist-"])
    func readsEMNISTNames(prefix: String) throws {
        let folder = try TemporaryFolder()
        for part in DatasetPart.allCases {
            let name = part.fileName.replacing("t10k", with: "test")
            try folder.write(Gzip.compress(SmallSet.file(part)), "\(prefix)\(name).gz")
            try folder.write([1, 2, 3], "emnist-letters-\(name).gz")
        }
        #expect(try DatasetFolder(path: folder.path).load().sha256 == SmallSet.sha256)
    }

    /// The same files raw and gzip are one set; another set's are not.
    @Test func rawAndGzipMustSayTheSame() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        try SmallSet.write(to: folder, gzip: true)
        #expect(try DatasetFolder(path: folder.path).load().sha256 == SmallSet.sha256)
        for other in [[0, 4, 9], [9, 0], [9, 0, 4, 4]] as [[UInt8]] {
            let labels = SmallSet.labels.prefix(8) + other
            try folder.write(Gzip.compress(Array(labels)), "train-labels-idx1-ubyte.gz")
            let error = #expect(throws: DatasetError.self) {
                try DatasetFolder(path: folder.path).load()
            }
            let path = "\(folder.path)/train-labels-idx1-ubyte"
            #expect(
                error
                    == DatasetError(.ambiguous(part: .trainLabels, other: path + ".gz"), path: path)
            )
        }
    }

    struct BadFile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let part: DatasetPart
        let problem: DatasetError.Problem
        let byteOffset: Int?
        let bytes: [UInt8]

        init(
            _ description: String, _ part: DatasetPart, _ problem: DatasetError.Problem,
            at byteOffset: Int? = nil, _ change: (inout [UInt8]) -> Void
        ) {
            testDescription = description
            self.part = part
            self.problem = problem
            self.byteOffset = byteOffset
            var bytes = SmallSet.file(part)
            change(&bytes)
            self.bytes = bytes
        }
    }

    static let compressed = Gzip.compress(SmallSet.images)
    static let badFiles = [
        BadFile("wrong magic", .trainImages, .wrongMagic(found: 0x504b), at: 0) {
            $0.replaceSubrange(0..<2, with: [0x50, 0x4b])
        },
        BadFile("floats", .testImages, .wrongType(found: 0x0d), at: 2) { $0[2] = 0x0d },
        BadFile("labels as images", .trainImages, .wrongRank(found: 1, expected: 3), at: 3) {
            $0 = SmallSet.labels
        },
        BadFile("images as labels", .trainLabels, .wrongRank(found: 3, expected: 1), at: 3) {
            $0 = SmallSet.images
        },
        BadFile(
            "overflow", .trainImages,
            .dimensionOverflow(dimensions: [.max, .max, .max]), at: 4
        ) { $0.replaceSubrange(4..<16, with: [UInt8](repeating: 255, count: 12)) },
        BadFile("32 rows", .trainImages, .wrongImageSize(rows: 32, columns: 28), at: 8) {
            $0[11] = 32
        },
        BadFile("no examples", .testLabels, .noExamples, at: 4) {
            $0[7] = 0
            $0.removeLast()
        },
        BadFile("nothing", .testLabels, .truncated(expectedByteCount: 8, byteCount: 0), at: 0) {
            $0 = []
        },
        BadFile(
            "more examples than memory", .trainImages,
            .truncated(expectedByteCount: 16 + 0xffff_ffff * 784, byteCount: 16 + 3 * 784),
            at: 16 + 3 * 784
        ) { $0.replaceSubrange(4..<8, with: [255, 255, 255, 255]) },
        BadFile(
            "trailing bytes", .trainLabels,
            .trailingBytes(expectedByteCount: 11, byteCount: 13), at: 11
        ) { $0 += [1, 2] },
        BadFile("other counts", .trainLabels, .countsDiffer(images: 3, labels: 2), at: 4) {
            $0[7] = 2
            $0.removeLast()
        },
        BadFile("label 10", .trainLabels, .wrongLabel(label: 10, index: 2), at: 10) { $0[10] = 10 },
        BadFile(
            "gzip cut short", .trainImages,
            .gzip(.cutShort(byteCount: compressed.count / 2))
        ) { $0 = Array(compressed.prefix(compressed.count / 2)) },
        BadFile(
            "gzip with another CRC", .trainImages,
            .gzip(.wrongChecksum(offset: compressed.count - 4))
        ) {
            $0 = compressed
            $0[compressed.count - 8] ^= 1
        },
        BadFile(
            "gzip larger than its header says", .trainImages,
            .gzip(.largerThan(byteCount: SmallSet.images.count))
        ) { $0 = Gzip.compress(SmallSet.images + [0]) },
        BadFile(
            "gzip with more behind it", .trainImages,
            .gzip(.trailingBytes(offset: compressed.count, count: 1))
        ) { $0 = compressed + [0] },
    ]

    @Test(arguments: badFiles)
    func namesWhatIsWrongWithAFile(bad: BadFile) throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        try folder.write(bad.bytes, bad.part.fileName)
        let expected = DatasetError(
            bad.problem, path: "\(folder.path)/\(bad.part.fileName)", byteOffset: bad.byteOffset)
        let error = #expect(throws: expected) { try DatasetFolder(path: folder.path).load() }
        let text = try #require(error).description
        #expect(text.hasPrefix(expected.path))
        #expect(text.hasSuffix("."), "a remedy is a sentence")
    }

    @Test func truncationAtEveryLengthIsNamed() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let whole = SmallSet.testImages
        for length in whole.indices {
            try folder.write(Array(whole.prefix(length)), DatasetPart.testImages.fileName)
            let expected = length < 16 ? 16 : whole.count
            #expect(
                throws: DatasetError(
                    .truncated(expectedByteCount: expected, byteCount: length),
                    path: "\(folder.path)/\(DatasetPart.testImages.fileName)", byteOffset: length)
            ) { try DatasetFolder(path: folder.path).load() }
        }
    }

    @Test(arguments: DatasetPart.allCases)
    func namesTheMissingFile(part: DatasetPart) throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        try FileManager.default.removeItem(atPath: "\(folder.path)/\(part.fileName)")
        let error = #expect(throws: DatasetError.self) { try DatasetFolder(path: folder.path) }
        #expect(error == DatasetError(.missingFile(part: part), path: folder.path))
        #expect(try #require(error).description.contains(part.fileNames[3]))
    }

    @Test func namesFoldersThatCannotBeUsed() throws {
        let folder = try TemporaryFolder()
        #expect(throws: DatasetError(.emptyFolder, path: folder.path)) {
            try DatasetFolder(path: folder.path)
        }
        try folder.write([], "notes.txt")
        #expect(throws: DatasetError(.missingFile(part: .trainImages), path: folder.path)) {
            try DatasetFolder(path: folder.path)
        }
        #expect(throws: DatasetError(.notAFolder, path: folder.path + "/notes.txt")) {
            try DatasetFolder(path: folder.path + "/notes.txt")
        }
        #expect(throws: DatasetError(.noSuchFolder, path: folder.path + "/gone")) {
            try DatasetFolder(path: folder.path + "/gone")
        }
    }

    @Test func namesFilesThatCannotBeRead() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let path = "\(folder.path)/\(DatasetPart.trainLabels.fileName)"
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "nowhere")
        #expect(
            throws: DatasetError(.unreadable(reason: "No such file or directory"), path: path)
        ) { try DatasetFolder(path: folder.path).load() }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        #expect(throws: DatasetError(.notARegularFile, path: path)) {
            try DatasetFolder(path: folder.path).load()
        }
    }

    @Test func mnistByNameIsCheckedFileByFile() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let expected = DatasetError(
            .wrongChecksum(
                found: SHA256.hash(SmallSet.images), expected: MNIST.sha256(of: .trainImages)),
            path: "\(folder.path)/\(DatasetPart.trainImages.fileName)")
        #expect(throws: expected) {
            try DatasetFolder(path: folder.path).load(requiringMNIST: true)
        }
    }

    @Test(.enabled(if: mnistFolder != nil))
    func realMNIST() throws {
        let path = try #require(mnistFolder)
        let dataset = try DatasetFolder(path: path).load(requiringMNIST: true)
        #expect(dataset.name == "mnist")
        #expect(dataset.sha256 == MNIST.sha256)
        #expect(dataset.train.count == 60_000)
        #expect(dataset.test.count == 10_000)
        #expect(Array(dataset.train.labels.prefix(5)) == [5, 0, 4, 1, 9])
        #expect(DatasetPart.allCases.allSatisfy { dataset.isMNIST($0) })
    }
}
