extension SVGCanvas {
    /// How a run has ended, at the end of its line: nothing where it came to its end.
    mutating func mark(_ ending: LineChart.Run.Ending, x: Double, y: Double) {
        switch ending {
        case .whole: break
        case .diverged:
            for slope in [4.0, -4] {
                line(x1: x - 4, y1: y - slope, x2: x + 4, y2: y + slope, class: "cross")
            }
        case .cutShort: circle(x: x, y: y, radius: 4.5, class: "hollow")
        }
    }
}
