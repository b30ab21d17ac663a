import Foundation
import RunRecords
import Synchronization
import TestSupport
import Testing

@Suite struct CheckpointWriterTests {
    private typealias Made = CheckpointSamples

    private final class Notices: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func add(_ text: String) { texts.withLock { $0.append(text) } }
    }

    /// A disk whose writes wait until they are let go.
    private final class SlowDisk: Disk {
        let disk = SimulatedDisk()
        let gate = DispatchSemaphore(value: 0)
        func makeFolders(_ path: String) throws(FileError) {
            gate.wait()
            gate.signal()
            try disk.makeFolders(path)
        }
        func names(in folder: String) throws(FileError) -> [String] { try disk.names(in: folder) }
        func read(_ path: String) throws(FileError) -> [UInt8] { try disk.read(path) }
        func open(_ path: String, _ mode: DiskFileMode) throws(FileError) -> any DiskFile {
            try disk.open(path, mode)
        }
        func rename(_ path: String, to newPath: String) throws(FileError) {
            try disk.rename(path, to: newPath)
        }
        func removeFile(_ path: String) throws(FileError) { try disk.removeFile(path) }
        func removeFolder(_ path: String) throws(FileError) { try disk.removeFolder(path) }
        func synchronizeFolder(_ path: String) throws(FileError) {
            try disk.synchronizeFolder(path)
        }
    }

    @Test func writesTheLastOne() throws {
        let disk = SimulatedDisk()
        let writer = CheckpointWriter(Made.store(disk)) { Issue.record("\($0)") }
        #expect(writer.newestStep == nil)
        for step in 1...50 { writer.write(Made.checkpoint(step)) }
        #expect(writer.finish())
        #expect(writer.finish())
        #expect(writer.newestStep == 50)
        #expect(try Made.found(on: disk, among: [50]).step == 50)
        // Nothing is taken any more.
        writer.write(Made.checkpoint(60))
        #expect(try Made.found(on: disk, among: [50]).step == 50)
    }

    @Test func nothingToWriteIsFinishedAtOnce() {
        let writer = CheckpointWriter(Made.store(SimulatedDisk())) { Issue.record("\($0)") }
        #expect(writer.finish(within: 0))
    }

    /// The caller never waits, a newer one takes the place of the one that waits, and the end has a
    /// bound.
    @Test func aDiskThatHangsHoldsNobodyUp() throws {
        let disk = SlowDisk()
        let notices = Notices()
        let writer = CheckpointWriter(CheckpointStore(path: Made.path, keep: 9, disk: disk)) {
            notices.add($0)
        }
        let start = Date()
        for step in 1...100 { writer.write(Made.checkpoint(step)) }
        #expect(!writer.finish(within: 0.1))
        #expect(Date().timeIntervalSince(start) < 5)
        #expect(notices.all.count == 1 && notices.all[0].contains(Made.path), "\(notices.all)")
        disk.gate.signal()
        #expect(writer.finish(within: 20))
        #expect(writer.newestStep == 100)
        // The first, where it was taken before the second came, and the last.
        #expect(try disk.names(in: Made.path).count <= 2)
    }

    @Test func aFullDiskIsToldOnceAndItsEndToo() throws {
        let disk = try Made.disk([10, 20])
        let notices = Notices()
        let writer = CheckpointWriter(Made.store(disk)) { notices.add($0) }
        func write(_ step: Int) throws {
            let before = disk.operationCount
            writer.write(Made.checkpoint(step))
            #expect(eventually { disk.operationCount > before })
            // Until the try is over: the next one would take the place of one that waits.
            usleep(50_000)
        }
        disk.setCapacity(0)
        for step in [30, 40, 50] { try write(step) }
        #expect(notices.all.count == 1, "\(notices.all)")
        #expect(notices.all[0].contains("step 30") && notices.all[0].contains("No space left"))
        #expect(try Made.found(on: disk, among: [20]).step == 20)
        disk.setCapacity(nil)
        for step in [60, 70] { try write(step) }
        #expect(writer.finish())
        #expect(notices.all.count == 2 && notices.all[1].contains("step 60"), "\(notices.all)")
        #expect(try Made.found(on: disk, among: [70]).step == 70)
    }
}
