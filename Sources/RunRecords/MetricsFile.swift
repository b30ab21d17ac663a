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
        try self.init(decoding: Files.read(path), path: path)
    }

    init(decoding bytes: [UInt8], path: String) throws(MetricsError) {
        self.init(wholeLinesOf: bytes, path: path)
        if let fault { throw fault }
    }

    /// The lines up to the first one that is broken or out of place.
    ///
    /// - Parameter start: lines of steps before it are left out unread.
    init(wholeLinesOf bytes: [UInt8], path: String, stepsFrom firstStep: Int = 0) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let stepStart = MetricsRecord.Event.step.lineStart
        var start = 0
        var number = 1
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            if start < firstStep, bytes[start..<end].starts(with: stepStart) {
                start = end + 1
                number += 1
                continue
            }
            let line: MetricsLine
            do {
                line = try decoder.decode(MetricsLine.self, from: Data(bytes[start..<end]))
            } catch {
                if end == bytes.endIndex {
                    cutOffByteCount = end - start
                } else {
                    fault = MetricsError(path: path, line: number, reason: Self.reason(error))
                }
                return
            }
            if let reason = misplacement(of: line) {
                fault = MetricsError(path: path, line: number, reason: reason)
                return
            }
            provenance = line.provenance
            records.append(line.record)
            start = end + 1
            number += 1
        }
    }

    /// The lines of a log that this program has written and that is as it was then, but for the
    /// steps of epochs that are long over: of these a run that goes on needs nothing, and a long
    /// one has millions.
    init(resuming bytes: [UInt8], path: String) throws(MetricsError) {
        var epochEnds = (newest: 0, before: 0)
        Self.forEachLine(of: .epoch, in: bytes) { line in
            epochEnds = (newest: line.endIndex, before: epochEnds.newest)
        }
        self.init(wholeLinesOf: bytes, path: path, stepsFrom: epochEnds.before)
        if let fault { throw fault }
    }

    /// The end that a log tells of, found without a look at the other lines; nil where there is
    /// none.
    static func end(in bytes: [UInt8]) -> EndRecord? {
        var end: EndRecord?
        forEachLine(of: .end, in: bytes) { line in
            end = try? JSONDecoder().decode(EndRecord.self, from: Data(line))
        }
        return end
    }

    private static func forEachLine(
        of event: MetricsRecord.Event, in bytes: [UInt8], _ body: (ArraySlice<UInt8>) -> Void
    ) {
        let lineStart = event.lineStart
        var start = 0
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            if bytes[start..<end].starts(with: lineStart) { body(bytes[start..<end]) }
            start = end + 1
        }
    }

    private func misplacement(of line: MetricsLine) -> String? {
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
        default: "is not a JSON object"
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
            case .gap: .gap(try GapRecord(from: decoder))
            case .end: .end(try EndRecord(from: decoder))
            }
    }
}
