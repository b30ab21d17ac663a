import Foundation

extension LineChart {
    func drawn(_ size: ChartSize) -> DrawnChart {
        LineDrawing(self, size).drawn
    }
}

/// A line chart laid out for one size.
private struct LineDrawing {
    private typealias Place = (x: Double, y: Double)

    private let chart: LineChart
    private let size: ChartSize
    private let bands: [[LineChart.Series.BandPoint]]
    private let y: ScaledAxis
    private let legend: Legend
    /// Labels stand at the ends of their lines where there is room, else above.
    private let labelsLines: Bool
    private let left: Double
    private let right: Double
    private let top: Double
    private let bottom: Double

    /// Points that all faint lines of a view may have together: hundreds of runs in a small file.
    private let faintPointCount: Int
    /// Crosses and rings that all runs of a view may have together.
    private static let endCount = 100
    /// With fewer a line is none.
    private static let fewestFaintPoints = 12

    init(_ chart: LineChart, _ size: ChartSize) {
        self.chart = chart
        self.size = size
        bands = chart.bands(pointCount: size == .wide ? 1_200 : 600)
        faintPointCount = size == .wide ? 2_400 : 1_200
        let values =
            chart.series.flatMap(\.runs).flatMap(\.points).filter { !$0.isCensored }.map(\.y)
            + chart.series.compactMap(\.estimate).joined().flatMap { [$0.lower, $0.upper] }
            + chart.ideals.flatMap(\.points).map(\.y) + chart.markers.map(\.point.y)
            + chart.thresholds.map(\.value)
        y = chart.yAxis.scaled(to: values, maximumTicks: size == .wide ? 7 : 6)
        left = (y.ticks.map { TextWidth.of($0.label, size: 13) }.max() ?? 0) + 10
        let widest =
            chart.series.map { TextWidth.of($0.label, size: TextWidth.boldSize) }.max() ?? 0
        labelsLines = size == .wide && widest < 170 && chart.series.count <= 8
        legend = Legend(
            labelsLines ? [] : chart.series.map { ($0.label, $0.colour) }, width: size.width)
        right = labelsLines ? size.width - widest - 14 : size.width - 8
        top = legend.height + 26
        bottom = top + (size == .wide ? 300 : 220)
    }

    var drawn: DrawnChart {
        var canvas = SVGCanvas()
        legend.draw(on: &canvas)
        canvas.text(chart.yAxis.label, x: 0, y: legend.height + 12)
        for tick in y.ticks {
            let height = place(y: tick.value)
            canvas.line(x1: left, y1: height, x2: right, y2: height, class: "grid")
            canvas.text(tick.label, x: left - 7, y: height + 4, anchor: .end)
        }
        canvas.line(x1: left, y1: bottom, x2: right, y2: bottom, class: "axis")
        for index in chart.xAxes.indices {
            canvas.markup.open("g", ["class": "view", "data-axis": chart.xAxes[index].label])
            drawView(index, on: &canvas)
            canvas.markup.close("g")
        }
        return DrawnChart(height: bottom + 40, markup: canvas.markup.text)
    }

    private func place(y value: Double) -> Double {
        bottom - y.position(value) * (bottom - top)
    }

    // MARK: A view: the chart over one of its x axes

    private func drawView(_ axis: Int, on canvas: inout SVGCanvas) {
        let points =
            chart.series.flatMap(\.runs).flatMap(\.points) + chart.ideals.flatMap(\.points)
            + chart.series.compactMap(\.estimate).joined().map {
                LineChart.Point(x: $0.x, y: $0.middle)
            } + chart.markers.map(\.point)
        let x = chart.xAxes[axis].scaled(
            to: points.filter { y.axis.holds($0.y) || $0.isCensored }.map { $0.x[axis] },
            maximumTicks: size == .wide ? 8 : 6)
        drawAxis(x, on: &canvas)
        guard points.contains(where: { y.axis.holds($0.y) && x.axis.holds($0.x[axis]) }) else {
            canvas.text(
                "nothing was measured", x: (left + right) / 2, y: (top + bottom) / 2,
                anchor: .middle)
            return
        }
        drawRuns(axis, x, on: &canvas)
        drawThresholds(on: &canvas)
        for (index, ideal) in chart.ideals.enumerated() {
            // One name is enough for lines of a kind.
            let isNamed = !chart.ideals[..<index].contains { $0.label == ideal.label }
            draw(ideal, isNamed: isNamed, axis, x, on: &canvas)
        }
        for index in chart.series.indices { drawMedian(index, axis, x, on: &canvas) }
        for marker in chart.markers { draw(marker, axis, x, on: &canvas) }
        if labelsLines { drawLabels(axis, x, on: &canvas) }
    }

