package import Datasets
import Foundation

/// Generated digits in small: a run on them takes well under a second.
///
/// The training examples divide neither by 128 nor by 100: each epoch's last batch is a short one
/// with a short last leaf, and batches of 100 have a short last leaf throughout.
package enum SmallDigits {
    package static let trainCount = 2_030
    package static let testCount = 500

    package static let dataset = SyntheticDigits(trainCount: trainCount, testCount: testCount)
        .dataset()

    /// One of the four uncompressed IDX files.
    package static func file(_ part: DatasetPart, of dataset: Dataset = dataset) -> [UInt8] {
        var offset = 0
        for other in DatasetPart.allCases {
            let examples = dataset.examples(of: other).count
            let count =
                other.holdsImages ? 16 + examples * LabelledImages.pixelCount : 8 + examples
            if other == part { return dataset.payloadChunk(offset: offset, byteCount: count) }
            offset += count
        }
        return []
    }

    /// Writes the four files.
    package static func write(
        _ dataset: Dataset = dataset, to folder: TemporaryFolder
    ) throws {
        for part in DatasetPart.allCases {
            try folder.write(file(part, of: dataset), part.fileName)
        }
    }
}
