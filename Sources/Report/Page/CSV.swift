/// Comma-separated values: RFC 4180 with line feeds. A figure that is none is an empty cell.
enum CSV {
    static func text(_ columns: [String], _ rows: some Sequence<[String]>) -> String {
        var text = columns.joined(separator: ",") + "\n"
        for row in rows {
            text += row.joined(separator: ",")
            text += "\n"
        }
        return text
    }

    /// The shortest decimal that reads back the same.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "" }
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    static func quoted(_ text: String) -> String {
        guard text.utf8.contains(where: needsQuotes) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    private static func needsQuotes(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
        default: false
        }
    }
}
