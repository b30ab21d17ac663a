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
        let head = "\(ProgressLine.padded(String(runsDone), digits))/\(runs) runs"
        var figures = [
            "\(ProgressLine.padded(timeLeft, 5)) left",
            "\(ProgressLine.padded(Figures.fixed(runsPerMinute, 1), 5)) runs/min",
        ]
        if failedRuns > 0 { figures.append("\(failedRuns) failed") }
        return ProgressLine(head: head, share: share, figures: figures).text(style)
    }

    /// As a clock shows it, rounded up.
    package var timeLeft: String { RunProgress.duration(secondsLeft) }
}
