import Foundation

/// Builds SVG and HTML, escaping all that comes from outside.
struct Markup {
    private(set) var text = ""

    /// Of text between tags and of attributes in double quotes.
    static func escaped(_ text: String) -> String {
        if text.utf8.allSatisfy(isPlain) { return text }
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // XML has no way to write these.
            case "\u{0}"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}":
                result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whether a byte of UTF-8 has no meaning in markup, and begins no sign that XML has not.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""),
            UInt8(ascii: "'"), 0xEF:
            false
        default: byte >= 0x20
        }
    }

    /// A length in drawing units, to a tenth: finer than any screen shows.
    static func number(_ value: Double) -> String {
        let tenths = (value * 10).rounded()
        precondition(abs(tenths) < 1e9, "a place outside any drawing")
        let whole = Int(tenths)
        let sign = whole < 0 ? "-" : ""
        let (units, rest) = whole.magnitude.quotientAndRemainder(dividingBy: 10)
        return rest == 0 ? "\(sign)\(units)" : "\(sign)\(units).\(rest)"
    }

    mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String> = [:]) {
        begin(name, attributes)
        text += ">"
    }

    mutating func close(_ name: String) { text += "</\(name)>\n" }

    /// An element without content.
    mutating func empty(_ name: String, _ attributes: KeyValuePairs<String, String>) {
        begin(name, attributes)
        text += "/>\n"
    }

    mutating func element(_ name: String, _ content: String) { element(name, [:], content) }

    mutating func element(
        _ name: String, _ attributes: KeyValuePairs<String, String>, _ content: String
    ) {
        open(name, attributes)
        text += Self.escaped(content)
        close(name)
    }

    /// What is markup already.
    mutating func add(_ markup: String) { text += markup }

    private mutating func begin(_ name: String, _ attributes: KeyValuePairs<String, String>) {
        text += "<\(name)"
        for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
    }
}

/// How wide a text is, closely enough to place it: no font is at hand.
enum TextWidth {
    /// Bold letters of 12 are as wide as others of this size.
    static let boldSize = 13.7

    static func of(_ text: String, size: Double = 12) -> Double {
        text.reduce(0) { $0 + width($1) } * size
    }

    private static func width(_ character: Character) -> Double {
        switch character {
        case "i", "l", "j", "I", ".", ",", ":", ";", "|", "'", "·", " ", "f", "t", "r": 0.32
        case "m", "w", "M", "W", "%", "—": 0.88
        case _ where character.isUppercase: 0.68
        default: 0.57
        }
    }

    /// Breaks between words.
    static func lines(_ text: String, width: Double, size: Double) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            let longer = line.isEmpty ? String(word) : line + " " + word
            if !line.isEmpty, of(longer, size: size) > width {
                lines.append(line)
                line = String(word)
            } else {
                line = longer
            }
        }
        return line.isEmpty ? lines : lines + [line]
    }
}

/// Where things are put on a drawing.
struct SVGCanvas {
    var markup = Markup()

    enum Anchor: String {
        case start, middle, end
    }

    mutating func text(
        _ text: String, x: Double, y: Double, class name: String = "label",
        anchor: Anchor = .start
    ) {
        markup.element(
            "text",
            [
                "class": name, "x": Markup.number(x), "y": Markup.number(y),
                "text-anchor": anchor.rawValue,
            ], text)
    }

    mutating func line(
        x1: Double, y1: Double, x2: Double, y2: Double, class name: String
    ) {
        markup.empty(
            "path",
            [
                "class": name,
                "d": "M\(Markup.number(x1)) \(Markup.number(y1))"
                    + "L\(Markup.number(x2)) \(Markup.number(y2))",
            ])
    }

    mutating func path(
        _ points: [(x: Double, y: Double)], class name: String, isClosed: Bool = false
    ) {
        guard points.count > 1 else { return }
        var path = ""
        for (index, point) in points.enumerated() {
            path += "\(index == 0 ? "M" : "L")\(Markup.number(point.x)) \(Markup.number(point.y))"
        }
        markup.empty("path", ["class": name, "d": path + (isClosed ? "Z" : "")])
    }

    mutating func circle(x: Double, y: Double, radius: Double, class name: String) {
        markup.empty(
            "circle",
            [
                "class": name, "cx": Markup.number(x), "cy": Markup.number(y),
                "r": Markup.number(radius),
            ])
    }

    mutating func rectangle(
        x: Double, y: Double, width: Double, height: Double, class name: String,
        opacity: Double? = nil
    ) {
        let shape: KeyValuePairs = [
            "class": name, "x": Markup.number(x), "y": Markup.number(y),
            "width": Markup.number(max(width, 0)), "height": Markup.number(max(height, 0)),
            "fill-opacity": opacity.map { String(format: "%.3f", $0) } ?? "1",
        ]
        markup.empty("rect", shape)
    }
}
