import Foundation
import TerminalText

/// What a drawing is made for.
package enum ChartSize: String, CaseIterable, Sendable {
    /// For a laptop's window and for print.
    case wide
    /// For a phone, with the same size of letters.
    case narrow

    var width: Double {
        switch self {
        case .wide: 680
        case .narrow: 328
        }
    }
}

/// The inner part of a drawing, without head and frame.
struct DrawnChart {
    var height: Double
    var markup: String
}

extension Chart {
    /// A file of its own: head, source and drawing, with its colours for light and dark.
    package func svgFile(_ size: ChartSize = .wide) -> String {
        var canvas = SVGCanvas()
        var y = 24.0
        for line in TextWidth.lines(title, width: size.width - 8, size: 17) {
            canvas.text(line, x: 0, y: y, class: "title")
            y += 22
        }
        for line in TextWidth.lines(source.text, width: size.width - 8, size: 12) {
            canvas.text(line, x: 0, y: y, class: "label")
            y += 16
        }
        y += 4
        let drawing = drawn(size)
        canvas.markup.open("g", ["transform": "translate(0 \(Markup.number(y)))"])
        canvas.markup.add(drawing.markup)
        canvas.markup.close("g")
        var markup = Markup()
        markup.add("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        let (width, height) = (size.width, y + drawing.height)
        markup.open(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": "-12 0 \(Markup.number(width + 24)) \(Markup.number(height + 12))",
                "width": Markup.number(width + 24), "height": Markup.number(height + 12),
                "role": "img", "aria-labelledby": "t d",
            ])
        addNames(to: &markup, ids: ("t", "d"))
        markup.add("<style>\n\(ChartStyle.rules)</style>\n")
        markup.add("<rect class=\"paper\" x=\"-12\" width=\"100%\" height=\"100%\"/>\n")
        markup.add(canvas.markup.text)
        markup.close("svg")
        return markup.text
    }

    /// An element for a page that has the style, the title and the source elsewhere.
    func svgElement(_ size: ChartSize) -> String {
        let drawing = drawn(size)
        let ids = ("\(name)-\(size.rawValue)-title", "\(name)-\(size.rawValue)-text")
        var markup = Markup()
        markup.open(
            "svg",
            [
                "class": size.rawValue,
                "viewBox": "0 0 \(Markup.number(size.width)) \(Markup.number(drawing.height))",
                "role": "img", "aria-labelledby": "\(ids.0) \(ids.1)",
            ])
        addNames(to: &markup, ids: ids)
        markup.add(drawing.markup)
        markup.close("svg")
        return markup.text
    }

    /// For readers of screens.
    private func addNames(to markup: inout Markup, ids: (String, String)) {
        markup.element("title", ["id": ids.0], title)
        let text = [summary, description].filter { !$0.isEmpty }.joined(separator: " ")
        markup.element("desc", ["id": ids.1], "\(text) \(source.text)")
    }

    /// The last figures in words.
    private var description: String {
        switch kind {
        case .lines(let chart):
            chart.series.compactMap { series in
                series.band(atMost: 2).last.map { last in
                    last.isCensored
                        ? "\(series.label) ends without a figure: \(chart.never ?? "never")."
                        : "\(series.label) ends at "
                            + "\(chart.yAxis.text(ScaledAxis.rounded(last.middle)))."
                }
            }.joined(separator: " ")
        case .bars(let chart):
            chart.bars.map { "\($0.label): \(chart.text($0))." }.joined(separator: " ")
        case .heat(let table):
            "\(table.rows.count) rows (\(table.rowTitle)), \(table.columns.count) columns "
                + "(\(table.columnTitle))."
        case .reliability(let diagram):
            diagram.series.map { series in
                let count = series.bins.map(\.count).reduce(0, +)
                return "\(series.label): \(Figures.count(count)) decisions."
            }.joined(separator: " ")
        case .digits(let gallery): Figures.plural(gallery.digits.count, "digit") + "."
        }
    }

    private func drawn(_ size: ChartSize) -> DrawnChart {
        switch kind {
        case .lines(let chart): chart.drawn(size)
        case .bars(let chart): chart.drawn(size)
        case .heat(let table): table.drawn(size)
        case .reliability(let diagram): diagram.drawn(size)
        case .digits(let gallery): gallery.drawn(size)
        }
    }
}

extension ScaledAxis {
    /// To five digits, which is more than a drawing shows.
    static func rounded(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        let scale = pow(10, 4 - floor(log10(abs(value))))
        return (value * scale).rounded() / scale
    }
}
