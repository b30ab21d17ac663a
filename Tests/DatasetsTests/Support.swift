import Datasets
import Foundation
import Hashing
import TestSupport

/// A set so small that every byte of it can be spoilt, with the IDX files written out by hand.
enum SmallSet {
    static let pixels = (0..<3 * 784).map { UInt8(truncatingIfNeeded: $0 % 7 == 0 ? $0 : 0) }
    static let images: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28] + pixels
    static let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4]
    static let testImages: [UInt8] =
        [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28] + pixels.suffix(784)
    static let testLabels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 1, 7]

    static func file(_ part: DatasetPart) -> [UInt8] {
        switch part {
        case .trainImages: images
        case .trainLabels: labels
        case .testImages: testImages
        case .testLabels: testLabels
        }
    }

    static let payload = DatasetPart.allCases.flatMap(file)
    static let sha256 = SHA256.hash(payload)

    static func write(to folder: TemporaryFolder, below: String = "", gzip: Bool = false) throws {
        for part in DatasetPart.allCases {
            let bytes = gzip ? Gzip.compress(file(part)) : file(part)
            try folder.write(bytes, below + part.fileName + (gzip ? ".gz" : ""))
        }
    }

    static func dataset() throws -> Dataset { try Dataset(payload: payload, origin: "a test") }
}

/// Real MNIST, where it is there: `LOCKSTEP_DATA`, or `../shared/mnist` beside the package.
let mnistFolder: String? = {
    let beside = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared/mnist").path
    let candidates = [ProcessInfo.processInfo.environment["LOCKSTEP_DATA"], beside]
    return candidates.compactMap(\.self).first { (try? DatasetFolder(path: $0)) != nil }
}()