    /// Labels of lines that are close to each other stand side by side.
    private func drawThresholds(on canvas: inout SVGCanvas) {
        var last = (height: -Double.infinity, start: right)
        for threshold in chart.thresholds.sorted(by: { $0.value > $1.value })
        where y.axis.holds(threshold.value) {
            let height = place(y: threshold.value)
            canvas.line(x1: left, y1: height, x2: right, y2: height, class: "threshold")
            // The axis may say it already.
            guard !y.ticks.contains(where: { $0.label == threshold.label }) else { continue }
            let end = height - last.height < 14 ? last.start - 8 : right - 3
            canvas.text(threshold.label, x: end, y: height - 4, class: "halo", anchor: .end)
            last = (height, end - TextWidth.of(threshold.label))
        }
    }

    private func drawAxis(_ x: ScaledAxis, on canvas: inout SVGCanvas) {
        var lastEnd = -Double.infinity
        for tick in x.ticks {
            let center = left + x.position(tick.value) * (right - left)
            canvas.line(x1: center, y1: bottom, x2: center, y2: bottom + 4, class: "axis")
            let half = TextWidth.of(tick.label) / 2
            let middle = min(max(center, half), size.width - half)
            guard middle - half > lastEnd + 4 else { continue }
            canvas.text(tick.label, x: middle, y: bottom + 18, anchor: .middle)
            lastEnd = middle + half
        }
        canvas.text(x.axis.label, x: right, y: bottom + 34, anchor: .end)
    }

    private func places(_ points: [LineChart.Point], _ axis: Int, _ x: ScaledAxis) -> [Place] {
        points.filter {
            x.axis.holds($0.x[axis]) && y.axis.holds($0.y) && !$0.isCensored
        }.map {
            place($0.x[axis], $0.y, x)
        }
    }

    private func place(_ value: Double, _ height: Double, _ x: ScaledAxis) -> Place {
        (left + x.position(value) * (right - left), place(y: height))
    }

    private func drawRuns(_ axis: Int, _ x: ScaledAxis, on canvas: inout SVGCanvas) {
        let runCount = max(chart.series.map(\.runs.count).reduce(0, +), 1)
        let limit = max(faintPointCount / runCount, Self.fewestFaintPoints)
        // Of thousands of runs a part is drawn, evenly chosen.
        let every =
            (runCount * Self.fewestFaintPoints + faintPointCount - 1) / faintPointCount
        let endCount = chart.series.flatMap(\.runs).count { $0.ending != .whole }
        let everyEnd = (endCount + Self.endCount - 1) / Self.endCount
        var (place, endPlace) = (0, 0)
        for series in chart.series {
            canvas.markup.open("g", ["class": ChartStyle.series(series.colour)])
            for run in series.runs {
                let line = places(run.points, axis, x)
                defer { place += 1 }
                if series.runs.count > 1, place % every == 0 {
                    canvas.path(line.thinned(to: limit), class: "run")
                }
                guard run.ending != .whole else { continue }
                if let end = line.last, endPlace % everyEnd == 0 {
                    canvas.mark(run.ending, x: end.x, y: end.y)
                }
                endPlace += 1
            }
            canvas.markup.close("g")
        }
    }

