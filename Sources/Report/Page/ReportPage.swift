package import RunRecords
package import Statistics
import TerminalText

/// A report as a value: HTML, Markdown, CSV and drawings are made of it by ``write(toFolder:)``.
///
/// All texts are plain: they are escaped where they are written, and bear no markup.
package struct ReportPage: Equatable, Sendable {
    package var title: String
    /// The answer in a few sentences, a paragraph each.
    package var summary: [String]
    package var sections: [Section]
    /// The runs behind the figures: embedded in the page, and written as CSV.
    package var runs: [RunOutcome]

    package struct Section: Equatable, Sendable {
        /// Names it in links; no other section of the page has it.
        package let id: String
        package var title: String
        package var blocks: [Block]

        package init(_ id: String, title: String, blocks: [Block]) {
            self.id = id
            self.title = title
            self.blocks = blocks
        }
    }

    package enum Block: Equatable, Sendable {
        case paragraph(String)
        case chart(Chart)
        case table(ReportTable)
        case claims([ClaimRow])
        /// A text as it is, folded away on the page.
        case document(title: String, text: String)
    }

    package init(title: String, summary: [String], sections: [Section], runs: [RunOutcome]) {
        self.title = title
        self.summary = summary
        self.sections = sections
        self.runs = runs
    }

    package var charts: [Chart] {
        sections.flatMap(\.blocks).compactMap { block in
            switch block {
            case .chart(let chart): chart
            case .paragraph, .table, .claims, .document: nil
            }
        }
    }

    package var tables: [ReportTable] {
        sections.flatMap(\.blocks).compactMap { block in
            switch block {
            case .table(let table): table
            case .paragraph, .chart, .claims, .document: nil
            }
        }
    }
}

/// A table whose figures are kept as numbers beside the texts that are shown.
package struct ReportTable: Equatable, Sendable {
    package enum Cell: Equatable, Sendable {
        case text(String)
        /// A figure as it was computed, and as it is shown. NaN is none, shown as a dash.
        case number(Double, shown: String)
    }

    package struct Heading: Equatable, Sendable {
        /// Names the column in the embedded data: the record's words, `test_accuracy` for instance.
        package let key: String
        package let title: String
    }

    /// A column that knows its heading and what stands in it beside a value of `Row`.
    package struct Column<Row> {
        let heading: Heading
        let cell: (Row) -> Cell

        package init(_ key: String, _ title: String? = nil, cell: @escaping (Row) -> Cell) {
            heading = Heading(key: key, title: title ?? key)
            self.cell = cell
        }

        /// - Parameter title: nil where the key says it already; so in all of these.
        package static func text(
            _ key: String, _ title: String? = nil, _ value: @escaping (Row) -> String
        ) -> Self {
            Self(key, title) { .text(value($0)) }
        }

        /// A figure that may be none, which is a dash.
        package static func number(
            _ key: String, _ title: String? = nil, shown: @escaping (Double) -> String,
            _ value: @escaping (Row) -> Double?
        ) -> Self {
            Self(key, title) { row in
                let value = value(row) ?? .nan
                return .number(value, shown: value.isFinite ? shown(value) : "—")
            }
        }

        /// With commas between thousands.
        package static func count(
            _ key: String, _ title: String? = nil, _ value: @escaping (Row) -> Int
        ) -> Self {
            fixed(key, title, digits: 0) { Double(value($0)) }
        }

        /// Shares as “96.81 %”.
        package static func percent(
            _ key: String, _ title: String? = nil, digits: Int = 2,
            _ value: @escaping (Row) -> Double?
        ) -> Self {
            number(key, title, shown: { Figures.fixed($0 * 100, digits) + " %" }, value)
        }

        package static func fixed(
            _ key: String, _ title: String? = nil, digits: Int, _ value: @escaping (Row) -> Double?
        ) -> Self {
            number(key, title, shown: { Figures.fixed($0, digits) }, value)
        }
    }

    /// Names it in the embedded data.
    package let name: String
    package let title: String
    package let source: ChartSource
    package let headings: [Heading]
    package let rows: [[Cell]]
    /// Below the table.
    package let note: String

    package init<Row>(
        name: String, title: String, source: ChartSource, of rows: [Row], columns: [Column<Row>],
        note: String = ""
    ) {
        self.name = name
        self.title = title
        self.source = source
        headings = columns.map(\.heading)
        self.rows = rows.map { row in columns.map { $0.cell(row) } }
        self.note = note
    }
}

extension ReportTable {
    /// Of a longer one the page has the first rows, and a file beside it has them all.
    private static let shownRowCount = 200

    var shownRows: ArraySlice<[Cell]> { rows.prefix(Self.shownRowCount) }
    var isCut: Bool { rows.count > Self.shownRowCount }

    /// Beside the page, where not all rows are shown.
    var file: String { "tables/\(name).csv" }

    /// Below the table.
    var notes: [String] {
        let cut =
            "The first \(Figures.count(shownRows.count)) of \(Figures.count(rows.count)) rows; all of "
            + "them are in \(file)."
        return (isCut ? [cut] : []) + (note.isEmpty ? [] : [note])
    }

    /// All rows, with figures as they were computed.
    var csv: String {
        CSV.text(
            headings.map(\.key),
            rows.lazy.map { row in
                row.map { cell in
                    switch cell {
                    case .text(let text): CSV.quoted(text)
                    case .number(let value, _): CSV.number(value)
                    }
                }
            })
    }
}

extension ReportTable.Cell {
    package var shown: String {
        switch self {
        case .text(let text), .number(_, let text): text
        }
    }
}

/// A sentence that can be tested, and what the runs say about it.
package struct ClaimRow: Equatable, Sendable {
    package var claim: String
    /// What was run to test it.
    package var experiment: String
    /// The figures with their interval.
    package var figure: String
    package var verdict: Verdict

    package init(claim: String, experiment: String, figure: String, verdict: Verdict) {
        self.claim = claim
        self.experiment = experiment
        self.figure = figure
        self.verdict = verdict
    }
}
