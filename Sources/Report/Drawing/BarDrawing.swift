import TerminalText

extension BarChart {
    /// “96.81 % [96.70, 96.92]” in words for a row's end.
    func text(_ bar: Bar) -> String {
        guard bar.value.isFinite else { return "no figure" }
        switch axis.unit {
        case .percent: return Figures.fixed(bar.value * 100, 2) + " %"
        case .count, .seconds, .plain: return axis.text(ScaledAxis.rounded(bar.value))
        }
    }

    func drawn(_ size: ChartSize) -> DrawnChart {
        // Labels stand left of their rows where there is room, else above them.
        let widest = bars.map { TextWidth.of($0.label) }.max() ?? 0
        let isBeside = size == .wide && widest < 260
        let left = isBeside ? widest + 14 : 0
        let values = bars.map(text)
        let right = size.width - (values.map { TextWidth.of($0) }.max() ?? 0) - 12
        let labels = bars.map { bar in
            isBeside ? [bar.label] : TextWidth.lines(bar.label, width: size.width, size: 13)
        }
        let lineHeight = 14.0
        let rowHeights = labels.map { lines in
            isBeside ? 30 : 44 + lineHeight * Double(max(lines.count, 1) - 1)
        }
        let head = TextWidth.lines("\(axis.label); \(legend)", width: size.width, size: 13)
        let top = 8 + 16 * Double(head.count)
        let bottom = top + rowHeights.reduce(0, +) + 4
        let covered =
            bars.flatMap { bar in
                [bar.value] + bar.runs
                    + (bar.interval.map { [$0.lowerBound, $0.upperBound] } ?? [])
            } + (baseline.map { [$0] } ?? [])
        var scaled = axis.scaled(to: covered, maximumTicks: size == .wide ? 7 : 4)
        if baseline == nil, axis.scale == .linear {
            // Air on both sides, so that no dot sits on the edge.
            let air = (scaled.range.upperBound - scaled.range.lowerBound) * 0.04
            let range = (scaled.range.lowerBound - air)...(scaled.range.upperBound + air)
            scaled = ScaledAxis(axis: axis, range: range, ticks: scaled.ticks)
        }
        func place(_ value: Double) -> Double {
            left + 6 + scaled.position(value) * (right - left - 12)
        }
        var canvas = SVGCanvas()
        for (index, line) in head.enumerated() {
            canvas.text(line, x: 0, y: 12 + 16 * Double(index))
        }
        for tick in scaled.ticks {
            let x = place(tick.value)
            canvas.line(x1: x, y1: top, x2: x, y2: bottom, class: "grid")
            let half = TextWidth.of(tick.label) / 2
            canvas.text(
                tick.label, x: min(max(x, half), size.width - half), y: bottom + 15,
                anchor: .middle)
        }
        var rowTop = top
        for (index, bar) in bars.enumerated() {
            let y = rowTop + rowHeights[index] - (isBeside ? 13 : 14)
            for (line, text) in labels[index].enumerated() {
                canvas.text(
                    text, x: 0,
                    y: isBeside ? y + 4 : rowTop + lineHeight * Double(line + 1), class: "strong")
            }
            rowTop += rowHeights[index]
            canvas.markup.open("g", ["class": ChartStyle.series(bar.colour)])
            draw(bar, y: y, place, axis: scaled.axis, on: &canvas)
            canvas.markup.close("g")
            canvas.text(values[index], x: size.width, y: y + 4, class: "strong", anchor: .end)
        }
        return DrawnChart(height: bottom + 22, markup: canvas.markup.text)
    }

    private func draw(
        _ bar: Bar, y: Double, _ place: (Double) -> Double, axis: ChartAxis,
        on canvas: inout SVGCanvas
    ) {
        if let baseline, axis.holds(bar.value) {
            let (start, end) = (place(min(baseline, bar.value)), place(max(baseline, bar.value)))
            canvas.rectangle(x: start, y: y - 7, width: end - start, height: 14, class: "bar")
        }
        // More would lie upon each other.
        for run in bar.runs.sorted().thinned(to: 200) where axis.holds(run) {
            canvas.circle(x: place(run), y: y, radius: 2.6, class: "speck")
        }
        if let interval = bar.interval, axis.holds(interval.lowerBound) {
            let (low, high) = (place(interval.lowerBound), place(interval.upperBound))
            canvas.line(x1: low, y1: y, x2: high, y2: y, class: "whisker")
            for end in [low, high] {
                canvas.line(x1: end, y1: y - 5, x2: end, y2: y + 5, class: "whisker")
            }
        }
        if baseline == nil, axis.holds(bar.value) {
            canvas.circle(x: place(bar.value), y: y, radius: 4.5, class: "dot")
        }
    }
}
