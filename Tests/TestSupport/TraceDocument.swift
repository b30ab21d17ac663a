import Foundation

/// A timeline in the JSON of `--trace`, as Perfetto reads it.
package struct TraceDocument: Decodable, Sendable {
    package struct Event: Decodable, Sendable {
        package struct Arguments: Decodable, Sendable {
            package var name: String?
            package var run: Int?
            package var step: Int?
            package var shard: Int?
            package var interleaved: Bool?
        }

        package let name: String
        /// `X`: a span; `M`: a name.
        package let ph: String
        /// Microseconds.
        package let ts: Double?
        package let dur: Double?
        package let pid: Int
        package let tid: Int?
        package let args: Arguments

        package var start: Double { ts ?? .nan }
        package var end: Double { start + (dur ?? .nan) }
        package var step: Int { args.step ?? -1 }
    }

    package let traceEvents: [Event]

    package init(_ path: String) throws {
        self = try JSONDecoder().decode(
            Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    package var spans: [Event] { traceEvents.filter { $0.ph == "X" } }

    /// By process number.
    package var processNames: [Int: String] {
        names("process_name").reduce(into: [:]) { $0[$1.pid] = $1.args.name }
    }

    /// The spans of each row, in the order of their beginnings, by its name.
    package var tracks: [String: [Event]] {
        let names = names("thread_name").reduce(into: [:]) { $0[$1.tid] = $1.args.name }
        return Dictionary(grouping: spans) { names[$0.tid].flatMap(\.self) ?? "?" }
            .mapValues { $0.sorted { ($0.start, $0.end) < ($1.start, $1.end) } }
    }

    private func names(_ kind: String) -> [Event] {
        traceEvents.filter { $0.ph == "M" && $0.name == kind }
    }

    /// The steps that have a span of this kind on a row.
    package func steps(_ kind: String, of track: String) -> [Int] {
        Set((tracks[track] ?? []).filter { $0.name == kind }.map(\.step)).sorted()
    }

    /// Spans of one row that begin before the one before has ended.
    package var overlaps: [(Event, Event)] {
        tracks.values.flatMap { spans in
            // Times have three decimals, which do not add up exactly.
            zip(spans, spans.dropFirst()).filter { $0.end > $1.start + 0.0005 }
        }
    }
}
