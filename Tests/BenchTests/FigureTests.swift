import TerminalText
import Testing
import lockstep_bench

/// Ratios, their spread, goals and floors, and how they are printed.
struct FigureTests {
    private static let entry = GoalEntry(
        row: .twoWorkersOneThread, place: "batch 128", goal: .atLeast(1.2))

    private static func figure(_ own: [Double], _ other: [Double]?, floor: Floor? = nil) -> Figure {
        var figure = Figure(
            "128", Rounds(own, .higher), "examples/s",
            against: other.map { ("one thread", Rounds($0, .higher)) }, entry: entry)
        figure.floor = floor
        return figure
    }

    @Test func theSpreadIsThatOfPairedRounds() {
        let figure = Self.figure([10, 8, 9], [5, 8, 6])
        #expect(figure.ratio == 10.0 / 8)
        #expect(figure.spread == 1...2)
        // A side that dropped out leaves the rounds that it was in.
        #expect(Self.figure([10, 8, 20], [5, 8]).spread == 1...2)
    }

    @Test func timesCountTheLowest() {
        let figure = Figure(
            "step", Rounds([4, 3], .lower), "ms", against: ("bytes", Rounds([2, 2], .lower)))
        #expect(figure.ratio == 1.5)
        #expect(figure.spread == 1.5...2)
    }

    @Test(arguments: [
        ([1.3], nil, "reached"), ([1.1], nil, "missed"), ([1.1], 1.25, "missed"),
        ([1.1], 1.19, "beyond floor"), ([1.3], 1.19, "reached"), ([1.1], 0.9, "missed"),
    ])
    func aGoalBeyondTheFloorIsNoMiss(own: [Double], floor: Double?, verdict: String) {
        let figure = Self.figure(own, [1], floor: floor.map { Floor(ratio: $0, text: "why") })
        #expect(figure.verdict == verdict)
    }

    @Test func theTableHasSpreadGoalAndFloor() {
        var section = Section(title: "A second core", command: "step", subject: "batch")
        section.figures = [
            Self.figure(
                [1.1, 0.9], [1, 1], floor: Floor(ratio: 1.15, text: "the exchange takes 202 µs"))
        ]
        let text = section.text(TextStyle(width: 120))
        #expect(text.contains("1.10×") && text.contains("0.90..1.10"))
        #expect(text.contains("≥ 1.2×") && text.contains("beyond floor"))
        #expect(
            text.contains(
                "128: the goal of ≥ 1.2× lies beyond the measured floor, 1.15×: the exchange takes "
                    + "202 µs."))
    }

    @Test func aLineHasSpreadGoalAndFloor() throws {
        var section = Section(title: "A second core", command: "step", subject: "batch")
        section.figures = [Self.figure([3, 1], [2, 2], floor: Floor(ratio: 1.5, text: "why"))]
        let line = try #require(try section.jsonLines().first)
        for part in [
            "\"ratio\":1.5", "\"ratio_lowest\":0.5", "\"ratio_highest\":1.5", "\"rounds\":2",
            "\"row\":\"two-workers-one-thread\"", "\"place\":\"batch 128\"",
            "\"goal\":\"≥ 1.2×\"", "\"reached\":true", "\"floor_ratio\":1.5",
            "\"floor\":\"why\"",
        ] {
            #expect(line.contains(part), "\(line)")
        }
    }

    /// The summary tells of several figures the one that is furthest from the goal.
    @Test func theSummaryTakesTheWorst() throws {
        let most = GoalEntry(row: .hostsLink, place: "4 hosts", goal: .atMost(1.1))
        let bounds = [1.05, 1.3, 1.2].map {
            Figure(
                "4 hosts", Rounds([$0], .lower), "ms", against: ("bytes", Rounds([1], .lower)),
                entry: most)
        }
        let unmeasured = GoalEntry(row: .keras, place: "mse-tanh", goal: .atLeast(8))
        let alone = GoalEntry(row: .oneThreadJAX, place: "batch 32", goal: .atLeast(2.5))
        let lonely = Figure("32", Rounds([5], .higher), "examples/s", against: nil, entry: alone)
        let summary = GoalSummary(
            [Self.entry, most, unmeasured, alone],
            [Self.figure([2], [1]), Self.figure([1.4], [1])] + bounds + [lonely])
        let lines = try summary.jsonLines()
        #expect(lines[0].contains("\"ratio\":1.4,") && lines[0].contains("\"figures\":2"))
        #expect(lines[1].contains("\"ratio\":1.3,") && lines[1].contains("missed"))
        #expect(lines[2].contains("not measured"))
        #expect(lines[3].contains("nothing to compare"))
        let text = summary.text(TextStyle(width: 120))
        #expect(
            text.contains("4 goals: 1 reached, 1 missed, 1 nothing to compare, 1 not measured."))
    }

    /// 2 (N − 1) / N of 407,080 bytes each way.
    @Test(arguments: [(2, 407_080.0, 3.25664), (4, 610_620, 4.88496), (8, 712_390, 5.69912)])
    func theBytesOfAStepOverLinks(hosts: Int, bytes: Double, milliseconds: Double) {
        let floor = LinkFloor(hosts: hosts, rate: .oneGigabit, byteCount: 407_080)
        #expect(floor.bytesEachWay == bytes)
        #expect(abs(floor.seconds * 1e3 - milliseconds) < 1e-9)
    }

    @Test func ratesAreReadAsTcHasThem() {
        #expect(LinkRate(argument: "1gbit") == .oneGigabit)
        #expect(LinkRate(argument: "100mbit")?.bitsPerSecond == 1e8)
        #expect(LinkRate(argument: "64kbit")?.bitsPerSecond == 64e3)
        for text in ["1", "gbit", "-1gbit", "1.5gbit", "0mbit", "1gbps", ""] {
            #expect(LinkRate(argument: text) == nil, "\(text)")
        }
    }
}
