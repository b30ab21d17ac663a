import Foundation
import RunRecords
import TestSupport
import Testing

/// A log that continues from a checkpoint, and one whose disk is full for a while.
@Suite struct MetricsLogResumeTests {
    private static let path = "/run/metrics.jsonl"

    private func disk() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        try disk.makeFolders("/run")
        return disk
    }

    private func log(
        _ disk: SimulatedDisk, maximumWaitingByteCount: Int = 1 << 20,
        notice: @escaping (String) -> Void = { _ in }
    ) throws -> MetricsLog {
        let log = try MetricsLog(
            creating: Self.path, provenance: Samples.provenance, disk: disk,
            maximumWaitingByteCount: maximumWaitingByteCount, notice: notice)
        try log.append(.run(Samples.run()))
        return log
    }

    private func records(_ disk: SimulatedDisk) throws -> [MetricsRecord] {
        // Read by way of a file, as every reader does.
        let folder = try TemporaryFolder()
        let path = folder.path + "/metrics.jsonl"
        try Data(disk.read(Self.path)).write(to: URL(fileURLWithPath: path))
        return try MetricsFile(reading: path).records
    }

    // MARK: Going on

    /// The log is cut at every mark and grows again to the same bytes.
    @Test func growsAgainToTheSameBytes() throws {
        let disk = try disk()
        var marks: [LogMark] = []
        let lines: [MetricsRecord] =
            (1...6).map { .step(Samples.step($0)) } + [.epoch(Samples.epoch(1))]
            + (7...9).map { .step(Samples.step($0)) } + [.end(Samples.end())]
        do {
            let log = try log(disk)
            for line in lines {
                marks.append(try #require(log.mark))
                try log.append(line)
            }
        }
        let whole = try disk.read(Self.path)
        for (index, mark) in marks.enumerated() {
            let copy = disk.copy()
            // A line that a crash cut off, and one of a lost end.
            copy.overwrite(Self.path, with: whole + Array(#"{"event":"st"#.utf8))
            let (log, records) = try MetricsLog.resume(
                Self.path, provenance: Samples.provenance, from: mark, disk: copy)
            #expect(records == [.run(Samples.run())] + lines[..<index])
            #expect(try copy.read(Self.path) == Array(whole[..<mark.byteCount]))
            #expect(log.mark == mark)
            for line in lines[index...] { try log.append(line) }
            #expect(try copy.read(Self.path) == whole)
        }
    }

    /// What a run needs of its own log is in the other lines.
    @Test(arguments: [0, 2])
    func stepsOfEpochsLongOverAreLeftOut(stepsOfNewest: Int) throws {
        let disk = try disk()
        var lines: [MetricsRecord] = []
        for epoch in 1...4 {
            lines += (1...5).map { .step(Samples.step(5 * epoch + $0, epoch: epoch)) }
            if epoch == 2 { lines.append(.gap(GapRecord(firstStep: 16, lastStep: 17))) }
            lines.append(.epoch(Samples.epoch(epoch)))
        }
        lines += (0..<stepsOfNewest).map { .step(Samples.step(30 + $0, epoch: 5)) }
        let log = try log(disk)
        for line in lines { try log.append(line) }
        let (_, records) = try MetricsLog.resume(
            Self.path, provenance: Samples.provenance, from: #require(log.mark), disk: disk)
        let steps = records.filter { if case .step = $0 { true } else { false } }
        #expect(steps.count == 5 + stepsOfNewest)
        #expect(records.count == 1 + 1 + 4 + steps.count)
        var outcomes = [RunOutcome](
            repeating: RunOutcome(run: Samples.run(), provenance: Samples.provenance), count: 2)
        for record in records { outcomes[0].add(record) }
        for record in lines { outcomes[1].add(record) }
        #expect(outcomes[0] == outcomes[1])
    }

    @Test func aLogThatDoesNotFitIsLeftAlone() throws {
        let disk = try disk()
        let log = try log(disk)
        try log.append(.step(Samples.step(1)))
        let mark = try #require(log.mark)
        let whole = try disk.read(Self.path)
        var flipped = whole
        flipped[whole.count / 2] ^= 1
        for bytes in [Array(whole.dropLast()), flipped, []] {
            disk.overwrite(Self.path, with: bytes)
            #expect(throws: MetricsError.self) {
                try MetricsLog.resume(
                    Self.path, provenance: Samples.provenance, from: mark, disk: disk)
            }
            #expect(try disk.read(Self.path) == bytes)
        }
        disk.overwrite(Self.path, with: whole)
        var other = Samples.provenance
        other.datasetSHA256 = String(repeating: "99", count: 32)
        #expect(throws: MetricsError.self) {
            try MetricsLog.resume(Self.path, provenance: other, from: mark, disk: disk)
        }
    }

    // MARK: A full disk

    @Test func linesWaitForRoom() throws {
        let disk = try disk()
        var told: [String] = []
        let log = try log(disk) { told.append($0) }
        // Room for some lines and a half.
        disk.setCapacity(try disk.read(Self.path).count + 1_000)
        for step in 1...50 {
            try log.append(.step(Samples.step(step)))
            if step % 10 == 0 { try log.append(.epoch(Samples.epoch(step / 10))) }
        }
        #expect(log.mark == nil)
        #expect(told.count == 1 && told[0].contains(Self.path), "\(told)")
        #expect(told[0].contains("No space left") && told[0].contains("training continues"))
        // What is there is whole lines.
        #expect(try disk.read(Self.path).last == UInt8(ascii: "\n"))
        let before = try records(disk)
        #expect(before.count > 1 && before.count < 10)
        disk.setCapacity(nil)
        #expect(log.mark != nil)
        #expect(told.count == 2 && told[1].contains("no line is missing"), "\(told)")
        try log.append(.end(Samples.end()))
        let all = try records(disk)
        #expect(all.count == 1 + 50 + 5 + 1)
        #expect(all.prefix(before.count) == before[...])
        #expect(!all.contains { if case .gap = $0 { true } else { false } })
    }

    @Test func whatIsTooMuchIsSaidToBeMissing() throws {
        let disk = try disk()
        var told: [String] = []
        let log = try log(disk, maximumWaitingByteCount: 10_000) { told.append($0) }
        disk.setCapacity(try disk.read(Self.path).count)
        for step in 1...500 {
            try log.append(.step(Samples.step(step)))
            if step % 100 == 0 { try log.append(.epoch(Samples.epoch(step / 100))) }
        }
        disk.setCapacity(nil)
        for step in 501...510 { try log.append(.step(Samples.step(step))) }
        try log.append(.end(Samples.end()))
        #expect(told.count == 2 && told[1].contains("to 500 were too many"), "\(told)")
        let all = try records(disk)
        var steps: [Int] = []
        var epochs = 0
        var gaps: [GapRecord] = []
        for record in all {
            switch record {
            case .step(let record): steps.append(record.step)
            case .epoch: epochs += 1
            case .gap(let record): gaps.append(record)
            case .run, .evaluation, .end: break
            }
        }
        let gap = try #require(gaps.first)
        #expect(gaps.count == 1 && epochs == 5)
        #expect(steps == Array(1..<gap.firstStep) + Array(501...510))
        #expect(gap.firstStep > 20 && gap.lastStep == 500)
    }

    /// A run whose last line cannot be written has no end, and whoever asks is told.
    @Test func theEndMustBeWritten() throws {
        let disk = try disk()
        let log = try log(disk)
        try log.append(.step(Samples.step(1)))
        disk.setCapacity(try disk.read(Self.path).count)
        let error = #expect(throws: FileError.self) { try log.append(.end(Samples.end())) }
        #expect(error?.path == Self.path)
    }

    @Test func aRunDoesNotBeginOnAFullDisk() throws {
        let disk = try disk()
        disk.setCapacity(10)
        #expect(throws: FileError.self) { try log(disk) }
    }
}
