/// Cells in aligned columns. In a table of figures the first column stands to the left and the
/// others to the right; in one of words all stand to the left.
package struct TextTable {
    private enum Row {
        case cells([String])
        case rule
    }

    private var rows: [Row] = []
    private let holdsWords: Bool

    /// A table of figures.
    package init() { holdsWords = false }

    /// A table of words, two blanks between the columns.
    package init(words rows: [[String]]) {
        self.rows = rows.map(Row.cells)
        holdsWords = true
    }

    package mutating func add(_ cells: [String]) {
        rows.append(.cells(cells))
    }

    /// A thin line over the whole width.
    package mutating func addRule() {
        rows.append(.rule)
    }

    /// Lines without spaces at their ends. The gap between columns shrinks where that makes the
    /// table fit the width; a wider one is not cut, for no figure may be lost.
    package func text(_ style: TextStyle = TextStyle()) -> String {
        let adapted = rows.map { row in
            switch row {
            case .cells(let cells): Row.cells(cells.map(style.adapted))
            case .rule: Row.rule
            }
        }
        var widths: [Int] = []
        for case .cells(let cells) in adapted {
            for (column, cell) in cells.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        let content = widths.reduce(0, +)
        let gaps = max(1, widths.count - 1)
        let gap = holdsWords ? 2 : min(4, max(2, (style.width - content) / gaps))
        return adapted.map { row in
            switch row {
            case .rule: style.rule(content + gap * (widths.count - 1))
            case .cells(let cells): line(cells, widths: widths, gap: gap)
            }
        }.joined(separator: "\n")
    }

    private func line(_ cells: [String], widths: [Int], gap: Int) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            if column > 0 { line += String(repeating: " ", count: gap) }
            line += column == 0 || holdsWords ? cell + padding : padding + cell
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
