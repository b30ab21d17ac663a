import Foundation

/// Reads a log line by line, and proves that its lines belong together.
struct LogReader {
    let path: String
    private(set) var provenance: Provenance?
    /// Length of a last line that a crash cut off.
    private(set) var cutOffByteCount = 0
    /// The first line that is none of a log. Nothing behind it counts.
    private(set) var fault: MetricsError?
    /// What every line but an end's ends with, without its brace; empty before the first.
    private var stamp: [UInt8] = []
    private var hasEnded = false
    private let decoder: JSONDecoder

    init(_ path: String) {
        self.path = path
        decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
    }

    /// - Returns: nil at a line that was cut off, or is none of a log.
    mutating func record(_ line: Span<UInt8>, _ place: LinePlace) -> MetricsRecord? {
        if !stamp.isEmpty, !hasEnded,
            let record = try? MetricsRecord(asWritten: line, stamp: stamp)
        {
            return record
        }
        let decoded: MetricsLine
        do {
            decoded = try decoder.decode(MetricsLine.self, from: line.data)
        } catch {
            if place.isWhole {
                fault = MetricsError(path: path, line: place.number, reason: Self.reason(error))
            } else {
                cutOffByteCount = line.count
            }
            return nil
        }
        if let reason = misplacement(of: decoded) {
            fault = MetricsError(path: path, line: place.number, reason: reason)
            return nil
        }
        if provenance == nil {
            provenance = decoded.provenance
            stamp = decoded.provenance.stamp
        }
        if case .end = decoded.record { hasEnded = true }
        return decoded.record
    }

    /// Whether a line looks like a step's of this run, from its two ends.
    func looksLikeStep(_ line: Span<UInt8>) -> Bool {
        !stamp.isEmpty && !hasEnded && line.starts(with: Self.stepStart)
            && line[line.count - 1] == UInt8(ascii: "}")
            && line.extracting(droppingLast: 1).ends(with: stamp)
    }

    private static let stepStart = MetricsRecord.Event.step.lineStart

    private func misplacement(of line: MetricsLine) -> String? {
        if let provenance, provenance != line.provenance {
            return "belongs to another data set or configuration than the lines before"
        }
        if hasEnded { return "follows the end of the run" }
        if case .run = line.record {
            return provenance == nil ? nil : "starts a run inside a run"
        }
        return provenance == nil ? "is not the start of a run" : nil
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
