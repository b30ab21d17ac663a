/// The line that a terminal redraws: what is counted, a bar, and figures.
struct ProgressLine {
    /// Never cut.
    let head: String
    /// Of the bar that is full, 0…1.
    let share: Double
    /// From the one that matters most to the one that goes first.
    let figures: [String]

    private static let minimumBarWidth = 6
    private static let maximumBarWidth = 30

    /// Never wider than the style allows: where it is narrow the bar shrinks, then the last figures
    /// go, and at the very end the line.
    func text(_ style: TextStyle) -> String {
        var figures = figures.map(style.adapted)
        func tail() -> String { figures.map { "  " + $0 }.joined() }
        // The bar has a space on its left.
        func barWidth() -> Int { style.width - head.count - 1 - tail().count }
        while barWidth() < Self.minimumBarWidth, !figures.isEmpty { figures.removeLast() }
        let bar = bar(min(barWidth(), Self.maximumBarWidth), style)
        if bar.isEmpty { return head.count <= style.width ? head : "" }
        return head + " " + bar + tail()
    }

    private func bar(_ width: Int, _ style: TextStyle) -> String {
        guard width > 0 else { return "" }
        let done = Int(min(max(share, 0), 1) * Double(width))
        let (full, empty) = style.usesUnicode ? ("━", "─") : ("#", ".")
        return style.coloured(String(repeating: full, count: done), .cyan)
            + String(repeating: empty, count: width - done)
    }

    /// A text at the right end of `width` columns.
    static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
