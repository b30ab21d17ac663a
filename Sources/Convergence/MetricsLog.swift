import Foundation

/// Writes `metrics.jsonl`, the source of truth about a run.
///
/// Step lines gather in memory and reach the file with the next evaluation, epoch or end, or when the
/// buffer is full; a crash may cut off the last line, which ``MetricsFile`` tolerates. Every line is
/// stamped with the provenance, so that none can be read without it.
package final class MetricsLog {
    package let path: String
    package let provenance: Provenance
    private let stamp: [UInt8]
    private let descriptor: Int32
    private var buffer = JSONLines()

    private static let bufferByteCount = 1 << 16

    /// Makes the file. One that is there already is never touched: it is another run's.
    package init(creating path: String, provenance: Provenance) throws(FileError) {
        self.path = path
        self.provenance = provenance
        stamp = provenance.stamp
        descriptor = try Files.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, for: .write)
        buffer.reserveCapacity(Self.bufferByteCount * 2)
    }

    deinit {
        // Too late to tell anybody: who cares about an error flushes before.
        try? flush()
        close(descriptor)
    }

    package func append(_ record: MetricsRecord) throws(FileError) {
        if case .end(let end) = record {
            precondition(end.provenance == provenance, "a run's end differs from its log")
        }
        record.write(to: &buffer, stamp: stamp)
        switch record {
        case .step:
            if buffer.bytes.count >= Self.bufferByteCount { try flush() }
        case .run, .evaluation, .epoch:
            try flush()
        case .end:
            try flush()
            try Files.synchronize(descriptor, path: path)
        }
    }

    /// Hands all lines to the system. What an error leaves unwritten is dropped: a retry after half
    /// a write would break a line.
    package func flush() throws(FileError) {
        defer { buffer.removeAll() }
        try Files.writeAll(buffer.bytes, to: descriptor, path: path)
    }
}

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
        "\(path), line \(line): \(reason); restore the file or train the run again"
    }
}

/// A log as it was read.
package struct MetricsFile: Equatable, Sendable {
    /// Missing only when the file holds no whole line.
    package private(set) var provenance: Provenance?
    package private(set) var records: [MetricsRecord] = []
    /// Length of a last line that a crash cut off, which is left out of the records.
    package private(set) var cutOffByteCount = 0

    /// - Throws: ``FileError``; ``MetricsError`` for a broken line anywhere but at a cut-off end, and
    ///   for lines out of place: the first is the run, all have one provenance, none follows the end.
    package init(reading path: String) throws {
        try self.init(decoding: Files.read(path), path: path)
    }

    init(decoding bytes: [UInt8], path: String) throws(MetricsError) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        var start = 0
        var number = 1
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            let line: MetricsLine
            do {
                line = try decoder.decode(MetricsLine.self, from: Data(bytes[start..<end]))
            } catch {
                guard end == bytes.endIndex else {
                    throw MetricsError(path: path, line: number, reason: Self.reason(error))
                }
                cutOffByteCount = end - start
                return
            }
            if let fault = fault(of: line) {
                throw MetricsError(path: path, line: number, reason: fault)
            }
            provenance = line.provenance
            records.append(line.record)
            start = end + 1
            number += 1
        }
    }

    private func fault(of line: MetricsLine) -> String? {
        if let provenance, provenance != line.provenance {
            return "belongs to another data set or configuration than the lines before"
        }
        if case .end = records.last { return "follows the end of the run" }
        if case .run = line.record {
            return records.isEmpty ? nil : "starts a run inside a run"
        }
        return records.isEmpty ? "is not the start of a run" : nil
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "lacks “\(key.stringValue)”"
        case DecodingError.valueNotFound(_, let context),
            DecodingError.typeMismatch(_, let context):
            "holds a value of another kind in “\(Self.name(context))”"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "holds an unknown value in “\(Self.name(context))”"
        default: "is no JSON object"
        }
    }

    private static func name(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".")
    }
}

/// A line with its stamp.
private struct MetricsLine: Decodable {
    let provenance: Provenance
    let record: MetricsRecord

    init(from decoder: any Decoder) throws {
        provenance = try Provenance(from: decoder)
        let event = try decoder.container(keyedBy: EventKey.self)
            .decode(MetricsRecord.Event.self, forKey: .event)
        record =
            switch event {
            case .run: .run(try RunRecord(from: decoder))
            case .step: .step(try StepRecord(from: decoder))
            case .evaluation: .evaluation(try EvaluationRecord(from: decoder))
            case .epoch: .epoch(try EpochRecord(from: decoder))
            case .end: .end(try EndRecord(from: decoder))
            }
    }
}
