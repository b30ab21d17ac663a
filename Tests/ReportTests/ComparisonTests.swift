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

    /// Where no run reaches what is usual on MNIST, convergence is timed where there is something
    /// to time; what a person asks for comes first.
    @Test(
        arguments: [
            ([0.8, 0.886], ["86 %", "87 %", "88 %"]), ([0.8, 0.87], ["85 %", "86 %", "87 %"]),
            ([0.8, 0.95], ["95 %", "96 %", "97 %"]), ([.nan], ["95 %", "96 %", "97 %"]),
        ] as [([Double], [String])])
    func targetsAreInReach(accuracies: [Double], targets: [String]) {
        let run = Samples.outcome("ce-softmax", accuracies: accuracies)
        let table = Comparison([run]).table()
        #expect(targets.allSatisfy { table.contains("steps to \($0)") }, "\(table)")
        let chosen = Comparison([run], thresholds: [0.75, 0.855]).table()
        #expect(chosen.contains("steps to 75 %") && chosen.contains("seconds to 85.5 %"))
        #expect(!chosen.contains("to \(targets[2])"))
    }

    @Test func nothingToCompareIsSaid() {
        #expect(Comparison([]).table() == "no run to show")
        #expect(Comparison([]).plot() == "no run to show")
        #expect(Comparison([]).findings.all.allSatisfy { $0.verdict == .notTested })
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

    /// The gain has to be more than a tenth of a point to matter, and one seed proves nothing.
    @Test(arguments: [
        ([0.002, 0.002, 0.0022], Verdict.supported),
        ([-0.001, -0.001, -0.0012], .refuted),
        ([0.0005, 0.0005, 0.0004], .refuted),
        ([0.001, -0.001, 0.003], .inconclusive),
        ([0.002], .notTested),
        ([0.002, 0.002], .notTested),
    ])
    func marginsDecide(gains: [Double], verdict: Verdict) {
        let runs = gains.enumerated().flatMap { index, gain in
            [
                Samples.outcome("ce-softmax", seed: UInt64(index), accuracies: [0.97 + gain]),
                Samples.outcome("mse-tanh", seed: UInt64(index), accuracies: [0.97]),
            ]
        }
        let finding = Comparison(runs).findings.inaccuracy
        #expect(finding.verdict == verdict, "\(finding.evidence)")
        #expect(finding.evidence.contains("one seed") == (gains.count == 1))
        #expect(finding.evidence.contains("Adjusted p") == (gains.count > 2))
    }

    /// Seeds that are all alike, and reach 95 % in one of their epochs, or never.
    @Test(arguments: [
        ([0.94, 0.96], [0.96, 0.97], 8, Verdict.supported, " 2.00 times"),
        ([0.96, 0.97], [0.94, 0.96], 8, .refuted, " 0.50 times"),
        ([0.96, 0.97], [0.96, 0.97], 8, .refuted, " 1.00 times"),
        ([0.94, 0.94, 0.94], [0.94, 0.96, 0.97], 8, .supported, "at least 1.50 times"),
        // It may have been much slower, or hardly.
        ([0.94, 0.94, 0.94], [0.94, 0.94, 0.96], 8, .inconclusive, "at least 1.00 times"),
        ([0.94, 0.94], [0.94, 0.94], 8, .notTested, "no run of either"),
        ([0.94, 0.96], [0.96, 0.97], 7, .notTested, " 2.00 times"),
    ])
    func timesToTheTargetDecide(
        mse: [Double], other: [Double], seeds: Int, verdict: Verdict, words: String
    ) {
        let finding = Comparison(
            (1...UInt64(seeds)).flatMap {
                [
                    Samples.outcome("mse-tanh", seed: $0, accuracies: mse),
                    Samples.outcome("ce-softmax", seed: $0, accuracies: other),
                ]
            }
        ).findings.slowness
        #expect(finding.verdict == verdict, "\(finding.evidence)")
        #expect(finding.evidence.contains(words), "\(finding.evidence)")
    }

    /// One that had reached the target before it diverged counts as one that never does.
    @Test func aRunThatDivergesNeverGetsThere() {
        let diverged = Samples.outcome(
            "mse-tanh", accuracies: [0.96, 0.2], status: .diverged, divergedStep: 4_000)
        #expect(!diverged.crossing(of: 0.95).isReached)
        let time = diverged.steps(to: 0.95, in: diverged.testCurve)
        #expect(time == TimeToEvent(.infinity, isReached: false))
        let finding = Comparison([
            diverged, Samples.outcome("ce-softmax", accuracies: [0.94, 0.96]),
        ]).findings.slowness
        #expect(finding.evidence.contains("mse-tanh 3,750 (0 of 1 get there)"), "\(finding)")
        #expect(finding.evidence.contains("Did not complete: mse-tanh seed 1 (diverged)"))
    }

    /// A run that was killed says nothing of what it would have come to, and does not hide what the
    /// others did; one that was killed behind the target had reached it.
    @Test func unfinishedRunsAreNamedAndNeverCompleted() {
        func unfinished(_ seed: UInt64, _ accuracies: [Double]) -> RunOutcome {
            var run = RunOutcome(
                run: Samples.run("mse-tanh", seed: seed), provenance: Samples.provenance)
            for (index, accuracy) in accuracies.enumerated() {
                run.add(.epoch(Samples.epoch(index + 1, testAccuracy: accuracy)))
            }
            return run
        }
        let runs =
            (1...8).map { Samples.outcome("mse-tanh", seed: $0, accuracies: [0.94, 0.96]) }
            + (1...10).map { Samples.outcome("ce-softmax", seed: $0, accuracies: [0.96, 0.97]) }
            + [unfinished(9, [0.5]), unfinished(10, [0.94, 0.96])]
        let findings = Comparison(runs).findings
        let slowness = findings.slowness
        #expect(slowness.verdict == .supported)
        #expect(slowness.evidence.contains(" 2.00 times as many"), "\(slowness.evidence)")
        #expect(slowness.evidence.contains("(9 seeds)"), "\(slowness.evidence)")
        #expect(
            slowness.evidence.contains(
                "Did not complete: mse-tanh seed 10 (unfinished). "
                    + "Left out: mse-tanh seed 9 (unfinished)."), "\(slowness.evidence)")
        let inaccuracy = findings.inaccuracy.evidence
        #expect(inaccuracy.contains("95 % interval, 8 seeds"), "\(inaccuracy)")
        #expect(
            inaccuracy.contains(
                "Left out: mse-tanh seed 9 (unfinished), mse-tanh seed 10 (unfinished)."))
    }

    /// One that was interrupted was watched up to there, and nobody looks further.
    @Test func anInterruptedRunCutsTheHorizon() {
        let comparison = TargetComparison(
            [1: TimeToEvent(500, isReached: false), 2: TimeToEvent(900, isReached: true)],
            [1: TimeToEvent(300, isReached: true), 2: TimeToEvent(.infinity, isReached: false)])
        #expect(comparison.horizon == 500)
        #expect(comparison.first.map(\.time) == [500, 500])
        #expect(comparison.second.map(\.time) == [300, 500])
        #expect(comparison.bound == .undetermined)
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
