import CrashPoints
import Formats
import Hashing

/// Writes `metrics.jsonl`, the source of truth about a run.
///
/// Step lines gather in memory and reach the file with the next evaluation, epoch, checkpoint or
/// end, or when there are many; a crash may cut off the last line, which ``MetricsFile`` tolerates.
/// Every line is stamped with the provenance, so that none can be read without it.
///
/// A disk that takes nothing does not end a run: lines wait in memory, up to a bound, until it
/// does. What is left out beyond the bound is said in the log by a ``GapRecord``.
package final class MetricsLog {
    package let path: String
    package let provenance: Provenance
    private let stamp: [UInt8]
    private let file: any DiskFile
    private let maximumWaitingByteCount: Int
    private let notice: (String) -> Void
    /// Lines that are not in the file.
    private var waiting = JSONLines()
    /// Of all lines in the file.
    private var writtenByteCount = 0
    private var writtenHash = SHA256()
    /// How many bytes waited at the last try that failed; nil where none has.
    private var failedByteCount: Int?
    /// Steps whose lines were left out and are not yet told of.
    private var gap: GapRecord?

    private static let flushByteCount = 1 << 16
    /// Half an hour's lines of the fastest runs.
    package static let defaultMaximumWaitingByteCount = 1 << 24

    /// Makes the file. One that holds anything is never touched: it is another run's.
    ///
    /// - Parameters:
    ///   - maximumWaitingByteCount: what a disk that takes nothing may keep waiting in memory.
    ///   - notice: called when lines begin to wait, and when they no longer do.
    package convenience init(
        creating path: String, provenance: Provenance, disk: any Disk = FileDisk(),
        maximumWaitingByteCount: Int = defaultMaximumWaitingByteCount,
        notice: @escaping (String) -> Void = { _ in }
    ) throws(FileError) {
        self.init(
            path, provenance, try disk.open(path, .create), maximumWaitingByteCount, notice)
        CrashPoint.logCreated.pass()
    }

    private init(
        _ path: String, _ provenance: Provenance, _ file: any DiskFile,
        _ maximumWaitingByteCount: Int, _ notice: @escaping (String) -> Void
    ) {
        self.path = path
        self.provenance = provenance
        self.file = file
        self.maximumWaitingByteCount = maximumWaitingByteCount
        self.notice = notice
        stamp = provenance.stamp
        waiting.reserveCapacity(Self.flushByteCount * 2)
    }

    /// Goes on with a log behind the mark of a checkpoint; what follows it is cut off.
    ///
    /// - Returns: the log, and the records up to the mark, but for the steps of epochs that are
    ///   long over.
    /// - Throws: ``MetricsError`` where the log is not what it was at the mark, which leaves it as
    ///   it is; ``FileError``.
    package static func resume(
        _ path: String, provenance: Provenance, from mark: LogMark, disk: any Disk = FileDisk(),
        maximumWaitingByteCount: Int = defaultMaximumWaitingByteCount,
        notice: @escaping (String) -> Void = { _ in }
    ) throws -> (log: MetricsLog, records: [MetricsRecord]) {
        let hash = try mark.hash(of: path, disk: disk)
        let earlier = try MetricsFile(
            withoutOldStepsOf: path, upTo: mark.byteCount, disk: disk)
        if let fault = earlier.fault { throw fault }
        guard earlier.provenance == provenance else {
            throw MetricsError(path: path, line: 1, reason: "belongs to another run")
        }
        let file = try disk.open(path, .update)
        CrashPoint.logCutting.pass()
        try file.truncate(to: mark.byteCount)
        CrashPoint.logCut.pass()
        let log = MetricsLog(path, provenance, file, maximumWaitingByteCount, notice)
        log.writtenByteCount = mark.byteCount
        log.writtenHash = hash
        return (log, earlier.records)
    }

    deinit {
        // Too late to tell anybody: who cares about an error ends the log before.
        flush()
    }

    /// Adds a line.
    ///
    /// - Throws: ``FileError`` where the first line, or the last one with those before it, cannot
    ///   be written; all others wait.
    package func append(_ record: MetricsRecord) throws(FileError) {
        if case .end(let end) = record {
            precondition(end.provenance == provenance, "a run's end differs from its log")
        }
        guard !leavesOut(record) else { return }
        record.write(to: &waiting, stamp: stamp)
        switch record {
        case .step:
            // A disk that has just failed is asked again when there is more to write.
            let due = Self.flushByteCount + (failedByteCount ?? 0)
            if waiting.bytes.count >= due { flush() }
        // A run that cannot even write its first line does not begin.
        case .run: try write()
        case .evaluation, .epoch, .gap: flush()
        case .end: try finish()
        }
    }

    /// Hands all lines to the system.
    ///
    /// - Returns: whether none waits any longer.
    @discardableResult
    package func flush() -> Bool {
        do throws(FileError) {
            try write()
        } catch {
            failed(error)
            return false
        }
        return true
    }

    /// The place behind all lines so far; nil where some of them are not in the file, or left out.
    package var mark: LogMark? {
        guard flush() else { return nil }
        return LogMark(byteCount: writtenByteCount, sha256: "\(writtenHash.finalized)")
    }

    private func finish() throws(FileError) {
        try write()
        try file.synchronize()
    }

    // MARK: The file

    private func write() throws(FileError) {
        do {
            try writeWaiting()
        } catch {
            // Half a line may be there. Where it cannot be cut off, the next try writes over it.
            try? file.truncate(to: writtenByteCount)
            throw error
        }
        if failedByteCount != nil { recovered() }
        if let left = gap {
            gap = nil
            MetricsRecord.gap(left).write(to: &waiting, stamp: stamp)
            try write()
        }
    }

    /// Writes what it can, and keeps what is behind the last whole line of that.
    private func writeWaiting() throws(FileError) {
        let bytes = waiting.bytes
        var count = 0
        var failure: FileError?
        CrashPoint.logWriting.pass()
        while count < bytes.count, failure == nil {
            do throws(FileError) {
                count += try file.write(bytes[count...], at: writtenByteCount + count)
            } catch {
                failure = error
            }
        }
        CrashPoint.logWritten.pass()
        let whole = bytes[..<count].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        writtenHash.update(bytes[..<whole])
        writtenByteCount += whole
        waiting.removeFirst(whole)
        if let failure { throw failure }
    }

    // MARK: A disk that takes nothing

    private func failed(_ error: FileError) {
        if failedByteCount == nil {
            notice(
                "lines of \(path) wait in memory until they can be written, and training continues: "
                    + "\(error)")
        }
        failedByteCount = waiting.bytes.count
    }

    private func recovered() {
        failedByteCount = nil
        if let gap {
            notice(
                "\(path) is written again; lines of steps \(gap.firstStep) to \(gap.lastStep) were "
                    + "too many to keep and are missing in it, which the log says")
        } else {
            notice("\(path) is written again, and no line is missing")
        }
    }

    /// Whether a line is one too many for the memory, and is noted as missing.
    ///
    /// The few lines of evaluations and epochs have as much room again, so that they outlast those
    /// of steps.
    private func leavesOut(_ record: MetricsRecord) -> Bool {
        let byteCount = waiting.bytes.count
        let step: Int
        switch record {
        case .run, .gap, .end: return false
        case .step(let record):
            guard byteCount >= maximumWaitingByteCount else { return false }
            step = record.step
        case .evaluation(let record):
            guard byteCount >= 2 * maximumWaitingByteCount else { return false }
            step = record.step
        case .epoch(let record):
            guard byteCount >= 2 * maximumWaitingByteCount else { return false }
            step = record.step
        }
        // There may be room by now.
        if flush() { return false }
        let first = gap?.firstStep ?? step
        gap = GapRecord(firstStep: min(first, step), lastStep: max(gap?.lastStep ?? step, step))
        return true
    }
}

extension LogMark {
    /// The digest of a log up to this mark, to be gone on with.
    ///
    /// - Throws: ``MetricsError`` why the log is not what it was at the mark; ``FileError``.
    func hash(of path: String, disk: any Disk = FileDisk()) throws -> SHA256 {
        var hash = SHA256()
        var (count, lineCount) = (0, 0)
        try disk.forEachPiece(of: path, upTo: byteCount) { piece in
            hash.update(piece)
            count += piece.count
            lineCount += piece.count { $0 == UInt8(ascii: "\n") }
        }
        guard count == byteCount else {
            throw MetricsError(
                path: path, line: lineCount + 1,
                reason: "the log ends after \(count) of the \(byteCount) bytes that it had at "
                    + "the checkpoint")
        }
        guard "\(hash.finalized)" == sha256 else {
            throw try MetricsFile.fault(in: path, disk: disk)
                ?? MetricsError(
                    path: path, line: 1,
                    reason: "the log's first \(byteCount) bytes are not those that it had at the "
                        + "checkpoint")
        }
        return hash
    }
}

extension SHA256 {
    /// The digest of all bytes so far, more of which may follow.
    fileprivate var finalized: Digest {
        let copy = self
        return copy.finalize()
    }
}
