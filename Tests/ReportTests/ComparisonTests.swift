import Report
import RunRecords
import Statistics
import TerminalText
import TestSupport
import Testing

@Suite struct ComparisonTests {
    private static let ascii = TextStyle(usesUnicode: false)

    @Test(arguments: [
        (ReportSamples.oneSeed.table(), GoldenTexts.tableOne),
        (ReportSamples.threeSeeds.table(), GoldenTexts.tableThree),
        (ReportSamples.oneSeed.plot(height: 9), GoldenTexts.plotOne),
        (ReportSamples.threeSeeds.plot(height: 12), GoldenTexts.plotThree),
        (
            ReportSamples.oneSeed.plot(TextStyle(width: 64, usesUnicode: false), height: 8),
            GoldenTexts.plotAscii
        ),
        (ReportSamples.oneSeed.verdicts(), GoldenTexts.verdictsOne),
        (ReportSamples.threeSeeds.verdicts(), GoldenTexts.verdictsThree),
        (ReportSamples.threeClearSeeds.verdicts(ascii), GoldenTexts.verdictsClear),
        (ReportSamples.confusion.text(), GoldenTexts.confusion),
    ])
    func textIsAsLookedAt(text: String, golden: String) {
        #expect(text == golden)
    }

    @Test func asciiStyleHasNothingElse() {
        for comparison in [ReportSamples.oneSeed, ReportSamples.threeSeeds] {
            let texts = [
                comparison.table(Self.ascii), comparison.plot(Self.ascii),
                comparison.verdicts(Self.ascii),
            ]
            #expect(texts.allSatisfy { $0.utf8.allSatisfy { $0 < 0x7F } })
        }
        #expect(ReportSamples.confusion.text(Self.ascii).utf8.allSatisfy { $0 < 0x7F })
    }

    @Test func colourOnlyAddsEscapes() {
        let coloured = ReportSamples.threeSeeds.plot(TextStyle(usesColour: true))
        #expect(coloured.contains("\u{1B}[36m●\u{1B}[0m"))
        #expect(
            coloured.replacing(/\u{1B}\[[0-9]*m/, with: "") == ReportSamples.threeSeeds.plot())
        #expect(!ReportSamples.threeSeeds.plot().contains("\u{1B}"))
    }

    @Test(arguments: [80, 90, 100, 132])
    func linesKeepTheWidth(width: Int) {
        let style = TextStyle(width: width)
        for comparison in [ReportSamples.oneSeed, ReportSamples.threeSeeds] {
            for text in [
                comparison.table(style), comparison.plot(style), comparison.verdicts(style),
            ] {
                for line in text.split(separator: "\n") {
                    #expect(line.count <= width && line.last != " ", "\(line)")
                }
            }
        }
    }

    /// Whatever is plotted, something comes out and nothing traps.
    @Test(
        arguments: [
            [0.95], [0.5, 0.5], [0, 1], [0.9999, 1], [.nan, 0.9], [.nan], [], [0.1, 0.98, 0.0980],
        ] as [[Double]])
    func plotsTakeAnyCurve(accuracies: [Double]) {
        let comparison = Comparison([Samples.outcome("ce-softmax", accuracies: accuracies)])
        #expect(comparison.plot().contains("ce-softmax") || comparison.plot().contains("nothing"))
        #expect(comparison.table().contains("ce-softmax"))
        #expect(!comparison.table().lowercased().contains("nan"))
    }

    @Test func nothingToCompareIsSaid() {
        #expect(Comparison([]).table() == "no run to show")
        #expect(Comparison([]).plot() == "no run to show")
        #expect(Comparison([]).findings.all.allSatisfy { $0.verdict == .inconclusive })
    }

    @Test func runsOnSeveralDatasetsAreKeptApart() {
        var provenance = Samples.provenance
        let first = RunOutcome(run: Samples.run(), provenance: provenance)
        provenance.dataset = "synthetic-digits"
        provenance.datasetSHA256 = String(repeating: "5d", count: 32)
        let comparison = Comparison([first, RunOutcome(run: Samples.run(), provenance: provenance)])
        #expect(
            comparison.groups.map(\.label) == [
                "ce-softmax (mnist)", "ce-softmax (synthetic-digits)",
            ])
        #expect(comparison.table().contains("unfinished"))
    }

    /// Three seeds with the same small gain; the interval decides, not the sign.
    @Test(arguments: [
        ([0.001, 0.001, 0.0012], Verdict.supported),
        ([-0.001, -0.001, -0.0012], .refuted),
        ([0.001, -0.001, 0.002], .inconclusive),
        ([0.001], .supported),
        ([0.001, -0.001], .inconclusive),
    ])
    func intervalsDecide(gains: [Double], verdict: Verdict) {
        let runs = gains.enumerated().flatMap { index, gain in
            [
                Samples.outcome("ce-softmax", seed: UInt64(index), accuracies: [0.97 + gain]),
                Samples.outcome("mse-tanh", seed: UInt64(index), accuracies: [0.97]),
            ]
        }
        let finding = Comparison(runs).findings.inaccuracy
        #expect(finding.verdict == verdict, "\(finding.evidence)")
        #expect(finding.evidence.contains("one seed") == (gains.count == 1))
    }

    /// A run that ended below the threshold would have taken one step more at least; what that
    /// bound cannot decide is left open.
    @Test(arguments: [
        ([0.94, 0.96], [0.94, 0.975], Verdict.supported),
        ([0.94, 0.975], [0.94, 0.96], .refuted),
        ([0.94, 0.96], [0.975, 0.975], .supported),
        ([0.94, 0.975], [0.94, 0.975], .refuted),
        ([0.94, 0.94], [0.94, 0.94], .inconclusive),
        // Ended before the other one got there: it may have been faster or slower.
        ([0.94], [0.94, 0.975], .inconclusive),
        ([0.94, 0.975], [0.94], .inconclusive),
    ])
    func censoredRunsAreBounds(mse: [Double], other: [Double], verdict: Verdict) {
        let finding = Comparison([
            Samples.outcome("mse-tanh", accuracies: mse),
            Samples.outcome("ce-softmax", accuracies: other),
        ]).findings.slowness
        #expect(finding.verdict == verdict, "\(finding.evidence)")
    }

    /// One seed of each side did not reach 97 %, so that the sign of their mean says nothing.
    @Test func censoringOnBothSidesLeavesItOpen() {
        let finding = Comparison([
            Samples.outcome("mse-tanh", seed: 1, accuracies: [0.94, 0.975]),
            Samples.outcome("ce-softmax", seed: 1, accuracies: [0.94, 0.94]),
            Samples.outcome("mse-tanh", seed: 2, accuracies: [0.94, 0.94]),
            Samples.outcome("ce-softmax", seed: 2, accuracies: [0.975, 0.975]),
        ]).findings.slowness
        #expect(finding.verdict == .inconclusive, "\(finding.evidence)")
        #expect(finding.evidence.contains("as far as the runs went"))
    }

    @Test func recallAndPrecision() {
        var matrix = ConfusionMatrix(classCount: 3)
        matrix.add(actual: 0, decided: 0, count: 3)
        matrix.add(actual: 0, decided: 1)
        matrix.add(actual: 1, decided: 1)
        #expect(matrix.total == 5 && matrix.correct == 4)
        #expect(matrix.recall(of: 0) == 0.75 && matrix.precision(of: 0) == 1)
        #expect(matrix.recall(of: 1) == 1 && matrix.precision(of: 1) == 0.5)
        #expect(matrix.recall(of: 2) == nil && matrix.precision(of: 2) == nil)
    }
}
