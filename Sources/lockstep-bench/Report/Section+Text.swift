import Foundation
package import TerminalText

extension Section {
    /// The table for a person, with its notes below.
    package func text(_ style: TextStyle) -> String {
        var lines = [style.bold(style.adapted(title))]
        if !figures.isEmpty { lines.append(table.text(style)) }
        lines += (floorNotes + notes).map { style.wrapped($0, indent: 2) }
        return lines.joined(separator: "\n")
    }

    /// Of the goals that ask for more than the floor of this machine leaves.
    private var floorNotes: [String] {
        figures.compactMap { figure in
            guard figure.isGoalBeyondFloor, let entry = figure.entry, let floor = figure.floor
            else { return nil }
            return "\(figure.what): the goal of \(entry.goal.text) lies beyond the measured floor, "
                + "\(Figures.fixed(floor.ratio, 2))×: \(floor.text)."
        }
    }

    private var table: TextTable {
        let peers = Set(figures.compactMap { $0.against?.name })
        let units = Set(figures.map(\.unit))
        let columns = columns(peers, units)
        var table = TextTable()
        table.addRule()
        table.add(columns.map(\.head))
        table.addRule()
        for figure in figures { table.add(columns.map { $0.cell(figure) }) }
        return table
    }

    private typealias Column = (head: String, cell: (Figure) -> String)

    /// Columns that would be empty are left out; a unit or a peer that all rows share is in the
    /// head.
    private func columns(_ peers: Set<String>, _ units: Set<String>) -> [Column] {
        let unit = units.count == 1 ? units.first : nil
        var columns: [Column] = [(subject, \.what)]
        if figures.contains(where: { $0.seconds != nil }) {
            let isLong = figures.allSatisfy { ($0.seconds ?? 1) >= 1e-3 }
            let (unit, factor) = isLong ? ("ms", 1e3) : ("µs", 1e6)
            columns.append((unit, { $0.seconds.map { Self.text($0 * factor) } ?? "" }))
        }
        columns.append(
            (
                unit.map { "\(side), \($0)" } ?? side,
                { unit == nil ? "\(Self.text($0.value)) \($0.unit)" : Self.text($0.value) }
            ))
        if !peers.isEmpty {
            let peer = peers.count == 1 ? peers.first : nil
            columns.append(
                (
                    peer ?? "against",
                    { figure in
                        guard let against = figure.against else { return "—" }
                        let value = Self.text(against.value)
                        return peer == nil ? "\(value) \(against.name)" : value
                    }
                ))
            columns.append(("ratio", { $0.ratio.map { Figures.fixed($0, 2) + "×" } ?? "—" }))
        }
        if figures.contains(where: { $0.spread != nil }) {
            columns.append(("rounds", \.spreadText))
        }
        if figures.contains(where: { $0.entry != nil }) {
            columns.append(("goal", { $0.entry?.goal.text ?? "" }))
            columns.append(("", \.verdict))
        }
        return columns
    }

    /// Three digits, or all of a whole number.
    static func text(_ value: Double) -> String {
        switch abs(value) {
        case 100...: Figures.fixed(value, 0)
        case 10..<100: Figures.fixed(value, 1)
        case 1..<10: Figures.fixed(value, 2)
        default: Figures.fixed(value, 3)
        }
    }
}

extension Figure {
    /// Lowest and highest ratio of the rounds: "2.31..2.58".
    package var spreadText: String {
        guard let spread else { return "" }
        return Figures.fixed(spread.lowerBound, 2) + ".." + Figures.fixed(spread.upperBound, 2)
    }

    /// In a word, whether the goal is reached.
    package var verdict: String {
        guard let isGoalReached else { return "" }
        if isGoalReached { return "reached" }
        return isGoalBeyondFloor ? "beyond floor" : "missed"
    }
}
