import Foundation

/// How text for a person may look where it is shown.
package struct TextStyle: Equatable, Sendable {
    /// Columns that a line may take.
    package var width: Int
    /// Without it, only ASCII is printed.
    package var usesUnicode: Bool
    /// ANSI colours, for terminals only.
    package var usesColour: Bool

    package init(width: Int = 80, usesUnicode: Bool = true, usesColour: Bool = false) {
        self.width = width
        self.usesUnicode = usesUnicode
        self.usesColour = usesColour
    }

    package enum Colour: Int, CaseIterable {
        case cyan = 36
        case yellow = 33
        case magenta = 35
        case green = 32
        case blue = 34
        case red = 31
    }

    package func coloured(_ text: String, _ colour: Colour) -> String {
        usesColour ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    package func bold(_ text: String) -> String {
        usesColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text
    }

    /// A thin line of `length` columns.
    package func rule(_ length: Int) -> String {
        String(repeating: usesUnicode ? "─" : "-", count: max(0, length))
    }

    /// The text with the signs that the style allows; columns are counted after it.
    package func adapted(_ text: String) -> String {
        guard !usesUnicode else { return text }
        return text.reduce(into: "") { $0 += Self.asciiSigns[$1] ?? String($1) }
    }

    private static let asciiSigns: [Character: String] = [
        "±": "+-", "≥": ">=", "−": "-", "–": "-", "—": "-", "·": "|", "→": "->", "×": "x",
        "“": "\"", "”": "\"", "…": "...",
    ]

    /// Breaks a text between words, `indent` columns from the left; a number keeps its sign and
    /// unit.
    package func wrapped(_ text: String, indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        let bound = text.replacing(" %", with: "\u{A0}%").replacing(" ± ", with: "\u{A0}±\u{A0}")
        for word in adapted(bound).split(separator: " ") {
            if !line.isEmpty, indent + line.count + 1 + word.count > width {
                lines.append(margin + line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        lines.append(margin + line)
        return lines.joined(separator: "\n").replacing("\u{A0}", with: " ")
    }
}

/// Numbers as a person reads them, the same in every locale.
package enum Figures {
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "—" }
        let text = String(format: "%.*f", digits, abs(value))
        let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
        return (value < 0 && !isZero ? "−" : "") + grouped(text)
    }

    package static func count(_ value: Int) -> String {
        (value < 0 ? "−" : "") + grouped(String(value.magnitude))
    }

    static func signed(_ value: Double, _ digits: Int) -> String {
        let text = fixed(value, digits)
        return value > 0 && text.contains { "123456789".contains($0) } ? "+" + text : text
    }

    /// “1 seed”, “3 seeds”.
    package static func plural(_ count: Int, _ noun: String) -> String {
        "\(Figures.count(count)) \(noun)\(count == 1 ? "" : "s")"
    }

    /// The mean, and where there are several values what they scatter by.
    static func meanAndDeviation(_ summary: Summary?, _ digits: Int, scale: Double = 1) -> String {
        guard let summary else { return "—" }
        let mean = fixed(summary.mean * scale, digits)
        return summary.standardDeviation.map { "\(mean) ± \(fixed($0 * scale, digits))" } ?? mean
    }

    /// The first eight digits, enough to tell runs apart.
    package static func shortHash(_ hash: String) -> String {
        hash.isEmpty ? "—" : String(hash.prefix(8))
    }

    /// Commas between thousands of the whole part.
    private static func grouped(_ text: String) -> String {
        let whole = text.prefix { $0 != "." }
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index).isMultiple(of: 3) { result += "," }
            result.append(digit)
        }
        return result + text.dropFirst(whole.count)
    }
}

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