    private func drawMedian(_ index: Int, _ axis: Int, _ x: ScaledAxis, on canvas: inout SVGCanvas)
    {
        let series = chart.series[index]
        // A run's time differs from another's; in order of time the band does not fold.
        let band = bands[index].filter { x.axis.holds($0.x[axis]) }
        canvas.markup.open("g", ["class": ChartStyle.series(series.colour)])
        if series.runs.count > 1 || series.estimate != nil {
            let shown = band.filter {
                y.axis.holds($0.lower) || $0.lower == -.infinity && $0.upper > $0.lower
            }
            // What is never is above all that is drawn, or below.
            let upper = shown.map { point in
                let place = place(point.x[axis], point.upper, x)
                return (place.x, y.axis.holds(point.upper) ? place.y : top)
            }
            let lower = shown.map { point in
                let place = place(point.x[axis], point.lower, x)
                return (place.x, y.axis.holds(point.lower) ? place.y : bottom)
            }
            canvas.path(upper + lower.reversed(), class: "band", isClosed: true)
        }
        // One that lies upon another lets it through.
        let isCovering = bands[..<index].contains { other in
            other.elementsEqual(bands[index]) { $0.middle == $1.middle }
        }
        // A line ends where the target is no longer reached.
        for part in band.split(whereSeparator: { !y.axis.holds($0.middle) }) {
            canvas.path(
                part.map { place($0.x[axis], $0.middle, x) },
                class: isCovering ? "median over" : "median")
        }
        let measured = band.filter { y.axis.holds($0.middle) }
        for point in measured where series.hasMarkers || measured.count == 1 {
            let (center, height) = place(point.x[axis], point.middle, x)
            canvas.circle(x: center, y: height, radius: 3.2, class: "dot")
        }
        drawNever(band.filter(\.isCensored), index, axis, x, on: &canvas)
        canvas.markup.close("g")
    }

    /// Hollow, with an arrow, above all that was measured: a row a series.
    private func drawNever(
        _ points: [LineChart.Series.BandPoint], _ index: Int, _ axis: Int, _ x: ScaledAxis,
        on canvas: inout SVGCanvas
    ) {
        let height = top + 14 + 18 * Double(index)
        for (order, point) in points.enumerated() {
            let center = left + x.position(point.x[axis]) * (right - left)
            canvas.circle(x: center, y: height, radius: 3.2, class: "hollow")
            canvas.path(
                [(center - 3, height - 8), (center, height - 12), (center + 3, height - 8)],
                class: "whisker")
            guard order == 0, let never = chart.never else { continue }
            let isRight = center > (left + right) / 2
            canvas.text(
                never, x: center + (isRight ? -9 : 9), y: height + 4, class: "halo",
                anchor: isRight ? .end : .start)
        }
    }

    private func draw(
        _ ideal: LineChart.Ideal, isNamed: Bool, _ axis: Int, _ x: ScaledAxis,
        on canvas: inout SVGCanvas
    ) {
        let line = places(ideal.points, axis, x)
        canvas.path(line, class: "ideal")
        guard isNamed, let start = line.first, let end = line.last, start.x < end.x else { return }
        let medians = bands.map { $0.map { LineChart.Point(x: $0.x, y: $0.middle) } }
        let others = (medians + chart.ideals.filter { $0 != ideal }.map(\.points))
            .map { places($0, axis, x) }
        let half = TextWidth.of(ideal.label, size: 11.5) / 2
        // Where no other line is near: along the line, above it or below.
        let spots = [0.8, 0.65, 0.5, 0.35, 0.2].flatMap { share -> [Place] in
            let center = start.x + share * (end.x - start.x)
            let slope = abs(end.y - start.y) / (end.x - start.x) * half
            let height = Self.height(of: line, at: center) ?? start.y
            return [(center, height - slope - 6), (center, height + slope + 14)]
        }.filter { $0.x - half >= left && $0.x + half <= right && $0.y < bottom && $0.y > top }
        let clearances = spots.map { spot in
            others.flatMap { other in
                [-half, 0, half].compactMap { Self.height(of: other, at: spot.x + $0) }
            }.map { abs($0 - spot.y + 4) }.min() ?? .infinity
        }
        let best =
            clearances.firstIndex { $0 > 10 }
            ?? clearances.indices.max {
                clearances[$0] < clearances[$1]
            }
        guard let best else { return }
        canvas.text(
            ideal.label, x: spots[best].x, y: spots[best].y, class: "halo", anchor: .middle)
    }

