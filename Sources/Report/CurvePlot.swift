import Foundation
import Statistics
package import TerminalText

extension Comparison {
    /// The test accuracy over the epochs, a curve for each configuration (the mean over its seeds).
    /// Configurations whose curves agree in every point share one.
    ///
    /// - Parameter height: lines between the title and the axis.
    package func plot(_ style: TextStyle = TextStyle(), height: Int = 14) -> String {
        guard !groups.isEmpty else { return "no run to show" }
        var curves: [CurvePlot.Curve] = []
        for group in groups {
            let points = group.meanCurve.map { CurvePlot.Point(x: $0.epoch, y: $0.value * 100) }
            if let index = curves.firstIndex(where: { $0.points == points && !points.isEmpty }) {
                curves[index].label += " = " + group.label
            } else {
                curves.append(CurvePlot.Curve(label: group.label, points: points))
            }
        }
        let mean = seedCount > 1 ? ", mean of \(seeds)" : ", \(seeds)"
        return CurvePlot(
            title: "Test accuracy on \(datasets)\(mean)", unit: " %", abscissa: "epoch",
            curves: curves
        ).text(style, height: height)
    }
}

/// Curves drawn with characters: braille dots, eight a cell, for the lines, and a mark of its own
/// for the points of each curve.
struct CurvePlot {
    struct Point: Equatable {
        var x: Double
        var y: Double
    }

    struct Curve: Equatable {
        var label: String
        /// Finite, in order of x.
        var points: [Point]
    }

    var title: String
    /// Behind the numbers of the y axis.
    var unit: String
    /// What the x axis counts.
    var abscissa: String
    var curves: [Curve]

    func text(_ style: TextStyle, height: Int) -> String {
        let title = style.bold(style.adapted(self.title))
        let points = curves.flatMap(\.points)
        guard let minimum = points.map(\.y).min(), let maximum = points.map(\.y).max(),
            let first = points.map(\.x).min(), let last = points.map(\.x).max()
        else { return title + "\n\n  nothing evaluated yet" }

        let rows = max(height, 4)
        let y = Axis(covering: minimum...maximum, maximumTicks: max(2, rows / 2))
        let labels = y.ticks.map { style.adapted(Figures.fixed($0, y.digits)) + unit }
        let gutter = max(labels.map(\.count).max() ?? 0, abscissa.count)
        // An axis, a column of air on both sides.
        let columns = max(style.width - gutter - 4, 10)
        var canvas = Canvas(
            columns: columns, rows: rows, x: first...max(last, first.nextUp), y: y.range)
        for (index, curve) in curves.enumerated() { canvas.draw(curve.points, as: index) }

        var lines = [title, ""]
        let tickRows = y.ticks.map { canvas.row(of: $0) }
        for row in 0..<rows {
            let tick = tickRows.firstIndex(of: row)
            let label = tick.map { labels[$0] } ?? ""
            let axis = style.usesUnicode ? (tick == nil ? "│" : "┤") : (tick == nil ? "|" : "+")
            lines.append(
                trimmed(padded(label, gutter) + " " + axis + " " + canvas.text(row: row, style)))
        }
        lines += horizontalAxis(canvas, gutter: gutter, first: first, last: last, style)
        return (lines + [""] + legend(canvas, style)).joined(separator: "\n")
    }

    /// The axis and the numbers below it.
    private func horizontalAxis(
        _ canvas: Canvas, gutter: Int, first: Double, last: Double, _ style: TextStyle
    ) -> [String] {
        var axis = [Character](
            repeating: style.usesUnicode ? "─" : "-", count: canvas.columns + 2)
        var numbers = [Character](repeating: " ", count: canvas.columns + 8)
        // Whole numbers only, and room for each.
        let step = ChartAxis.niceStep(atLeast: max(1, (last - first) * 6 / Double(canvas.columns)))
        var free = 0
        for tick in stride(from: (first / step).rounded(.up) * step, through: last, by: step) {
            let column = canvas.column(of: tick) + 1
            axis[column] = style.usesUnicode ? "┬" : "+"
            let label = Array(Figures.fixed(tick, 0))
            let start = max(0, column - (label.count - 1) / 2)
            guard start >= free else { continue }
            numbers.replaceSubrange(start..<(start + label.count), with: label)
            free = start + label.count + 1
        }
        let corner = style.usesUnicode ? "└" : "+"
        return [
            padded("", gutter) + " " + corner + String(axis),
            trimmed(padded(abscissa, gutter) + "  " + String(numbers)),
        ]
    }

    private func legend(_ canvas: Canvas, _ style: TextStyle) -> [String] {
        var entries = curves.enumerated().map { index, curve in
            let label = curve.points.isEmpty ? curve.label + " (nothing evaluated)" : curve.label
            let mark = style.coloured(Canvas.mark(index, style), Canvas.colour(index))
            return (text: "\(mark) \(style.adapted(label))", width: label.count + 2)
        }
        if canvas.hasSharedMarks {
            entries.append((text: "\(Canvas.sharedMark(style)) several", width: 9))
        }
        var lines: [String] = []
        var width = style.width
        for entry in entries {
            if lines.isEmpty || width + 4 + entry.width > style.width {
                lines.append("  " + entry.text)
                width = 2 + entry.width
            } else {
                lines[lines.count - 1] += "    " + entry.text
                width += 4 + entry.width
            }
        }
        return lines
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func trimmed(_ text: String) -> String {
        String(text.reversed().drop { $0 == " " }.reversed())
    }
}

/// Round numbers along an axis.
struct Axis {
    let ticks: [Double]
    /// Behind the decimal point of a tick.
    let digits: Int

