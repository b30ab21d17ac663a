/// Where a sweep stands, for the line that a terminal redraws.
package struct SweepProgress: Equatable, Sendable {
    /// Those that were complete before this start included.
    package var runsDone: Int
    package var runs: Int
    package var failedRuns: Int
    /// Share of this start's work that is done, in [0, 1]: a long run weighs more than a short one.
    package var share: Double
    package var runsPerMinute: Double
    /// Nil while there is no rate to tell from.
    package var secondsLeft: Double?

    package init(
        runsDone: Int, runs: Int, failedRuns: Int, share: Double, runsPerMinute: Double,
        secondsLeft: Double?
    ) {
        self.runsDone = runsDone
        self.runs = runs
        self.failedRuns = failedRuns
        self.share = share
        self.runsPerMinute = runsPerMinute
        self.secondsLeft = secondsLeft
    }

    /// One line, never wider than the style allows: where it is narrow the bar shrinks, then the
    /// last figures go.
    package func line(_ style: TextStyle = TextStyle()) -> String {
        let digits = String(runs).count
        let head = "\(padded(String(runsDone), digits))/\(runs) runs"
        var figures = [
            "\(padded(timeLeft, 5)) left", "\(padded(Figures.fixed(runsPerMinute, 1), 5)) runs/min",
        ]
        if failedRuns > 0 { figures.append("\(failedRuns) failed") }
        figures = figures.map(style.adapted)
        func tail() -> String { figures.map { "  " + $0 }.joined() }
        func barWidth() -> Int { style.width - head.count - 1 - tail().count }
        while barWidth() < Self.minimumBarWidth, !figures.isEmpty { figures.removeLast() }
        let width = min(barWidth(), Self.maximumBarWidth)
        guard width > 0 else { return head.count <= style.width ? head : "" }
        let done = Int(min(max(share, 0), 1) * Double(width))
        let (full, empty) = style.usesUnicode ? ("━", "─") : ("#", ".")
        return head + " " + style.coloured(String(repeating: full, count: done), .cyan)
            + String(repeating: empty, count: width - done) + tail()
    }

    /// As a clock shows it, rounded up.
    package var timeLeft: String { RunProgress.duration(secondsLeft) }

    private static let minimumBarWidth = 6
    private static let maximumBarWidth = 30

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
