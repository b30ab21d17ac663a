import RunRecords
import TestSupport
import Testing

/// Whatever happens to the bytes of a checkpoint: it is noticed, and the one before is used.
@Suite struct CheckpointDamageTests {
    private typealias Made = CheckpointSamples

    /// The checkpoint of step 20, which has two shards, over that of step 10.
    private func disk() throws -> SimulatedDisk {
        let disk = try Made.disk([10])
        try Made.store(disk).write(Made.checkpoint(20), shards: [0..<9, 9..<40])
        return disk
    }

    private func files(_ disk: SimulatedDisk) -> [String] {
        disk.files.filter { $0.contains("/step-20/") }
    }

    private func expectRefused(_ disk: SimulatedDisk, _ what: String) throws {
        let (step, refusals) = try Made.found(on: disk, among: [10])
        if step != 10 || refusals.map(\.step) != [20] { Issue.record("\(what): \(refusals)") }
    }

    @Test func everyTruncationOfEveryFile() throws {
        let disk = try disk()
        for path in files(disk) {
            let whole = try disk.read(path)
            for count in 0..<whole.count {
                disk.overwrite(path, with: Array(whole[..<count]))
                try expectRefused(disk, "\(path) cut after \(count) bytes")
            }
            disk.overwrite(path, with: whole + [0])
            try expectRefused(disk, "\(path) with a byte more")
            disk.overwrite(path, with: whole)
        }
        #expect(try Made.found(on: disk, among: [20]).step == 20)
    }

    @Test func everyMissingFile() throws {
        for path in files(try disk()) {
            let disk = try disk()
            try disk.removeFile(path)
            try expectRefused(disk, "without \(path)")
        }
    }

    /// Flipped bits, torn sectors, and sectors of other files at the same place.
    @Test func tenThousandMutations() throws {
        let disk = try disk()
        let paths = files(disk)
        let originals = try disk.files.map { try disk.read($0) }
        var random = SeededRandom(seed: 42)
        var mutations = 0
        while mutations < 12_000 {
            let path = try #require(paths.randomElement(using: &random))
            let whole = try disk.read(path)
            let bytes = mutated(whole, originals, &random)
            guard bytes != whole else { continue }
            mutations += 1
            disk.overwrite(path, with: bytes)
            try expectRefused(disk, "mutation \(mutations) of \(path)")
            disk.overwrite(path, with: whole)
        }
        #expect(try Made.found(on: disk, among: [20]).step == 20)
    }

    private func mutated(
        _ whole: [UInt8], _ others: [[UInt8]], _ random: inout SeededRandom
    ) -> [UInt8] {
        var bytes = whole
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[.random(in: 0..<bytes.count, using: &random)] ^=
                    1 << UInt8.random(in: 0..<8, using: &random)
            }
        case 1:
            // Torn: what was on the disk before, in the middle of the new.
            let start = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, start + .random(in: 1...64, using: &random))
            for index in start..<end { bytes[index] = 0 }
        case 2:
            // Misdirected: a piece of another file.
            let other = others.randomElement(using: &random) ?? []
            let start = Int.random(in: 0..<min(bytes.count, other.count), using: &random)
            let end = min(bytes.count, other.count, start + .random(in: 1...512, using: &random))
            bytes.replaceSubrange(start..<end, with: other[start..<end])
        default:
            bytes = others.randomElement(using: &random) ?? []
        }
        return bytes
    }

    /// A whole folder under another step's name, and the manifest of one with the shards of
    /// another.
    @Test func foldersThatAreMixedUp() throws {
        let disk = try Made.disk([10, 20])
        for name in ["manifest.json", "shard-0.safetensors"] {
            let other = try disk.read("\(Made.path)/step-10/\(name)")
            let own = try disk.read("\(Made.path)/step-20/\(name)")
            disk.overwrite("\(Made.path)/step-20/\(name)", with: other)
            try expectRefused(disk, "\(name) of step 10")
            disk.overwrite("\(Made.path)/step-20/\(name)", with: own)
        }
        try disk.rename("\(Made.path)/step-20", to: "\(Made.path)/step-30")
        let (step, refusals) = try Made.found(on: disk, among: [10])
        #expect(step == 10 && refusals.map(\.step) == [30])
    }
}
