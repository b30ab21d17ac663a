import TerminalText
import Testing

@Suite struct RunProgressTests {
    private let progress = RunProgress(
        epoch: 3, epochs: 10, step: 1234, steps: 1875, examplesPerSecond: 412_345, loss: 0.0132,
        accuracy: 0.9574, secondsLeft: 4.2)

    @Test(arguments: [
        (5, ""), (10, ""), (11, "epoch  3/10"),
        (30, "epoch  3/10 ━━━━───  1234/1875"),
        (60, "epoch  3/10 ━━━━━━━─────  1234/1875   412k ex/s  loss 0.0132"),
        (
            100,
            "epoch  3/10 ━━━━━━━━━━━━━━━━━─────────  1234/1875   412k ex/s  loss 0.0132"
                + "  acc  95.74 %   0:05 left"
        ),
    ])
    func lineFitsTheWidth(width: Int, line: String) {
        #expect(progress.line(TextStyle(width: width)) == line)
    }

    @Test func lineIsNeverWiderAndNeverJumps() {
        for width in 0...140 {
            let style = TextStyle(width: width)
            var lengths: Set<Int> = []
            for step in stride(from: 0, through: 1875, by: 75) {
                var progress = progress
                progress.step = step
                progress.loss = 1 / Double(step + 1)
                progress.accuracy = Double(step) / 1875
                progress.secondsLeft = step == 0 ? nil : Double(1875 - step)
                progress.examplesPerSecond = Double(step * step) / 3
                lengths.insert(progress.line(style).count)
            }
            #expect(lengths.count == 1 && lengths.allSatisfy { $0 <= width })
        }
    }

    @Test func asciiLine() {
        let style = TextStyle(width: 100, usesUnicode: false)
        #expect(progress.line(style).contains(" #################.........  1234/1875 "))
        var unknown = progress
        unknown.secondsLeft = nil
        unknown.loss = .nan
        #expect(unknown.line(style).utf8.allSatisfy { $0 < 0x7F })
    }
}
