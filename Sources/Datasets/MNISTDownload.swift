import Foundation
import FoundationNetworking
package import Hashing

/// A download that no mirror could serve, with what each of them answered.
package struct DownloadError: Error, Equatable, Sendable, CustomStringConvertible {
    package let file: String
    /// One sentence a mirror.
    package let attempts: [String]

    package var description: String {
        "\(file) could not be downloaded. \(attempts.joined(separator: " ")) Check the network, or "
            + "put the four IDX files in a folder and give it with --data DIR."
    }
}

/// The download of MNIST: four files, each from the first mirror that serves its checksum.
package struct MNISTDownload: Sendable {
    package struct Progress: Sendable {
        package let file: String
        package let byteCount: Int
        /// As the mirror announces it.
        package let expectedByteCount: Int?
    }

    package static let mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ]

    /// More than any of the files has, compressed or not.
    private static let largestByteCount = 64 << 20

    private let mirrors: [String]
    private let checksum: @Sendable (DatasetPart) -> SHA256.Digest
    private let patience: TransferPatience

    /// - Parameters:
    ///   - checksum: of the uncompressed files.
    ///   - patience: with each mirror.
    package init(
        mirrors: [String] = MNISTDownload.mirrors,
        checksum: @escaping @Sendable (DatasetPart) -> SHA256.Digest = MNIST.sha256(of:),
        patience: TransferPatience = TransferPatience()
    ) {
        self.mirrors = mirrors
        self.checksum = checksum
        self.patience = patience
    }

    /// - Parameter progress: called from time to time, on other threads, while bytes arrive.
    package func run(
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws(DownloadError) -> Dataset {
        var mirrors = mirrors
        var files: [[UInt8]] = []
        for part in DatasetPart.allCases {
            files.append(try download(part, &mirrors, progress))
        }
        let streams = zip(files, DatasetPart.allCases).map { bytes, part in
            MemoryStream(bytes, name: part.fileName)
        }
        files = []
        do throws(DatasetError) {
            return Dataset(
                train: try Dataset.decode(images: streams[0], labels: streams[1]),
                test: try Dataset.decode(images: streams[2], labels: streams[3]),
                origin: mirrors.first ?? "")
        } catch {
            throw DownloadError(file: error.path, attempts: [error.description])
        }
    }

    /// One file, uncompressed and verified. A mirror that fails goes to the end of the list.
    private func download(
        _ part: DatasetPart, _ mirrors: inout [String],
        _ progress: @escaping @Sendable (Progress) -> Void
    ) throws(DownloadError) -> [UInt8] {
        let file = part.fileName + ".gz"
        var attempts: [String] = []
        for mirror in mirrors {
            do throws(TransferError) {
                let body = try Transfer.run(
                    url: mirror + file, atMost: Self.largestByteCount,
                    patience: patience
                ) { byteCount, expected in
                    progress(
                        Progress(file: file, byteCount: byteCount, expectedByteCount: expected))
                }
                return try verified(body, part)
            } catch {
                attempts.append("\(mirror)\(file): \(error.reason).")
                mirrors.removeFirst()
                mirrors.append(mirror)
            }
        }
        throw DownloadError(file: file, attempts: attempts)
    }

    private func verified(_ body: [UInt8], _ part: DatasetPart) throws(TransferError) -> [UInt8] {
        var payload = body
        // A proxy or a library on the way may have unpacked it already.
        if Gzip.isGzip(body) {
            do throws(GzipError) {
                payload = try Gzip.decompress(body, atMost: Self.largestByteCount)
            } catch {
                throw TransferError(reason: error.description)
            }
        }
        let found = SHA256.hash(payload)
        guard found == checksum(part) else {
            throw TransferError(reason: "its SHA-256 is \(found), not \(checksum(part))")
        }
        return payload
    }
}