    var range: ClosedRange<Double> {
        let low = ticks.first ?? 0
        return low...max(ticks.last ?? 1, low.nextUp)
    }

    init(covering range: ClosedRange<Double>, maximumTicks: Int) {
        let intervals = Double(max(1, maximumTicks - 1))
        var step = ChartAxis.niceStep(
            atLeast: max((range.upperBound - range.lowerBound) / intervals, 0.01))
        // Rounding both ends outwards may cost one interval more than the range has.
        while (range.upperBound / step).rounded(.up) - (range.lowerBound / step).rounded(.down)
            > intervals
        { step = ChartAxis.niceStep(atLeast: step * 1.01) }
        let low = (range.lowerBound / step).rounded(.down)
        let high = max((range.upperBound / step).rounded(.up), low + 1)
        ticks = stride(from: low, through: high, by: 1).map { $0 * step }
        digits = max(0, -Int(log10(step * 1.001).rounded(.down)))
    }
}

/// Cells of 2 × 4 dots, and marks over them.
private struct Canvas {
    private enum Mark: Equatable {
        case curve(Int)
        case shared
    }

    let columns: Int
    let rows: Int
    private let x: ClosedRange<Double>
    private let y: ClosedRange<Double>
    /// One bit a dot, as braille patterns number them.
    private var dots: [UInt8]
    /// The curve that drew into a cell last.
    private var owners: [Int]
    private var marks: [Mark?]

    init(columns: Int, rows: Int, x: ClosedRange<Double>, y: ClosedRange<Double>) {
        self.columns = columns
        self.rows = rows
        self.x = x
        self.y = y
        dots = [UInt8](repeating: 0, count: columns * rows)
        owners = [Int](repeating: 0, count: columns * rows)
        marks = [Mark?](repeating: nil, count: columns * rows)
    }

    var hasSharedMarks: Bool { marks.contains(.shared) }

    func column(of value: Double) -> Int { dotColumn(value) / 2 }
    func row(of value: Double) -> Int { dotRow(value) / 4 }

    private func dotColumn(_ value: Double) -> Int {
        scaled(value, x, columns * 2)
    }

    private func dotRow(_ value: Double) -> Int {
        rows * 4 - 1 - scaled(value, y, rows * 4)
    }

    private func scaled(_ value: Double, _ range: ClosedRange<Double>, _ count: Int) -> Int {
        let share = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        return min(max(Int((share * Double(count - 1)).rounded()), 0), count - 1)
    }

    mutating func draw(_ points: [CurvePlot.Point], as curve: Int) {
        for (from, to) in zip(points, points.dropFirst()) {
            let (fromColumn, fromRow) = (dotColumn(from.x), dotRow(from.y))
            let (toColumn, toRow) = (dotColumn(to.x), dotRow(to.y))
            let count = max(abs(toColumn - fromColumn), abs(toRow - fromRow), 1)
            for index in 0...count {
                let share = Double(index) / Double(count)
                setDot(
                    fromColumn + Int((Double(toColumn - fromColumn) * share).rounded()),
                    fromRow + Int((Double(toRow - fromRow) * share).rounded()), curve)
            }
        }
        // Where points crowd, a mark every few columns tells whose line it is.
        var free = 0
        for point in points where column(of: point.x) >= free {
            let cell = row(of: point.y) * columns + column(of: point.x)
            marks[cell] = marks[cell] == nil ? .curve(curve) : .shared
            free = column(of: point.x) + 3
        }
    }

    private mutating func setDot(_ column: Int, _ row: Int, _ curve: Int) {
        let bits: [UInt8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80]
        let cell = row / 4 * columns + column / 2
        dots[cell] |= bits[row % 4 * 2 + column % 2]
        owners[cell] = curve
    }

    func text(row: Int, _ style: TextStyle) -> String {
        (row * columns..<(row + 1) * columns).map { cell in
            switch marks[cell] {
            case .curve(let curve):
                style.coloured(Self.mark(curve, style), Self.colour(curve))
            case .shared: Self.sharedMark(style)
            case nil where dots[cell] == 0: " "
            case nil where style.usesUnicode:
                style.coloured(
                    String(Character(Unicode.Scalar(0x2800 + UInt16(dots[cell])) ?? " ")),
                    Self.colour(owners[cell]))
            case nil: style.coloured(".", Self.colour(owners[cell]))
            }
        }.joined()
    }

    static func mark(_ curve: Int, _ style: TextStyle) -> String {
        let marks =
            style.usesUnicode ? ["●", "◆", "▲", "■", "▼", "★"] : ["o", "x", "^", "#", "v", "*"]
        return marks[curve % marks.count]
    }

    static func sharedMark(_ style: TextStyle) -> String {
        style.usesUnicode ? "◎" : "&"
    }

    static func colour(_ curve: Int) -> TextStyle.Colour {
        TextStyle.Colour.allCases[curve % TextStyle.Colour.allCases.count]
    }
}
