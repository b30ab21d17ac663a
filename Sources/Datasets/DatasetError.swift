package import Hashing

/// Data that cannot be trained on: what is wrong, with what, where, and what to do about it.
package struct DatasetError: Error, Equatable, Sendable {
    package enum Problem: Equatable, Sendable {
        // The folder.
        case noSuchFolder
        case notAFolder
        case emptyFolder
        case missingFile(part: DatasetPart)
        case ambiguous(part: DatasetPart, other: String)
        // The file.
        case unreadable(reason: String)
        case notARegularFile
        case gzip(GzipError)
        // Its header and length.
        case wrongMagic(found: UInt16)
        case wrongType(found: UInt8)
        case wrongRank(found: UInt8, expected: UInt8)
        case dimensionOverflow(dimensions: [UInt32])
        case wrongImageSize(rows: UInt32, columns: UInt32)
        case noExamples
        case truncated(expectedByteCount: Int, byteCount: Int)
        case trailingBytes(expectedByteCount: Int, byteCount: Int)
        // Its content.
        case countsDiffer(images: Int, labels: Int)
        case wrongLabel(label: UInt8, index: Int)
        case wrongChecksum(found: SHA256.Digest, expected: SHA256.Digest)
        case damagedCacheEntry(found: SHA256.Digest)
    }

    /// The file or folder, or in words what else was read.
    package let path: String
    /// Where in the uncompressed file, when it is one place.
    package let byteOffset: Int?
    package let problem: Problem

    package init(_ problem: Problem, path: String, byteOffset: Int? = nil) {
        self.path = path
        self.byteOffset = byteOffset
        self.problem = problem
    }
}

extension DatasetError: CustomStringConvertible {
    package var description: String {
        let place = byteOffset.map { " (byte \($0))" } ?? ""
        return "\(path)\(place): \(problem). \(problem.remedy)"
    }
}

extension DatasetError.Problem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noSuchFolder: "there is no such folder"
        case .notAFolder: "this is a file, not a folder"
        case .emptyFolder: "the folder is empty"
        case .missingFile(let part):
            "the \(part.words) are missing (accepted: \(part.fileNames.joined(separator: ", ")))"
        case .ambiguous(let part, let other):
            "the \(part.words) are also in \(other), with other content"
        case .unreadable(let reason): "it cannot be read (\(reason))"
        case .notARegularFile: "this is not a regular file"
        case .gzip(let error): error.description
        case .wrongMagic(let found):
            "an IDX file begins with the bytes 00 00, this one with \(hexadecimal(found))"
        case .wrongType(let found):
            "the IDX type is \(hexadecimal(found)), where 08 (unsigned bytes) is needed"
        case .wrongRank(let found, let expected):
            "the IDX file has \(found) dimensions, where \(expected) are needed"
        case .dimensionOverflow(let dimensions):
            "the dimensions \(dimensions.map(String.init).joined(separator: " × ")) overflow"
        case .wrongImageSize(let rows, let columns):
            "the images are \(rows)×\(columns), where 28×28 are needed"
        case .noExamples: "it holds no examples"
        case .truncated(let expected, let count):
            "its header announces \(expected) bytes, but it ends after \(count)"
        case .trailingBytes(let expected, let count):
            "its header announces \(expected) bytes, but it has \(count)"
        case .countsDiffer(let images, let labels):
            "there are \(images) images for \(labels) labels"
        case .wrongLabel(let label, let index):
            "label \(index) is \(label), where labels are 0 to 9"
        case .wrongChecksum(let found, let expected):
            "its SHA-256 is \(found), but MNIST's is \(expected)"
        case .damagedCacheEntry(let found):
            "its content's SHA-256 is \(found), which is not the one in its name"
        }
    }

    var remedy: String {
        switch self {
        case .noSuchFolder: "Check the path given with --data or LOCKSTEP_DATA."
        case .notAFolder: "Give the folder that holds the four IDX files."
        case .emptyFolder: "Put the four IDX files there, or use --data mnist to download them."
        case .missingFile: "Put the file there, raw or gzip, or use --data mnist to download MNIST."
        case .ambiguous: "Move one of the two to another folder."
        case .unreadable: "Check that it exists and that you may read it."
        case .notARegularFile: "Put the IDX file itself in its place."
        case .gzip: "Get the file again; 'gzip -t' tells whether a copy is whole."
        case .wrongMagic, .wrongType, .wrongRank:
            "Check that the file is what its name says: images have three dimensions, labels one."
        case .dimensionOverflow, .noExamples, .truncated, .trailingBytes: "Get the file again."
        case .wrongImageSize: "Scale the images to 28×28."
        case .countsDiffer: "Take the images and the labels from the same set."
        case .wrongLabel: "Only sets of ten classes can be trained."
        case .wrongChecksum:
            "Get the file again; to train on it as it is, give its folder with --data DIR."
        case .damagedCacheEntry: "Delete the file; 'lockstep data fetch' downloads MNIST again."
        }
    }
}

/// At least two digits, bytes apart.
private func hexadecimal(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
    stride(from: value.bitWidth - 8, through: 0, by: -8).map { shift in
        let byte = String(value >> shift & 0xff, radix: 16)
        return byte.count < 2 ? "0" + byte : byte
    }.joined(separator: " ")
}
