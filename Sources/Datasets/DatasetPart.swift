/// The four files of a data set, in the order in which its hash covers them.
package enum DatasetPart: String, CaseIterable, Sendable {
    case trainImages = "train-images"
    case trainLabels = "train-labels"
    case testImages = "t10k-images"
    case testLabels = "t10k-labels"

    package var holdsImages: Bool { self == .trainImages || self == .testImages }

    /// The file's name as MNIST's mirrors have it, without `.gz`.
    package var fileName: String { "\(rawValue)-\(format)" }

    /// The names under which it is found in a folder, the first one first.
    package var fileNames: [String] {
        [fileName, "\(rawValue).\(format)"].flatMap { [$0, $0 + ".gz"] }
    }

    package var words: String {
        switch self {
        case .trainImages: "training images"
        case .trainLabels: "training labels"
        case .testImages: "test images"
        case .testLabels: "test labels"
        }
    }

    private var format: String { holdsImages ? "idx3-ubyte" : "idx1-ubyte" }
}
