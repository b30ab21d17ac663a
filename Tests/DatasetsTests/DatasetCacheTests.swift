import Datasets
import Foundation
import Hashing
import TestSupport
import Testing

@Suite struct DatasetCacheTests {
    @Test(arguments: [
        (["HOME": "/h"], "/h/.cache/lockstep"),
        (["HOME": "/h", "XDG_CACHE_HOME": "/c"], "/c/lockstep"),
        (["HOME": "/h", "XDG_CACHE_HOME": ""], "/h/.cache/lockstep"),
        (["HOME": "/h", "XDG_CACHE_HOME": "relative"], "/h/.cache/lockstep"),
    ])
    func folder(environment: [String: String], folder: String) {
        #expect(DatasetCache(environment: environment).folder == folder)
    }

    @Test func whatIsStoredIsLoaded() throws {
        let folder = try TemporaryFolder()
        let cache = DatasetCache(folder: folder.path + "/new/lockstep")
        let dataset = try SmallSet.dataset()
        #expect(cache.load(dataset.sha256, note: unexpected) == nil)
        try cache.store(dataset)
        try cache.store(dataset)
        let loaded = try #require(cache.load(dataset.sha256, name: "small", note: unexpected))
        #expect(loaded.train == dataset.train)
        #expect(loaded.test == dataset.test)
        #expect(loaded.name == "small")
        #expect(cache.entries() == [dataset.sha256])
        let names = try FileManager.default.contentsOfDirectory(atPath: cache.folder)
        #expect(
            names.sorted() == ["\(dataset.sha256).crc32", "\(dataset.sha256).idx"],
            "nothing temporary is left")
    }

    enum Damage: CaseIterable { case cut, longer, flipped, empty, folder }

    @Test(arguments: Damage.allCases)
    func aDamagedEntryIsNamedAndReplaced(damage: Damage) throws {
        let folder = try TemporaryFolder()
        let cache = DatasetCache(folder: folder.path)
        let dataset = try SmallSet.dataset()
        let name = "\(dataset.sha256).idx"
        switch damage {
        case .cut: try folder.write(SmallSet.payload.dropLast(), name)
        case .longer: try folder.write(SmallSet.payload + [0], name)
        case .flipped:
            var payload = SmallSet.payload
            payload[100] ^= 1
            try folder.write(payload, name)
        case .empty: try folder.write([], name)
        case .folder:
            try FileManager.default.createDirectory(
                atPath: cache.path(of: dataset.sha256), withIntermediateDirectories: false)
        }
        var notes: [String] = []
        #expect(cache.load(dataset.sha256) { notes.append($0) } == nil)
        #expect(notes.count == 1)
        #expect(notes.first?.contains(cache.path(of: dataset.sha256)) == true)
        #expect(cache.entries().isEmpty)
        try cache.store(dataset)
        #expect(cache.load(dataset.sha256, note: unexpected)?.sha256 == dataset.sha256)
    }

    @Test func anUnwritablePlaceIsNamed() throws {
        let folder = try TemporaryFolder()
        try folder.write([], "file")
        let cache = DatasetCache(folder: folder.path + "/file/lockstep")
        let error = #expect(throws: CacheError.self) { try cache.store(SmallSet.dataset()) }
        #expect(error?.path == cache.folder)
    }

    private func unexpected(_ note: String) { Issue.record("\(note)") }
}
