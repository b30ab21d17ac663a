/// Colours and letters of drawings. The series' colours follow Okabe and Ito, made darker on light
/// paper and lighter on dark, so that lines keep their contrast and the colour-blind can tell them
/// apart.
enum ChartStyle {
    static let colourCount = 8
    /// Lines that can be told apart: each colour, solid and dashed.
    static let distinctCount = 2 * colourCount

    /// The classes of a series: its colour, and beyond the eighth a dashed line.
    static func series(_ colour: Int) -> String {
        let index = colour % colourCount
        return colour >= colourCount ? "s\(index) dashed" : "s\(index)"
    }

    /// The classes of all drawings, in chart.css.
    static let rules = String(decoding: PackageResources.chart_css, as: UTF8.self)
}
