extension HeatTable {
    func drawn(_ size: ChartSize) -> DrawnChart {
        let left = (rows.map { TextWidth.of($0) }.max() ?? 0) + 26
        let cell = min((size.width - left) / Double(max(columns.count, 1)), 46)
        let height = min(cell, 34)
        let top = 40.0
        var canvas = SVGCanvas()
        canvas.text(columnTitle, x: left, y: 12)
        for (index, label) in columns.enumerated() {
            canvas.text(
                label, x: left + cell * (Double(index) + 0.5), y: top - 8, class: "strong",
                anchor: .middle)
        }
        let middle = top + height * Double(rows.count) / 2
        canvas.markup.element(
            "text",
            [
                "class": "label", "text-anchor": "middle",
                "transform": "translate(12 \(Markup.number(middle))) rotate(-90)",
            ], rowTitle)
        let most = shadedValues.max() ?? 1
        for row in rows.indices {
            let y = top + height * Double(row)
            canvas.text(
                rows[row], x: left - 8, y: y + height / 2 + 4, class: "strong", anchor: .end)
            for column in columns.indices {
                let value = values[row * columns.count + column]
                guard value.isFinite, value != 0 else { continue }
                let isShaded = !(leavesDiagonalBlank && row == column)
                // The root, so that small counts can be told from none.
                let shade = isShaded ? 0.1 + 0.85 * max(0, value / most).squareRoot() : 0
                let x = left + cell * Double(column)
                if isShaded {
                    canvas.rectangle(
                        x: x + 1, y: y + 1, width: cell - 2, height: height - 2, class: "bar s0",
                        opacity: shade)
                }
                let text = ChartAxis(label: "", unit: unit).text(ScaledAxis.rounded(value))
                let shown = cell < 36 ? text.replacing(",", with: "") : text
                canvas.text(
                    shown, x: x + cell / 2, y: y + height / 2 + 4,
                    class: !isShaded ? "label" : shade > 0.55 ? "on" : "ink", anchor: .middle)
            }
        }
        return DrawnChart(
            height: top + height * Double(rows.count) + 8, markup: canvas.markup.text)
    }

    private var shadedValues: [Double] {
        values.indices.compactMap { index in
            let isDiagonal = index / columns.count == index % columns.count
            return values[index].isFinite && !(isDiagonal && leavesDiagonalBlank)
                ? values[index] : nil
        }
    }
}