    /// Between the points of a line on both sides of `x`.
    private static func height(of line: [Place], at x: Double) -> Double? {
        zip(line, line.dropFirst()).first { $0.x <= x && x <= $1.x }.map { a, b in
            a.y + (b.y - a.y) * (b.x > a.x ? (x - a.x) / (b.x - a.x) : 0)
        }
    }

    private func draw(
        _ marker: LineChart.Marker, _ axis: Int, _ x: ScaledAxis, on canvas: inout SVGCanvas
    ) {
        guard let center = places([marker.point], axis, x).first else { return }
        canvas.markup.open("g", ["class": marker.colour.map(ChartStyle.series) ?? "s6"])
        canvas.circle(x: center.x, y: center.y, radius: 5, class: "hollow")
        let isRight = center.x > (left + right) / 2
        canvas.text(
            marker.label, x: center.x + (isRight ? -9 : 9), y: center.y - 8, class: "halo",
            anchor: isRight ? .end : .start)
        canvas.markup.close("g")
    }

    /// Names at the ends of the lines, pushed apart where they would cover each other.
    private func drawLabels(_ axis: Int, _ x: ScaledAxis, on canvas: inout SVGCanvas) {
        var labels = chart.series.indices.compactMap { index -> (height: Double, index: Int)? in
            bands[index].last {
                x.axis.holds($0.x[axis]) && y.axis.holds($0.middle)
            }.map { (place(y: $0.middle), index) }
        }.sorted { $0.height < $1.height }
        let gap = 15.0
        for index in labels.indices.dropFirst() {
            labels[index].height = max(labels[index].height, labels[index - 1].height + gap)
        }
        if let last = labels.last, last.height > bottom {
            labels[labels.count - 1].height = bottom
            for index in labels.indices.dropLast().reversed() {
                labels[index].height = min(labels[index].height, labels[index + 1].height - gap)
            }
        }
        for label in labels {
            let series = chart.series[label.index]
            canvas.markup.open("g", ["class": ChartStyle.series(series.colour)])
            canvas.text(series.label, x: right + 8, y: label.height + 4, class: "name")
            canvas.markup.close("g")
        }
    }
}

/// Names with a stroke of their colour, in as many lines as they need.
struct Legend {
    private var items: [(lines: [String], colour: Int, x: Double, y: Double)] = []
    private(set) var height = 0.0

    private static let lineHeight = 18.0
    /// For the stroke and the gap behind it.
    private static let indent = 22.0

    init(_ names: [(label: String, colour: Int)], width: Double) {
        var (x, y) = (0.0, 12.0)
        for (label, colour) in names {
            let needed = Self.indent + TextWidth.of(label, size: TextWidth.boldSize)
            if x > 0, x + needed > width { (x, y) = (0, y + Self.lineHeight) }
            let lines = TextWidth.lines(
                label, width: width - Self.indent, size: TextWidth.boldSize)
            items.append((lines, colour, x, y))
            x += needed + 16
            y += Self.lineHeight * Double(max(lines.count, 1) - 1)
        }
        height = names.isEmpty ? 0 : y + 10
    }

    func draw(on canvas: inout SVGCanvas) {
        for item in items {
            canvas.markup.open("g", ["class": ChartStyle.series(item.colour)])
            canvas.line(
                x1: item.x, y1: item.y - 4, x2: item.x + 16, y2: item.y - 4, class: "median")
            for (index, line) in item.lines.enumerated() {
                canvas.text(
                    line, x: item.x + Self.indent, y: item.y + Self.lineHeight * Double(index),
                    class: "name")
            }
            canvas.markup.close("g")
        }
    }
}
