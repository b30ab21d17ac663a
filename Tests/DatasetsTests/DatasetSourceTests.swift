import Datasets
import Foundation
import TestSupport
import Testing

@Suite struct DatasetSourceTests {
    /// A source that neither reaches the network nor the user's cache.
    private func source(
        _ environment: [String: String] = [:], _ folder: TemporaryFolder,
        download: MNISTDownload = MNISTDownload(mirrors: [])
    ) -> DatasetSource {
        DatasetSource(
            environment: environment, cache: DatasetCache(folder: folder.path + "/cache"),
            download: download, synthetic: SyntheticDigits(trainCount: 20, testCount: 10))
    }

    @Test(arguments: [
        ("mnist", DatasetRequest.mnist), ("synthetic", .synthetic), ("./mnist", .folder("./mnist")),
        ("/data", .folder("/data")),
    ])
    func requests(text: String, request: DatasetRequest) {
        #expect(DatasetRequest(text) == request)
    }

    @Test func aFolderIsTakenAsItIs() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let found = try source([:], folder).find(.folder(folder.path))
        #expect(found.dataset.sha256 == SmallSet.sha256)
        #expect(found.notes == ["Using \(found.dataset.name) from \(folder.path)."])
    }

    @Test func theEnvironmentChoosesUnlessAsked() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let source = source(["LOCKSTEP_DATA": folder.path], folder)
        let found = try source.find(nil)
        #expect(found.dataset.sha256 == SmallSet.sha256)
        #expect(found.notes.first?.contains("LOCKSTEP_DATA") == true)
        #expect(try source.find(.synthetic).dataset.name == "synthetic-digits")
    }

    @Test func aBadFolderInTheEnvironmentIsAnError() throws {
        let folder = try TemporaryFolder()
        #expect(throws: DatasetError(.noSuchFolder, path: "/no/such")) {
            try source(["LOCKSTEP_DATA": "/no/such"], folder).find(nil)
        }
    }

    @Test func mnistByNameEnforcesChecksumsInTheEnvironmentsFolder() throws {
        let folder = try TemporaryFolder()
        try SmallSet.write(to: folder)
        let error = #expect(throws: DatasetError.self) {
            try source(["LOCKSTEP_DATA": folder.path], folder).find(.mnist)
        }
        #expect(error?.path == "\(folder.path)/\(DatasetPart.trainImages.fileName)")
    }

    @Test func withoutNetworkDigitsAreGeneratedAndAnnounced() throws {
        let folder = try TemporaryFolder()
        let found = try source(["LOCKSTEP_DATA": ""], folder).find(nil)
        #expect(found.dataset.name == "synthetic-digits")
        #expect(found.dataset.train.count == 20)
        #expect(found.notes.count == 2)
        #expect(found.notes.last?.contains("this is not MNIST") == true)
    }

    @Test func mnistByNameIsNeverReplaced() throws {
        let folder = try TemporaryFolder()
        #expect(throws: DownloadError.self) { try source([:], folder).find(.mnist) }
    }

    @Test func aDownloadIsKept() throws {
        let folder = try TemporaryFolder()
        let server = try LocalServer(MNISTDownloadTests.good)
        let found = try source(
            [:], folder, download: MNISTDownloadTests.download([server])
        ).find(nil)
        #expect(found.dataset.sha256 == SmallSet.sha256)
        #expect(found.notes.first?.contains(server.mirror) == true)
        let cache = DatasetCache(folder: folder.path + "/cache")
        #expect(cache.load(SmallSet.sha256) { _ in }?.sha256 == SmallSet.sha256)
    }

    @Test func aDownloadThatCannotBeKeptIsUsed() throws {
        let folder = try TemporaryFolder()
        try folder.write([], "cache")
        let server = try LocalServer(MNISTDownloadTests.good)
        let found = try source(
            [:], folder, download: MNISTDownloadTests.download([server])
        ).find(.mnist)
        #expect(found.dataset.sha256 == SmallSet.sha256)
        #expect(found.notes.last?.contains("not kept") == true)
    }

    @Test(.enabled(if: mnistFolder != nil))
    func theCacheComesBeforeTheDownload() throws {
        let folder = try TemporaryFolder()
        let dataset = try DatasetFolder(path: #require(mnistFolder)).load()
        try DatasetCache(folder: folder.path + "/cache").store(dataset)
        let found = try source([:], folder).find(nil)
        #expect(found.dataset.sha256 == MNIST.sha256)
        #expect(found.dataset.train == dataset.train)
    }
}
