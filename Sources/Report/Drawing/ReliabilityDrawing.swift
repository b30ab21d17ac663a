import TerminalText

extension ReliabilityDiagram {
    func drawn(_ size: ChartSize) -> DrawnChart {
        let legend = Legend(series.map { ($0.label, $0.colour) }, width: size.width)
        let axis = ChartAxis(label: "confidence", unit: .percent, range: 0...1)
        let scaled = axis.scaled(to: [0, 1], maximumTicks: 6)
        let left = 46.0
        let side = min(size.width - left - 8, 360)
        let top = legend.height + 26
        let bottom = top + side
        func x(_ value: Double) -> Double { left + value * side }
        func y(_ value: Double) -> Double { bottom - value * side }

        var canvas = SVGCanvas()
        legend.draw(on: &canvas)
        canvas.text("fraction classified correctly", x: 0, y: legend.height + 12)
        for tick in scaled.ticks {
            canvas.line(
                x1: left, y1: y(tick.value), x2: left + side, y2: y(tick.value), class: "grid")
            canvas.text(tick.label, x: left - 7, y: y(tick.value) + 4, anchor: .end)
            let half = TextWidth.of(tick.label) / 2
            canvas.text(
                tick.label, x: min(x(tick.value), size.width - half), y: bottom + 17,
                anchor: .middle)
        }
        canvas.line(x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "ideal")
        // Few decisions are made with a confidence as low as there.
        canvas.markup.element(
            "text",
            [
                "class": "halo",
                "transform":
                    "translate(\(Markup.number(x(0.02) + 10)) \(Markup.number(y(0.02)))) rotate(-45)",
            ], "as right as it is sure")
        for series in series {
            canvas.markup.open("g", ["class": ChartStyle.series(series.colour)])
            let bins = series.bins.filter { $0.count > 0 && $0.accuracy.isFinite }
            canvas.path(bins.map { (x($0.meanConfidence), y($0.accuracy)) }, class: "median")
            for bin in bins {
                canvas.circle(
                    x: x(bin.meanConfidence), y: y(bin.accuracy), radius: 3.5, class: "dot")
            }
            canvas.markup.close("g")
        }
        canvas.text(axis.label, x: left + side, y: bottom + 33, anchor: .end)
        let height = drawCounts(left: left, side: side, top: bottom + 44, on: &canvas)
        return DrawnChart(height: height, markup: canvas.markup.text)
    }

    /// How many decisions each bin holds, a row of bars for each series.
    private func drawCounts(
        left: Double, side: Double, top: Double, on canvas: inout SVGCanvas
    ) -> Double {
        let height = 34.0
        var y = top + 12
        for series in series {
            let most = series.bins.map(\.count).max() ?? 0
            canvas.text(
                "\(series.label): at most \(Figures.count(most)) a bin", x: 0, y: y)
            y += 6 + height
            canvas.markup.open("g", ["class": ChartStyle.series(series.colour)])
            for bin in series.bins where bin.count > 0 {
                let bar = max(height * Double(bin.count) / Double(max(most, 1)), 1)
                let width = (bin.range.upperBound - bin.range.lowerBound) * side
                canvas.rectangle(
                    x: left + bin.range.lowerBound * side + 1, y: y - bar, width: width - 2,
                    height: bar, class: "bar")
            }
            canvas.markup.close("g")
            canvas.line(x1: left, y1: y, x2: left + side, y2: y, class: "axis")
            y += 20
        }
        return y
    }
}
