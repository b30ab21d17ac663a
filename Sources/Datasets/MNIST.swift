package import Hashing

/// What is known of MNIST's files: the gzip containers vary between mirrors, the payload does not.
package enum MNIST {
    package static let name = "mnist"

    /// Over the four files, as `Dataset.sha256`.
    package static let sha256 = digest(
        "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a")

    /// Over one uncompressed file.
    package static func sha256(of part: DatasetPart) -> SHA256.Digest {
        switch part {
        case .trainImages:
            digest("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db")
        case .trainLabels:
            digest("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5")
        case .testImages:
            digest("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7")
        case .testLabels:
            digest("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")
        }
    }
}

/// A digest written in the source.
func digest(_ text: StaticString) -> SHA256.Digest {
    guard let digest = SHA256.Digest("\(text)") else {
        preconditionFailure("a SHA-256 has 64 hexadecimal digits")
    }
    return digest
}
