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
    package var fileNames: [String] { DatasetNaming.mnist.fileNames(of: self) }

    package var words: String {
        switch self {
        case .trainImages: "training images"
        case .trainLabels: "training labels"
        case .testImages: "test images"
        case .testLabels: "test labels"
        }
    }

    fileprivate var format: String { holdsImages ? "idx3-ubyte" : "idx1-ubyte" }
}

/// How the files of a set are named. EMNIST's ten-class sets come in one folder with its others.
enum DatasetNaming: CaseIterable {
    case mnist, emnistDigits, emnistMNIST

    /// The names of a part, raw and gzip, the first one first.
    func fileNames(of part: DatasetPart) -> [String] {
        let (prefix, stem) =
            switch self {
            case .mnist: ("", part.rawValue)
            case .emnistDigits: ("emnist-digits-", emnistStem(part))
            case .emnistMNIST: ("emnist-mnist-", emnistStem(part))
            }
        return ["-", "."].flatMap { separator in
            let name = prefix + stem + separator + part.format
            return [name, name + ".gz"]
        }
    }

    private func emnistStem(_ part: DatasetPart) -> String {
        part.rawValue.replacing("t10k", with: "test")
    }
}
