import Foundation
import RunRecords
import TestSupport
import Testing

/// From where an unfinished run continues, for every state that its folder may be in.
@Suite struct RunDirectoryResumeTests {
    let folder: TemporaryFolder
    let directory: RunDirectory

    init() throws {
        folder = try TemporaryFolder()
        directory = RunDirectory(path: folder.path + "/run")
        _ = try RunDirectory.open(
            directory.path, configuration: "ce-softmax", seed: 1,
            configurationSHA256: Samples.provenance.configurationSHA256)
    }

    /// Lines of ten steps, with checkpoints after the fourth and the eighth.
    private func leave() throws {
        let log = try MetricsLog(creating: directory.metricsPath, provenance: Samples.provenance)
        try log.append(.run(Samples.run()))
        for step in 1...10 {
            try log.append(.step(Samples.step(step)))
            guard step % 4 == 0 else { continue }
            var checkpoint = CheckpointSamples.checkpoint(step)
            checkpoint.log = try #require(log.mark)
            try directory.checkpointStore().write(checkpoint)
        }
        try log.append(.end(Samples.end(.interrupted, epochs: 0)))
    }

    private func bytes() throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: directory.metricsPath)))
    }

    private func replace(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: directory.metricsPath))
    }

    private func point() throws -> ResumePoint {
        try directory.resumePoint(matching: CheckpointSamples.identity)
    }

    @Test func theNewestCheckpointCounts() throws {
        try leave()
        let point = try point()
        #expect(point.checkpoint?.step == 8 && point.warnings.isEmpty)
    }

    @Test func aDamagedOneIsNamedAndTheOneBeforeCounts() throws {
        try leave()
        let path = directory.checkpointPath(step: 8)
        try Data([1]).write(to: URL(fileURLWithPath: path + "/shard-0.safetensors"))
        let point = try point()
        #expect(point.checkpoint?.step == 4)
        #expect(point.warnings.count == 1 && point.warnings[0].contains(path), "\(point.warnings)")
    }

    /// A checkpoint counts where the log holds all its lines, whatever follows them.
    @Test func everyCutOfTheLog() throws {
        try leave()
        let whole = try bytes()
        let store = directory.checkpointStore()
        let identity = CheckpointSamples.identity
        let marks = try [4, 8].map { step in
            try #require(
                try store.newestWhole(matching: identity, before: step + 1).checkpoint
            ).log.byteCount
        }
        for count in stride(from: 0, through: whole.count, by: 13) {
            try replace(Array(whole[..<count]))
            if count < marks[0] {
                let error = try #require(throws: MetricsError.self) { try point() }
                #expect("\(error)".contains("ends after \(count) of"), "\(error)")
            } else {
                let point = try point()
                #expect(point.checkpoint?.step == (count < marks[1] ? 4 : 8))
                #expect(point.warnings.isEmpty == (count >= marks[1]))
            }
        }
    }

    /// A line twice, a foreign line, a line of garbage: before the mark of a checkpoint it is not
    /// used, behind it nobody minds.
    @Test(arguments: [nil, "foreign\n", "{\"event\":\"step\"}\n"])
    func strangeLines(line: String?) throws {
        try leave()
        let whole = try bytes()
        let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [10] }
        // The run, ten steps, the end.
        try #require(lines.count == 12)
        for place in 1..<lines.count {
            var changed = lines
            changed.insert(line.map { Array($0.utf8) } ?? lines[place - 1], at: place)
            try replace(Array(changed.joined()))
            if place <= 4 {
                #expect(throws: MetricsError.self) { try point() }
            } else {
                // Twice the last line before a mark stands behind it.
                let isBehind = place > 8
                #expect(try point().checkpoint?.step == (isBehind ? 8 : 4), "\(place)")
            }
            #expect(try bytes() == Array(changed.joined()))
        }
    }

    @Test func aCheckpointOfAnotherRunIsRefused() throws {
        try leave()
        var other = CheckpointSamples.identity
        other.arithmeticVersion = 2
        let error = try #require(throws: RunDirectoryError.self) {
            try directory.resumePoint(matching: other)
        }
        for word in [directory.checkpointPath(step: 8), "arithmetic version 1", "--run-dir"] {
            #expect("\(error)".contains(word), "\(error)")
        }
    }

    @Test func withoutACheckpointItBeginsAgain() throws {
        try leave()
        _ = try directory.writeCheckpoint(step: 9, file: RunDirectory.weightsName, [1])
        let notes = directory.path + "/notes.txt"
        let inLog = directory.logPath + "/notes.txt"
        for file in [notes, inLog] {
            try "mine".write(toFile: file, atomically: true, encoding: .utf8)
        }
        try directory.startOver()
        #expect(try bytes().isEmpty)
        #expect(directory.checkpoints.isEmpty)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.checkpointsPath) == [])
        #expect(FileManager.default.fileExists(atPath: notes))
        #expect(FileManager.default.fileExists(atPath: inLog))
        #expect(try point() == ResumePoint(checkpoint: nil, warnings: []))
        // And a log may be made there again.
        let log = try MetricsLog(creating: directory.metricsPath, provenance: Samples.provenance)
        try log.append(.run(Samples.run()))
        #expect(try MetricsFile(reading: directory.metricsPath).records.count == 1)
    }

    /// A run of days has millions of lines, and whoever waits for its coordinator does not wait for
    /// all to be read.
    @Test func aLongLogIsTakenUpSoon() throws {
        let mark = try leaveALongLog()
        let needed = try seconds {
            let opening = try RunDirectory.open(
                directory.path, configuration: "ce-softmax", seed: 1,
                configurationSHA256: Samples.provenance.configurationSHA256)
            #expect(opening == .unfinished(directory))
            #expect(try point().checkpoint?.log == mark)
            _ = try MetricsLog.resume(
                directory.metricsPath, provenance: Samples.provenance, from: mark)
        }
        // SHA-256 over all of it twice is the most of that.
        let microseconds = needed / Double(Self.longLogLineCount) * 1e6
        #expect(microseconds < 12, "\(microseconds) µs a line")
    }

    /// What this thread has computed: other load on the machine does not count.
    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        try body()
        return now() - start
    }

    private static let longLogLineCount = 1 + 40 * 201

    private func leaveALongLog() throws -> LogMark {
        let log = try MetricsLog(creating: directory.metricsPath, provenance: Samples.provenance)
        try log.append(.run(Samples.run()))
        for epoch in 1...40 {
            for step in 1...200 {
                try log.append(.step(Samples.step(200 * epoch + step, epoch: epoch)))
            }
            try log.append(.epoch(Samples.epoch(epoch)))
        }
        var checkpoint = CheckpointSamples.checkpoint(1)
        let mark = try #require(log.mark)
        checkpoint.log = mark
        try directory.checkpointStore().write(checkpoint)
        return mark
    }

    @Test func oneAtATimeHoldsTheLock() throws {
        let path = folder.path + "/locked"
        var lock: FolderLock? = try FolderLock(path)
        let error = try #require(throws: FolderInUse.self) { try FolderLock(path) }
        for word in [path, "process \(getpid())", ProcessInfo.processInfo.hostName, "since 20"] {
            #expect("\(error)".contains(word), "\(error)")
        }
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(throws: Never.self) { try FolderLock(path) }
    }
}
