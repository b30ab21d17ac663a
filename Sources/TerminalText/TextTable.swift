/// Cells in aligned columns: the first to the left, the others to the right.
package struct TextTable {
    private enum Row {
        case cells([String])
        case rule
    }

    private var rows: [Row] = []

    package init() {}

    package mutating func add(_ cells: [String]) {
        rows.append(.cells(cells))
    }

    /// A thin line over the whole width.
    package mutating func addRule() {
        rows.append(.rule)
    }

    /// Lines without spaces at their ends. The gap between columns shrinks where that makes the
    /// table fit the width; a wider one is not cut, for no figure may be lost.
    package func text(_ style: TextStyle) -> String {
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
        let gap = min(4, max(2, (style.width - content) / gaps))
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
            line +=
                column == 0 ? cell + padding : String(repeating: " ", count: gap) + padding + cell
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
