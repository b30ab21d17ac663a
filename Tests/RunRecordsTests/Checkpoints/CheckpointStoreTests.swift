import Foundation
import Hashing
import RunRecords
import TestSupport
import Testing

/// What is written comes back bit for bit, and nothing else is taken.
@Suite struct CheckpointStoreTests {
    private typealias Made = CheckpointSamples

    @Test(
        arguments: [
            [0..<40], [0..<13, 13..<40], [0..<1, 1..<2, 2..<39, 39..<40], [0..<0, 0..<40],
        ] as [[Range<Int>]], [0, 1, 2])
    func anyCutComesBackWhole(shards: [Range<Int>], stateCount: Int) throws {
        let disk = SimulatedDisk()
        let checkpoint = Made.checkpoint(7, stateCount: stateCount)
        try Made.store(disk).write(checkpoint, shards: shards)
        let (found, refusals) = try Made.store(disk).newestWhole(matching: checkpoint.identity)
        #expect(found.map { Made.isSame($0, checkpoint) } == true)
        #expect(refusals.isEmpty)
        #expect(disk.files.count == shards.count + 1)
    }

    @Test func valuesThatAreNotFiniteComeBack() throws {
        let disk = SimulatedDisk()
        var checkpoint = Made.checkpoint(7)
        checkpoint.weights[3] = -0.0
        checkpoint.recording.epochLossSum = .infinity
        checkpoint.recording.lastTest?.loss = -.infinity
        try Made.store(disk).write(checkpoint)
        let found = try #require(
            try Made.store(disk).newestWhole(matching: Made.identity).checkpoint)
        #expect(Made.isSame(found, checkpoint))
    }

    @Test(arguments: 1...4)
    func theNewestAreKept(keep: Int) throws {
        let disk = try Made.disk([2, 30, 400, 5_000, 60_000], keep: keep)
        let steps = Set(disk.files.compactMap { Int($0.split(separator: "/")[3].dropFirst(5)) })
        #expect(steps == Set([2, 30, 400, 5_000, 60_000].suffix(keep)))
        #expect(try Made.found(on: disk, among: [60_000]).step == 60_000)
    }

    /// A run that has gone back has refused what came later, and must not lose its own for that.
    @Test func laterOnesMakeRoom() throws {
        let disk = try Made.disk([10, 50])
        disk.overwrite("\(Made.path)/step-50/manifest.json", with: [])
        try Made.store(disk).write(Made.checkpoint(20))
        #expect(try Made.found(on: disk, among: [20]) == (20, []))
        try Made.store(disk).write(Made.checkpoint(30))
        #expect(
            try Made.store(disk).newestWhole(matching: Made.identity, before: 30).checkpoint?.step
                == 20)
    }

    @Test func theFinalWeightsStay() throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(path: folder.path + "/run")
        let store = CheckpointStore(path: directory.checkpointsPath)
        let model = Array("weights".utf8)
        let path = try directory.writeCheckpoint(
            step: 20, file: RunDirectory.weightsName, model)
        for step in [10, 20, 20, 30] { try store.write(Made.checkpoint(step)) }
        #expect(try store.newestWhole(matching: Made.identity).checkpoint?.step == 30)
        #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == model)
        #expect(directory.checkpoints.map(\.step) == [20])
        let names = try FileManager.default.contentsOfDirectory(atPath: store.path)
        #expect(names.sorted() == ["step-20", "step-30"])
        // A crash came between the removal of the last file and that of the folder.
        try FileManager.default.createDirectory(
            atPath: store.path + "/step-5", withIntermediateDirectories: false)
        try store.removeAll()
        #expect(directory.checkpoints.map(\.path) == [path])
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.path) == ["step-20"])
        #expect(try store.newestWhole(matching: Made.identity).checkpoint == nil)
    }

    @Test func leftoversAreCleared() throws {
        let disk = try Made.disk([10])
        try disk.makeFolders("\(Made.path)/.writing-15")
        disk.stop(at: nil)
        _ = try disk.open("\(Made.path)/.writing-15/shard-0.safetensors", .create)
        try Made.store(disk).write(Made.checkpoint(20))
        #expect(disk.files.allSatisfy { $0.contains("/step-") }, "\(disk.files)")
    }

    // MARK: Whose it is

    @Test func whatIsForAnotherRunIsNamed() throws {
        let disk = try Made.disk([10, 20])
        func refusal(
            _ change: (inout CheckpointIdentity) -> Void
        ) throws -> CheckpointRefusal {
            var identity = Made.identity
            change(&identity)
            let (step, refusals) = try Made.found(on: disk, among: [], matching: identity)
            #expect(step == nil && refusals.count == 2)
            return try #require(refusals.first)
        }
        let other = String(repeating: "99", count: 32)
        let cases: [(CheckpointRefusal, String)] = [
            (try refusal { $0.provenance.datasetSHA256 = other }, "data set mnist (SHA-256 d1d1"),
            (try refusal { $0.provenance.configurationSHA256 = other }, "configuration c0c0"),
            (try refusal { $0.arithmeticVersion = 2 }, "arithmetic version 1"),
            (try refusal { $0.parameterCount = 41 }, "40 weights with 2 state vectors"),
            (try refusal { $0.stateCount = 1 }, "40 weights with 2 state vectors"),
        ]
        for (refusal, words) in cases {
            #expect(refusal.isMismatch && refusal.step == 20)
            #expect(refusal.reason.contains(words), "\(refusal)")
            #expect("\(refusal)".contains("\(Made.path)/step-20"))
        }
    }

    @Test func aNewerFormatIsNamedAndTheOneBeforeUsed() throws {
        let disk = try Made.disk([10, 20])
        let path = "\(Made.path)/step-20/manifest.json"
        let text = String(decoding: try disk.read(path), as: UTF8.self)
        let body = text.dropFirst(#"{"manifest":"#.count).dropLast(#","sha256":""}"#.count + 65)
            .replacing(#""format_version":1"#, with: #""format_version":2"#)
        let digest = "\(SHA256.hash(Array(body.utf8)))"
        disk.overwrite(
            path, with: Array(#"{"manifest":\#(body),"sha256":"\#(digest)"}\#n"#.utf8))
        let (step, refusals) = try Made.found(on: disk, among: [10])
        #expect(step == 10)
        #expect(refusals.first?.isMismatch == true)
        #expect(refusals.first?.reason.contains("format version 2") == true, "\(refusals)")
    }
}
