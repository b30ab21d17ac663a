import Foundation

/// A JSON document to be embedded in a page.
enum JSONValue {
    case text(String)
    case integer(Int)
    /// What is not finite becomes null, as in the log.
    case number(Double)
    case null
    case array([JSONValue])
    /// Members keep their order.
    case object(KeyValuePairs<String, JSONValue>)

    var serialized: String {
        var result = ""
        write(to: &result)
        return result
    }

    private func write(to result: inout String) {
        switch self {
        case .text(let text): Self.write(text, to: &result)
        case .integer(let value): result += String(value)
        case .number(let value): result += Self.text(value)
        case .null: result += "null"
        case .array(let values):
            result += "["
            for (index, value) in values.enumerated() {
                if index > 0 { result += "," }
                value.write(to: &result)
            }
            result += "]"
        case .object(let members):
            result += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { result += "," }
                Self.write(member.key, to: &result)
                result += ":"
                member.value.write(to: &result)
            }
            result += "}"
        }
    }

    /// The shortest decimal that reads back as the same value.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// Signs with a meaning in HTML are escaped, so that no text can end the script that holds it.
    private static func write(_ text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}":
                result += String(format: "\\u%04x", scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }
}
