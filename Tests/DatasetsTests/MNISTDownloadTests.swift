import Datasets
import Foundation
import Hashing
import Testing

/// The download, from servers on loopback that serve the small set in MNIST's place.
@Suite struct MNISTDownloadTests {
    /// - Parameter isPatient: with servers that a busy machine may hold up.
    static func download(_ mirrors: [LocalServer], isPatient: Bool = true) -> MNISTDownload {
        var patience = TransferPatience()
        patience.idleSeconds = isPatient ? 20 : 2
        patience.windowSeconds = isPatient ? 30 : 3
        patience.leastBytesPerWindow = 10_000
        return MNISTDownload(
            mirrors: mirrors.map(\.mirror), checksum: { SHA256.hash(SmallSet.file($0)) },
            patience: patience)
    }

    static func part(_ path: String) -> DatasetPart? {
        DatasetPart.allCases.first { $0.fileName + ".gz" == path }
    }

    static func good(_ path: String) -> LocalServer.Reply {
        part(path).map { .body(Gzip.compress(SmallSet.file($0))) } ?? .status(404)
    }

    static let spoilt: [@Sendable (String) -> LocalServer.Reply] = [
        { _ in .status(404) },
        { _ in .status(503) },
        { _ in .body(Gzip.compress([1, 2, 3])) },
        { _ in .body(Array("<html>Welcome to the hotel</html>".utf8)) },
        { path in .body(part(path).map { Gzip.compress(SmallSet.file($0)).dropLast() } ?? []) },
        { path in .stall(part(path).map { Gzip.compress(SmallSet.file($0)) } ?? []) },
        { path in .trickle(part(path).map { Gzip.compress(SmallSet.file($0)) } ?? []) },
        { path in .cut(part(path).map { Gzip.compress(SmallSet.file($0)) } ?? []) },
    ]
    static let reasons = [
        "status 404", "status 503", "SHA-256 is", "SHA-256 is", "cut short",
        "nothing was received for 2.0 s", "bytes came in 3.0 s", "transfer closed",
    ]

    @Test func aGoodMirrorServesAll() throws {
        let server = try LocalServer(Self.good)
        let dataset = try Self.download([server]).run()
        #expect(dataset.sha256 == SmallSet.sha256)
        #expect(dataset.origin == server.mirror)
    }

    /// What a proxy unpacks on the way is taken as well.
    @Test func anUnpackedBodyIsTaken() throws {
        let server = try LocalServer { path in
            Self.part(path).map { .body(SmallSet.file($0)) } ?? .status(404)
        }
        #expect(try Self.download([server]).run().sha256 == SmallSet.sha256)
    }

    @Test(.timeLimit(.minutes(1)), arguments: spoilt.indices)
    func aBadMirrorIsNamedAndTheNextOneUsed(index: Int) throws {
        let bad = try LocalServer(Self.spoilt[index])
        // Of one that stops, and of one that trickles, no patience is tried for long.
        let isPatient = !Self.reasons[index].contains(".0 s")
        let error = #expect(throws: DownloadError.self) {
            try Self.download([bad], isPatient: isPatient).run()
        }
        let attempt = try #require(error?.attempts.first)
        #expect(attempt.hasPrefix(bad.mirror + DatasetPart.trainImages.fileName))
        #expect(attempt.contains(Self.reasons[index]))
        let good = try LocalServer(Self.good)
        let dataset = try Self.download([bad, good], isPatient: isPatient).run()
        #expect(dataset.sha256 == SmallSet.sha256)
        #expect(dataset.origin == good.mirror)
    }

    @Test(.timeLimit(.minutes(1)))
    func aPortWithoutAServerFailsAtOnce() throws {
        let mirror = try LocalServer(Self.good).mirror
        let start = ContinuousClock.now
        #expect(throws: DownloadError.self) { try MNISTDownload(mirrors: [mirror]).run() }
        #expect(ContinuousClock.now - start < .seconds(6))
    }

    @Test func progressIsReported() throws {
        let lengths = Lengths()
        let server = try LocalServer(Self.good)
        _ = try Self.download([server]).run { progress in
            lengths.add(progress.file, progress.byteCount, progress.expectedByteCount)
        }
        for part in DatasetPart.allCases {
            let byteCount = Gzip.compress(SmallSet.file(part)).count
            #expect(lengths.last(part.fileName + ".gz") == [byteCount, byteCount])
        }
    }

    private final class Lengths: @unchecked Sendable {
        private let lock = NSLock()
        private var lengths: [String: [Int?]] = [:]

        func add(_ file: String, _ byteCount: Int, _ expected: Int?) {
            lock.withLock { lengths[file] = [byteCount, expected] }
        }

        func last(_ file: String) -> [Int?]? { lock.withLock { lengths[file] } }
    }
}
