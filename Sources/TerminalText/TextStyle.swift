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

    /// The text with the signs that the style allows; columns are counted after it. Letters stay:
    /// a folder may have them in its name.
    package func adapted(_ text: String) -> String {
        guard !usesUnicode else { return text }
        return text.reduce(into: "") { result, sign in
            result += Self.asciiSigns[sign] ?? (sign.isASCII || sign.isLetter ? String(sign) : "?")
        }
    }

    private static let asciiSigns: [Character: String] = [
        "±": "+-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "−": "-", "–": "-", "—": "-",
        "·": "|",
        "→": "->", "×": "x", "“": "\"", "”": "\"", "‘": "'", "’": "'", "…": "...", "µ": "u",
        "μ": "u", "χ": "chi", "²": "^2", "³": "^3", "\u{A0}": " ", "░": ".", "█": "#",
    ]

    /// Breaks a text between words, `indent` columns from the left; a number keeps its sign and
    /// unit.
    package func wrapped(_ text: String, indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        let bound = adapted(text).replacing(" %", with: "\u{A0}%")
            .replacing(" ± ", with: "\u{A0}±\u{A0}").replacing(" +- ", with: "\u{A0}+-\u{A0}")
        for word in bound.split(separator: " ") {
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
