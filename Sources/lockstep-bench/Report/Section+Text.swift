import Convergence
import Foundation

extension Section {
    /// The table for a person, with its notes below.
    func text(_ style: TextStyle) -> String {
        var lines = [style.bold(style.adapted(title))]
        if !figures.isEmpty { lines.append(table.text(style)) }
        lines += notes.map { style.wrapped($0, indent: 2) }
        return lines.joined(separator: "\n")
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
            columns.append(("µs", { $0.seconds.map { Self.text($0 * 1e6) } ?? "" }))
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
        if figures.contains(where: { $0.goal != nil }) {
            columns.append(("goal", { $0.goal?.text ?? "" }))
            columns.append(("", { $0.isGoalReached.map { $0 ? "reached" : "missed" } ?? "" }))
        }
        return columns
    }

    /// Three digits, or all of a whole number.
    private static func text(_ value: Double) -> String {
        switch abs(value) {
        case 100...: Figures.fixed(value, 0)
        case 10..<100: Figures.fixed(value, 1)
        case 1..<10: Figures.fixed(value, 2)
        default: Figures.fixed(value, 3)
        }
    }
}
