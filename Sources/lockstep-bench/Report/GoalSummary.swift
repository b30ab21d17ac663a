import Foundation
package import TerminalText

/// Every goal, with the figure measured for it: the table at the end of `all`.
package struct GoalSummary {
    /// One goal. Where several figures were measured for it, the one furthest from it counts.
    private struct Row {
        let entry: GoalEntry
        /// Nil where nothing was measured.
        let worst: Figure?
        let figureCount: Int

        var verdict: String {
            guard let worst else { return "not measured" }
            guard let isReached = worst.isGoalReached else { return "nothing to compare" }
            return isReached
                ? "reached" : worst.isGoalBeyondFloor ? "beyond floor" : "missed"
        }
    }

    private let rows: [Row]

    package init(_ entries: [GoalEntry], _ figures: [Figure]) {
        rows = entries.map { entry in
            let measured = figures.filter { $0.entry == entry }
            let compared = measured.filter { $0.ratio != nil }
            let worst = compared.min {
                entry.goal.attainment(of: $0.ratio ?? .nan)
                    < entry.goal.attainment(of: $1.ratio ?? .nan)
            }
            return Row(
                entry: entry, worst: worst ?? measured.first, figureCount: compared.count)
        }
    }

    package func text(_ style: TextStyle) -> String {
        var table = TextTable()
        table.addRule()
        table.add(["what, and against what", "at", "goal", "ratio", "rounds", ""])
        table.addRule()
        table.addGoals(rows.map(\.entry)) { index in
            let row = rows[index]
            return [
                row.worst?.ratio.map { Figures.fixed($0, 2) + "×" } ?? "—",
                row.worst?.spreadText ?? "", row.verdict,
            ]
        }
        var lines = [style.bold("Goals"), table.text(style)]
        for row in rows where row.worst?.isGoalReached == false {
            guard let worst = row.worst, worst.isGoalBeyondFloor, let floor = worst.floor
            else { continue }
            lines.append(
                style.wrapped(
                    "\(row.entry.row.what), \(row.entry.place): the floor is "
                        + "\(Figures.fixed(floor.ratio, 2))×: \(floor.text).", indent: 2))
        }
        let verdicts = rows.map(\.verdict)
        let counts = ["reached", "missed", "beyond floor", "nothing to compare", "not measured"]
            .map { verdict in (verdict, verdicts.count { $0 == verdict }) }
            .filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
        lines.append("  \(rows.count) goals: " + counts.joined(separator: ", ") + ".")
        return lines.joined(separator: "\n")
    }

    /// One object a goal.
    package func jsonLines() throws -> [String] {
        try rows.map { row in
            try Section.json(
                Line(
                    row: row.entry.row.rawValue, place: row.entry.place,
                    what: row.entry.row.what, against: row.entry.row.beat,
                    goal: row.entry.goal.text, ratio: row.worst?.ratio,
                    ratioLowest: row.worst?.spread?.lowerBound,
                    ratioHighest: row.worst?.spread?.upperBound, verdict: row.verdict,
                    figures: row.figureCount, floor: row.worst?.floor?.text))
        }
    }

    private struct Line: Encodable {
        let command = "all"
        let section = "Goals"
        let row: String
        let place: String
        let what: String
        let against: String
        let goal: String
        let ratio: Double?
        let ratioLowest: Double?
        let ratioHighest: Double?
        let verdict: String
        let figures: Int
        let floor: String?

        enum CodingKeys: String, CodingKey {
            case command, section, row, place, what, against, goal, ratio, verdict, figures, floor
            case ratioLowest = "ratio_lowest"
            case ratioHighest = "ratio_highest"
        }
    }
}

extension TextTable {
    /// Rows of goals: what is measured and, on the next line, against what; then place, goal and
    /// the cells for each.
    mutating func addGoals(_ entries: [GoalEntry], cells: (Int) -> [String]) {
        for (index, entry) in entries.enumerated() {
            let isFirst = index == 0 || entries[index - 1].row != entry.row
            let isSecond = !isFirst && (index == 1 || entries[index - 2].row != entry.row)
            let name = isFirst ? entry.row.what : isSecond ? "  \(entry.row.beat)" : ""
            add([name, entry.place, entry.goal.text] + cells(index))
            let isLast = index + 1 == entries.count || entries[index + 1].row != entry.row
            if isFirst && isLast { add(["  \(entry.row.beat)"]) }
        }
    }
}
