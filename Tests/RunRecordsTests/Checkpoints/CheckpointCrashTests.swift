import RunRecords
import TestSupport
import Testing

/// The process or the power goes at any moment of writing a checkpoint.
@Suite struct CheckpointCrashTests {
    private typealias Made = CheckpointSamples

    /// The operations of the disk that writing the third checkpoint over two takes.
    private func operations(_ disk: SimulatedDisk) throws -> Range<Int> {
        let copy = disk.copy()
        try Made.store(copy).write(Made.checkpoint(30), shards: [0..<9, 9..<40])
        return 0..<copy.operationCount
    }

    private func writeThird(_ disk: SimulatedDisk) -> Bool {
        (try? Made.store(disk).write(Made.checkpoint(30), shards: [0..<9, 9..<40])) != nil
    }

    /// What is left must be whole, no older than step 20, and as good to continue with as any.
    private func expectWhole(_ disk: SimulatedDisk, _ what: String) throws {
        let step = try Made.found(on: disk, among: [20, 30]).step
        if step == nil { Issue.record("\(what): no checkpoint is left") }
        try Made.store(disk).write(Made.checkpoint(40))
        disk.crash()
        #expect(try Made.found(on: disk, among: [40]).step == 40, "\(what)")
        #expect(!disk.files.contains { $0.contains("/.writing") })
    }

    @Test func atEveryOperation() throws {
        let disk = try Made.disk([10, 20])
        let operations = try operations(disk)
        #expect(operations.count > 15)
        for operation in operations {
            for seed in UInt64(0)..<20 {
                let disk = disk.copy(seed: seed)
                disk.stop(at: operation)
                #expect(!writeThird(disk) || operation == operations.last)
                disk.crash(keeping: seed == 0 ? .nothing : .anything)
                try expectWhole(disk, "crash at operation \(operation), seed \(seed)")
            }
        }
        // Once written, it stays.
        let written = disk.copy()
        #expect(writeThird(written))
        written.crash()
        #expect(try Made.found(on: written, among: [30]).step == 30)
    }

    /// The folder of the step is there already, with the run's weights and a damaged checkpoint.
    @Test func atEveryOperationIntoAFolderThatIsThere() throws {
        let disk = try Made.disk([10, 20])
        let folder = "\(Made.path)/step-30"
        try Made.store(disk, keep: 3).write(Made.checkpoint(30))
        disk.overwrite("\(folder)/shard-0.safetensors", with: [1, 2, 3])
        _ = try disk.open("\(folder)/model.safetensors", .create)
        disk.overwrite("\(folder)/model.safetensors", with: [4, 5, 6])
        for operation in try operations(disk) {
            for seed in UInt64(0)..<20 {
                let disk = disk.copy(seed: seed)
                disk.stop(at: operation)
                _ = writeThird(disk)
                disk.crash(keeping: seed == 0 ? .nothing : .anything)
                #expect(try disk.read("\(folder)/model.safetensors") == [4, 5, 6])
                try expectWhole(disk, "crash at operation \(operation), seed \(seed)")
            }
        }
    }

    /// Any single operation fails, says it did and did not, or does something else.
    @Test(arguments: [
        SimulatedDisk.Fault.full, .failed, .torn, .lost, .misdirected,
    ])
    func whateverOneOperationDoes(fault: SimulatedDisk.Fault) throws {
        let disk = try Made.disk([10, 20])
        for operation in try operations(disk) {
            for seed in UInt64(0)..<10 {
                let disk = disk.copy(seed: seed)
                disk.fail(at: operation, fault)
                let isWritten = writeThird(disk)
                if fault == .full || fault == .failed { #expect(!isWritten) }
                disk.crash(keeping: seed % 2 == 0 ? .nothing : .anything)
                let step = try Made.found(on: disk, among: [10, 20, 30]).step
                #expect(step == 20 || step == 30 || fault == .misdirected, "\(operation)")
            }
        }
    }

    /// A full disk keeps what is there, and is no more than an error.
    @Test func aFullDisk() throws {
        let disk = try Made.disk([10, 20])
        let used = try disk.files.reduce(0) { try $0 + disk.read($1).count }
        for room in stride(from: 0, to: used / 2, by: 37) {
            disk.setCapacity(used + room)
            let error = #expect(throws: FileError.self) {
                try Made.store(disk).write(Made.checkpoint(30), shards: [0..<9, 9..<40])
            }
            #expect("\(error as Any)".contains("No space left"))
            #expect(try Made.found(on: disk, among: [20]).step == 20)
            #expect(!disk.files.contains { $0.contains("/.writing") })
        }
        disk.setCapacity(nil)
        #expect(writeThird(disk))
    }

    /// The simulated disk must be able to lose what was not made durable, or it proves nothing.
    @Test func theDiskForgets() throws {
        let disk = SimulatedDisk()
        try disk.makeFolders("/a")
        let file = try disk.open("/a/file", .create)
        _ = try file.write([1, 2, 3][...], at: 0)
        disk.crash()
        #expect(disk.files.isEmpty)
        try disk.makeFolders("/a")
        try disk.synchronizeFolder("/")
        let second = try disk.open("/a/file", .create)
        _ = try second.write([1, 2, 3][...], at: 0)
        try second.synchronize()
        disk.crash()
        #expect(disk.files.isEmpty)
        let third = try disk.open("/a/file", .create)
        _ = try third.write([1, 2, 3][...], at: 0)
        try third.synchronize()
        try disk.synchronizeFolder("/a")
        try disk.rename("/a/file", to: "/a/other")
        _ = try third.write([9][...], at: 1)
        disk.crash()
        #expect(disk.files == ["/a/file"])
        #expect(try disk.read("/a/file") == [1, 2, 3])
    }
}
