import TerminalText
import Testing

@Suite struct SweepProgressTests {
    @Test func progressFitsAndCounts() {
        var progress = SweepProgress(
            runsDone: 7, runs: 120, failedRuns: 0, share: 0.5, runsPerMinute: 42.25,
            secondsLeft: 75)
        #expect(
            progress.line(TextStyle(width: 55, usesUnicode: false))
                == "  7/120 runs #######.......   1:15 left   42.2 runs/min")
        progress.failedRuns = 3
        for width in 0...100 {
            #expect(progress.line(TextStyle(width: width)).count <= width)
        }
        #expect(progress.line(TextStyle(width: 100)).contains("3 failed"))
        #expect(progress.line(TextStyle(width: 100)).contains("1:15 left"))
    }
}
