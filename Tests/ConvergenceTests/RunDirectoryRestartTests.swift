import Convergence
import Foundation
import Testing

@Suite struct RunDirectoryRestartTests {
    let folder: TemporaryFolder
    let directory: RunDirectory

    init() throws {
        folder = try TemporaryFolder()
        directory = RunDirectory(path: folder.path + "/sweep/0123456789abcdef")
    }

    private func restart(
        hash: String = Samples.provenance.configurationSHA256
    ) throws -> RunDirectory.Opening {
        try RunDirectory.restart(
            directory.path, configuration: "ce-softmax", seed: 1, configurationSHA256: hash)
    }

    private func leave(_ records: [MetricsRecord]) throws {
        guard case .new = try restart() else {
            Issue.record("the directory is not new")
            return
        }
        let log = try MetricsLog(creating: directory.metricsPath, provenance: Samples.provenance)
        try directory.writeConfiguration("seed: 1\n")
        _ = try directory.writeCheckpoint(step: 41, file: RunDirectory.weightsName, [1, 2, 3])
        for record in records { try log.append(record) }
        try log.flush()
    }

    private func names(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    @Test(
        arguments: [
            [], [.run(Samples.run()), .step(Samples.step(41))],
            [.run(Samples.run()), .end(Samples.end(.interrupted, epochs: 0))],
        ] as [[MetricsRecord]])
    func anUnfinishedRunIsRemovedFirst(records: [MetricsRecord]) throws {
        try leave(records)
        #expect(try restart() == .new(directory))
        #expect(try names(directory.path) == ["checkpoints", "log"])
        #expect(directory.checkpoints.isEmpty)
        #expect(try names(folder.path + "/sweep") == ["0123456789abcdef"])
    }

    @Test func aCompleteRunIsKept() throws {
        try leave([.run(Samples.run()), .end(Samples.end(.diverged))])
        guard case .finished(_, let outcome) = try restart() else {
            Issue.record("the run is not taken as finished")
            return
        }
        #expect(outcome.end == Samples.end(.diverged))
        #expect(directory.checkpoints.map(\.step) == [41])
    }

    @Test func nobodysFilesAreRemoved() throws {
        try leave([.run(Samples.run())])
        try Data("mine".utf8).write(to: URL(fileURLWithPath: directory.path + "/notes.txt"))
        let error = try #require(throws: RunDirectoryError.self) { try restart() }
        #expect(error.reason == .holdsForeign(name: "notes.txt"))
        #expect("\(error)".contains(directory.path))
        #expect(try names(directory.path).contains("metrics.jsonl"))
    }

    @Test func anotherUnfinishedRunIsKept() throws {
        try leave([.run(Samples.run())])
        let error = try #require(throws: RunDirectoryError.self) {
            try restart(hash: String(repeating: "99", count: 32))
        }
        guard case .otherRun = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(try names(directory.path).contains("metrics.jsonl"))
    }

    /// A crash in the middle of a removal leaves the folder under its other name.
    @Test func whatWasMovedAsideGoes() throws {
        try leave([.run(Samples.run())])
        let aside = folder.path + "/sweep/.removed-0123456789abcdef"
        try FileManager.default.moveItem(atPath: directory.path, toPath: aside)
        #expect(try restart() == .new(directory))
        #expect(!FileManager.default.fileExists(atPath: aside))
    }

    @Test func oneAtATimeHoldsTheLock() throws {
        var lock: FolderLock? = try FolderLock(folder.path + "/locked")
        let error = try #require(throws: FileError.self) {
            try FolderLock(folder.path + "/locked")
        }
        #expect(error.code == EWOULDBLOCK && "\(error)".contains("another process is at work"))
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(throws: Never.self) { try FolderLock(folder.path + "/locked") }
    }
}
