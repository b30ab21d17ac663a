import Foundation

/// A line of a log that is not what a log holds (exit code 65).
package struct MetricsError: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// Counted from 1.
    package let line: Int
    package let reason: String

    package init(path: String, line: Int, reason: String) {
        self.path = path
        self.line = line
        self.reason = reason
    }

    package var description: String {
        "\(path), line \(line): \(reason); restore the file, or train the run again with another --run-dir"
    }
}

/// A log as it was read.
package struct MetricsFile: Equatable, Sendable {
    /// Missing only when the file holds no whole line.
    package private(set) var provenance: Provenance?
    package private(set) var records: [MetricsRecord] = []
    /// Length of a last line that a crash cut off, which is left out of the records.
    package private(set) var cutOffByteCount = 0
    /// The first line that is none of a log, which is left out with all behind it.
    package private(set) var fault: MetricsError?

    /// - Throws: ``FileError``; ``MetricsError`` for a broken line anywhere but at a cut-off end,
    ///   and for lines out of place: the first is the run, all have one provenance, none follows
    ///   the end.
    package init(reading path: String) throws {
        var records: [MetricsRecord] = []
        let reader = try Self.read(path, disk: FileDisk()) { record, _ in records.append(record) }
        self.init(reader, records)
        if let fault { throw fault }
    }

    private init(_ reader: LogReader, _ records: [MetricsRecord]) {
        provenance = reader.provenance
        self.records = records
        cutOffByteCount = reader.cutOffByteCount
        fault = reader.fault
    }

    /// The log's first line alone, or why it is none.
    init(firstLineOf path: String) throws(FileError) {
        var reader = LogReader(path)
        var records: [MetricsRecord] = []
        try FileDisk().forEachLine(of: path) { line, place in
            if let record = reader.record(line, place) { records.append(record) }
            return false
        }
        self.init(reader, records)
    }

    /// The log without the steps of epochs that are long over: a run that continues needs nothing
    /// of them, nor does who looks at its result, and a long one has millions.
    ///
    /// Of a step that is left out only the two ends are looked at.
    init(
        withoutOldStepsOf path: String, upTo byteCount: Int = .max, disk: any Disk = FileDisk()
    ) throws(FileError) {
        let epochStart = MetricsRecord.Event.epoch.lineStart
        var epochEnds = (newest: 0, before: 0)
        try disk.forEachLine(of: path, upTo: byteCount) { line, place in
            if line.starts(with: epochStart) {
                epochEnds = (newest: place.offset, before: epochEnds.newest)
            }
            return true
        }
        var records: [MetricsRecord] = []
        let firstStep = epochEnds.before
        let reader = try Self.read(path, upTo: byteCount, stepsFrom: firstStep, disk: disk) {
            record, _ in records.append(record)
        }
        self.init(reader, records)
    }

    /// Hands out the records of a log one by one, in memory that does not grow with their number.
    ///
    /// - Throws: as ``init(reading:)``.
    package static func forEachRecord(
        of path: String, _ body: (MetricsRecord, Provenance) -> Void
    ) throws {
        let reader = try read(path, disk: FileDisk(), body)
        if let fault = reader.fault { throw fault }
    }

    /// What is wrong with a log; nil where nothing is.
    static func fault(
        in path: String, disk: any Disk = FileDisk()
    ) throws(FileError) -> MetricsError? {
        try read(path, disk: disk) { _, _ in }.fault
    }

    /// - Parameter firstStep: lines of steps that stand before this byte are left out unread.
    private static func read(
        _ path: String, upTo byteCount: Int = .max, stepsFrom firstStep: Int = 0, disk: any Disk,
        _ body: (MetricsRecord, Provenance) -> Void
    ) throws(FileError) -> LogReader {
        var reader = LogReader(path)
        try disk.forEachLine(of: path, upTo: byteCount) { line, place in
            if place.offset < firstStep, reader.looksLikeStep(line) { return true }
            guard let record = reader.record(line, place), let provenance = reader.provenance
            else { return false }
            body(record, provenance)
            return true
        }
        return reader
    }

    /// The end that a log's last line tells of; nil where that is another line, or half of one.
    /// Nothing else is read.
    package static func end(of path: String) throws(FileError) -> EndRecord? {
        let byteCount = try Files.byteCount(path)
        var count = lastLineByteCount
        while true {
            let start = max(0, byteCount - count)
            var bytes = try Files.read(path, from: start, count: byteCount - start)
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            let feed = bytes.lastIndex(of: UInt8(ascii: "\n"))
            // A cause may be long.
            guard feed != nil || start == 0 else {
                count *= 2
                continue
            }
            let line = bytes[(feed.map { $0 + 1 } ?? 0)...]
            guard line.starts(with: MetricsRecord.Event.end.lineStart) else { return nil }
            return try? JSONDecoder().decode(EndRecord.self, from: Data(line))
        }
    }

    /// Longer than most last lines.
    private static let lastLineByteCount = 4_096
}
