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
        package var title: String
        package var blocks: [Block]

        package init(title: String, blocks: [Block]) {
            self.title = title
            self.blocks = blocks
        }
    }

    package enum Block: Equatable, Sendable {
        case paragraph(String)
        case chart(Chart)
        case table(ReportTable)
        case claims([ClaimRow])
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
            case .paragraph, .table, .claims: nil
            }
        }
    }

    package var tables: [ReportTable] {
        sections.flatMap(\.blocks).compactMap { block in
            switch block {
            case .table(let table): table
            case .paragraph, .chart, .claims: nil
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

    package struct Column: Equatable, Sendable {
        /// Names it in the embedded data: the record's words, `test_accuracy` for instance.
        package var key: String
        package var title: String

        package init(key: String, title: String) {
            self.key = key
            self.title = title
        }
    }

    /// Names it in the embedded data.
    package var name: String
    package var title: String
    package var source: ChartSource
    package var columns: [Column]
    package private(set) var rows: [[Cell]] = []
    /// Below the table.
    package var note: String

    package init(
        name: String, title: String, source: ChartSource, columns: [Column], note: String = ""
    ) {
        self.name = name
        self.title = title
        self.source = source
        self.columns = columns
        self.note = note
    }

    package mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count, "a cell for each column")
        rows.append(row)
    }
}

extension ReportTable.Cell {
    /// A count with commas between thousands.
    package static func count(_ value: Int) -> Self {
        .number(Double(value), shown: Figures.count(value))
    }

    /// A share as “96.81 %”.
    package static func percent(_ share: Double, digits: Int = 2) -> Self {
        .number(share, shown: share.isFinite ? Figures.fixed(share * 100, digits) + " %" : "—")
    }

    package static func fixed(_ value: Double, digits: Int) -> Self {
        .number(value, shown: Figures.fixed(value, digits))
    }

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
    package var verdict: Finding.Verdict

    package init(claim: String, experiment: String, figure: String, verdict: Finding.Verdict) {
        self.claim = claim
        self.experiment = experiment
        self.figure = figure
        self.verdict = verdict
    }
}
