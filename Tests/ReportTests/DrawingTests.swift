import Foundation
import Report
import RunRecords
import Statistics
import TestSupport
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct DrawingTests {
    // MARK: Axes

    @Test(arguments: [
        (ChartAxis.Unit.percent, 0.943, 0.979, 7, ["95 %", "96 %", "97 %"]),
        (.percent, 0.9642, 0.9681, 6, ["96.5 %", "96.6 %", "96.7 %", "96.8 %"]),
        (.count, 0, 18_750, 8, ["0", "5,000", "10,000", "15,000"]),
        (.count, 1, 3, 8, ["1", "2", "3"]),
        (.seconds, 0.1, 0.62, 6, ["0.2 s", "0.4 s", "0.6 s"]),
        (.plain, -1, 1, 5, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
    ])
    func ticksAreRoundAndInside(
        unit: ChartAxis.Unit, low: Double, high: Double, count: Int, expected: [String]
    ) {
        let axis = ChartAxis(label: "", unit: unit).scaled(to: [low, high], maximumTicks: count)
        #expect(axis.ticks.map(\.label) == expected)
        #expect(axis.range == low...high)
    }

    @Test func logarithmicAxesHavePowersAndLeaveOutWhatIsNotPositive() {
        let axis = ChartAxis(label: "", scale: .logarithmic)
        let wide = axis.scaled(to: [0, -3, 1e-5, 0.2, .nan, .infinity], maximumTicks: 8)
        #expect(wide.range == 1e-5...0.2)
        #expect(wide.ticks.map(\.label) == ["10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1"])
        #expect(abs(wide.position(1e-5)) < 1e-12)
        #expect(abs(wide.position(0.2) - 1) < 1e-12)
        #expect(abs(wide.position((1e-5 * 0.2).squareRoot()) - 0.5) < 1e-12)
        let narrow = axis.scaled(to: [0.02, 0.3], maximumTicks: 8)
        #expect(narrow.ticks.map(\.label) == ["0.02", "0.05", "0.1", "0.2"])
        let counts = ChartAxis(label: "", unit: .count, scale: .logarithmic)
        let steps = counts.scaled(to: [20, 4_000], maximumTicks: 6)
        #expect(steps.ticks.map(\.label) == ["30", "100", "300", "1,000", "3,000"])
        // Of 1, 2 and 5 times a power of ten there is but one.
        let rates = counts.scaled(to: [210_000, 430_000], maximumTicks: 6)
        #expect(rates.ticks.map(\.label) == ["250,000", "300,000", "350,000", "400,000"])
        #expect(rates.axis == counts)
        let batches = ChartAxis(label: "", unit: .count, scale: .binary)
            .scaled(to: [16, 16_384], maximumTicks: 6)
        #expect(batches.ticks.map(\.label) == ["16", "64", "256", "1,024", "4,096", "16,384"])
    }

    @Test(arguments: [[], [Double.nan], [0.5], [0, 0], [3, 3]] as [[Double]])
    func anAxisOfOneValueOrNoneHasARange(values: [Double]) {
        for scale in [ChartAxis.Scale.linear, .logarithmic, .binary] {
            let axis = ChartAxis(label: "", scale: scale).scaled(to: values, maximumTicks: 6)
            #expect(axis.range.lowerBound < axis.range.upperBound)
            #expect(axis.position(axis.range.upperBound).isFinite)
        }
    }

    // MARK: Bands

    /// As numpy.quantile gives them.
    @Test(arguments: [
        ([7.0], 7.0, 7.0, 7.0), ([1, 2], 1.25, 1.5, 1.75), ([1, 2, 4, 8], 1.75, 3, 5),
        ([1, 2, 4, 8, 16], 2, 4, 8),
    ])
    func quantilesAreLinearBetweenValues(
        values: [Double], lower: Double, median: Double, upper: Double
    ) {
        #expect(Quantiles.quantile(0.25, of: values) == lower)
        #expect(Quantiles.quantile(0.5, of: values) == median)
        #expect(Quantiles.quantile(0.75, of: values) == upper)
        #expect(Quantiles.quantile(0, of: values) == values.first)
        #expect(Quantiles.quantile(1, of: values) == values.last)
    }

    /// The second axis differs between runs (time does); one run ends early, and one value is none.
    @Test func aBandIsOverTheRunsThatArePresent() throws {
        func run(_ points: [(Double, Double, Double)]) -> LineChart.Run {
            LineChart.Run(
                label: "", points: points.map { LineChart.Point(x: [$0.0, $0.1], y: $0.2) })
        }
        let band = LineChart.Series(
            label: "",
            runs: [
                run([(1, 0.5, 10), (2, 1, 20)]), run([(1, 0.7, 14), (2, 1.5, .nan)]),
                run([(1, 0.6, 12)]),
            ], colour: 0
        ).band
        try #require(band.count == 2)
        #expect(band[0].x == [1, 0.6])
        #expect(band[0].middle == 12)
        #expect(band[0].lower == 11)
        #expect(band[0].upper == 13)
        #expect(band[0].runCount == 3)
        #expect(band[1].x == [2, 1])
        #expect(band[1].middle == 20)
        #expect(band[1].runCount == 1)
    }

    /// Runs that reached a target have ended: a median of those that are left would be one of the
    /// slow ones. One that diverged or was cut short is no reason to hide the others.
    @Test(arguments: [LineChart.Run.Ending.diverged, .cutShort], [true, false])
    func aBandOfTrainingEndsWithItsFirstRun(ending: LineChart.Run.Ending, isTraining: Bool) {
        let places = isTraining ? [1.0, 2] : [1, 2, 3, 4]
        func run(_ count: Int, _ ending: LineChart.Run.Ending = .whole) -> LineChart.Run {
            LineChart.Run(
                label: "",
                points: (1..<count + 1).map { LineChart.Point(x: [Double($0)], y: 0.9) },
                ending: ending)
        }
        let band = LineChart.Series(
            label: "", runs: [run(4), run(2), run(1, ending), run(3)], colour: 0,
            isTraining: isTraining
        ).band
        #expect(band.map { $0.x[0] } == places)
        #expect(band.prefix(2).map(\.runCount) == [4, 3])
    }

    /// Behind its end a run that diverged is below all others, so that those left are not all.
    @Test func aRunThatDivergedRanksBelow() {
        func run(_ values: [Double], ending: LineChart.Run.Ending = .whole) -> LineChart.Run {
            LineChart.Run(
                label: "",
                points: values.enumerated().map { LineChart.Point(x: [Double($0)], y: $1) },
                ending: ending)
        }
        let runs = [run([5, 6, 7]), run([1, 2, 3]), run([9, .nan], ending: .diverged)]
        func band(_ rank: Double?) -> [[Double]] {
            LineChart.Series(
                label: "", runs: runs, colour: 0, isTraining: true, rankOfDiverged: rank
            ).band.map { [$0.lower, $0.middle, $0.upper, Double($0.runCount)] }
        }
        #expect(band(nil) == [[3, 5, 7, 3], [3, 4, 5, 2], [4, 5, 6, 2]])
        #expect(
            band(-.infinity) == [[3, 5, 7, 3], [-.infinity, 2, 4, 3], [-.infinity, 3, 5, 3]])
    }

    /// The end of a run that was cut short lies between the places of the others: the median does
    /// not jump to its figure there. Alone it has a line of its own, up to its end.
    @Test func aRunThatWasCutShortEndsItsOwnLineOnly() {
        func run(_ steps: [Double], _ y: Double, _ ending: LineChart.Run.Ending = .whole)
            -> LineChart.Run
        {
            LineChart.Run(
                label: "", points: steps.map { LineChart.Point(x: [$0, .nan], y: y) },
                ending: ending)
        }
        let short = run([10, 13], 0.1, .cutShort)
        let together = LineChart.Series(
            label: "", runs: [run([10, 20], 0.9), short, run([10, 20], 0.9)], colour: 0,
            isTraining: true)
        #expect(together.band.map { $0.x[0] } == [10, 20])
        #expect(together.band.map(\.middle) == [0.9, 0.9])
        #expect(together.band.map(\.runCount) == [3, 2])
        let alone = LineChart.Series(label: "", runs: [short], colour: 0, isTraining: true)
        #expect(alone.band.map { $0.x[0] } == [10, 13])
        // Nobody knows where it lies on the second axis.
        #expect(alone.band.allSatisfy { $0.x[1].isNaN })
    }

    /// Three batches, of which the last is never reached: the line ends before it, and says so.
    @Test func aLineEndsWhereTheTargetIsNoLongerReached() throws {
        func point(_ batch: Double, _ steps: Double?) -> LineChart.Point {
            LineChart.Point(x: [batch], y: steps ?? .nan, isCensored: steps == nil)
        }
        let runs = [[400.0, 300, nil], [500, 320, nil], [600, nil, nil]].map { steps in
            LineChart.Run(
                label: "",
                points: zip([16, 32, 64], steps).map { point($0, $1) })
        }
        let series = LineChart.Series(label: "mse", runs: runs, colour: 0, hasMarkers: true)
        #expect(series.band.map(\.middle) == [500, 320, .infinity])
        #expect(series.band.map(\.upper) == [550, .infinity, .infinity])
        func svg(_ never: String?) -> String {
            Chart(
                name: "never", title: "Steps", source: DrawingSamples.source,
                kind: .lines(
                    LineChart(
                        xAxes: [ChartAxis(label: "batch", unit: .count, scale: .binary)],
                        yAxis: ChartAxis(label: "steps", unit: .count, scale: .logarithmic),
                        series: [series], never: never))
            ).svgFile()
        }
        let drawing = svg("not reached within 1,000 examples")
        #expect(drawing.contains(">not reached within 1,000 examples<"))
        #expect(drawing.contains("mse ends without a figure"))
        #expect(!drawing.lowercased().contains("nan") && !drawing.contains("inf"))
        // One dot for each batch that is reached, and a hollow one for the other.
        #expect(drawing.ranges(of: "class=\"dot\"").count == 2)
        #expect(drawing.ranges(of: "class=\"hollow\"").count == 1)
        // The line joins the two.
        let line = try #require(drawing.firstMatch(of: /<path class="median" d="([^"]*)"/)?.1)
        #expect(line.ranges(of: "L").count == 1)
    }

    /// Two of four get there, at 100 and 300 steps of 500.
    @Test func aCurveOfThoseThatAreThereIsStairs() {
        let curve = KaplanMeier([
            TimeToEvent(100, isReached: true), TimeToEvent(300, isReached: true),
            TimeToEvent(500, isReached: false), TimeToEvent(500, isReached: false),
        ])
        let series = LineChart.Series.reached(curve, label: "ce", until: 500, colour: 1)
        #expect(series.band.map { $0.x[0] } == [0, 100, 100, 300, 300, 500])
        #expect(series.band.map(\.middle) == [0, 0, 0.25, 0.25, 0.5, 0.5])
        #expect(series.band.allSatisfy { $0.lower <= $0.middle && $0.middle <= $0.upper })
        #expect(series.band.allSatisfy { $0.runCount == 4 })
        // Before anything happens the exact bound, 1 − 0.025^(1/4).
        #expect(abs(series.band[0].upper - 0.6023646356) < 1e-9)
    }

    @Test func censoredValuesRankLast() {
        func median(_ values: [(Double, Bool)]) -> (Double, Bool)? {
            LineChart.Series(
                label: "",
                runs: values.map { value, isCensored in
                    LineChart.Run(
                        label: "",
                        points: [LineChart.Point(x: [1], y: value, isCensored: isCensored)])
                }, colour: 0
            ).band.first.map { ($0.middle, $0.isCensored) }
        }
        #expect(median([(5, true), (30, false), (20, false)]).map { $0 == (30, false) } == true)
        // Where a censored value would lie is not looked at.
        #expect(median([(.nan, true), (30, false), (20, false)])?.0 == 30)
        #expect(median([(5, true), (30, true), (20, false)])?.1 == true)
        #expect(median([(30, false), (20, false)])?.1 == false)
        // Between one that gets there and one that never does lies never.
        #expect(median([(5, true), (20, false)]).map { $0 == (.infinity, true) } == true)
    }

    // MARK: Drawings

    @Test func aSmallDrawingIsDrawnToTheLetter() throws {
        let text = DrawingSamples.small.svgFile(.narrow)
        let style = try #require(text.range(of: "<style>"))
        let end = try #require(text.range(of: "</style>\n"))
        let drawn = text[..<style.lowerBound] + text[end.upperBound...]
        #expect(String(drawn) == DrawingSamples.smallText)
    }

    @Test(arguments: DrawingSamples.all, ChartSize.allCases)
    func everyKindIsWellFormedAndNamesItsSource(chart: Chart, size: ChartSize) throws {
        let text = chart.svgFile(size)
        let parser = XMLCheck(text)
        #expect(parser.fault == nil)
        #expect(parser.texts.joined(separator: " ").contains("n = 12, 2 censored, 1 diverged"))
        #expect(parser.texts.contains(chart.title))
        #expect(text.contains("prefers-color-scheme:dark"))
        for sign in ["nan", "inf", "NaN"] {
            #expect(!parser.places.contains(sign), "\(sign) is no place")
        }
        let outside = text.replacing("http://www.w3.org/2000/svg", with: "")
        #expect(!outside.contains("http"))
    }

    @Test(arguments: ChartSize.allCases)
    func captionsStayBelowTheirDigits(size: ChartSize) {
        var chart = DrawingSamples.small
        let caption = "no. 1198, an 8: right in 24 of 24 against 0 of 24"
        chart.kind = .digits(
            DigitGallery(
                digits: (0..<12).map { _ in
                    DigitGallery.Digit(pixels: [UInt8](repeating: 0, count: 784), caption: caption)
                }))
        let texts = XMLCheck(chart.svgFile(size)).texts
        let lines = texts.filter { caption.contains($0) && !$0.isEmpty }
        #expect(lines.count >= 36 && lines.allSatisfy { $0.count <= 18 })
        #expect(lines.prefix(lines.count / 12).joined(separator: " ") == caption)
    }

    @Test func linesOfOneKindAreNamedOnce() throws {
        var chart = DrawingSamples.small
        guard case .lines(var lines) = chart.kind else { return }
        lines.ideals = [0.91, 0.93].map { level in
            LineChart.Ideal(
                label: "ideal", points: [0, 200].map { LineChart.Point(x: [$0], y: level) })
        }
        chart.kind = .lines(lines)
        let text = chart.svgFile()
        #expect(text.components(separatedBy: ">ideal<").count == 2)
        #expect(text.components(separatedBy: "class=\"ideal\"").count == 3)
    }

    /// A phone is narrower than the names of configurations that differ in several settings.
    @Test func longNamesAreBroken() {
        let name = "ce-softmax, evaluate_every default, learning_rate 0.003, optimizer adam"
        var line = DrawingSamples.small
        guard case .lines(var lines) = line.kind else { return }
        lines.series[0].label = name
        line.kind = .lines(lines)
        var bar = line
        bar.kind = .bars(
            BarChart(
                axis: ChartAxis(label: "accuracy", unit: .percent),
                bars: [BarChart.Bar(label: name, value: 0.9, colour: 0)], legend: "mean"))
        for chart in [line, bar] {
            let texts = XMLCheck(chart.svgFile(.narrow)).texts
            #expect(!texts.contains(name))
            let joined = texts.joined(separator: " ")
            #expect(joined.contains(name))
        }
    }

    @Test func textsFromOutsideStayTexts() {
        var chart = DrawingSamples.small
        chart.title = "a < b & \"c\" > 'd' \u{1}"
        let parser = XMLCheck(chart.svgFile())
        #expect(parser.fault == nil)
        #expect(parser.texts.contains("a < b & \"c\" > 'd' \u{FFFD}"))
    }

    @Test func hundredsOfRunsStaySmall() {
        var chart = DrawingSamples.small
        func value(_ run: Int, _ step: Int) -> Double {
            0.9 + Double((run * 31 + step * 17) % 97) / 1000
        }
        let runs = (0..<600).map { (run: Int) -> LineChart.Run in
            let points = (0..<200).map { LineChart.Point(x: [Double($0)], y: value(run, $0)) }
            return LineChart.Run(label: "\(run)", points: points)
        }
        chart.kind = .lines(
            LineChart(
                xAxes: [.steps], yAxis: ChartAxis(label: "y"),
                series: [LineChart.Series(label: "many", runs: runs, colour: 0)]))
        #expect(chart.svgFile().utf8.count < 200_000)
    }

    @Test func twoDatasetsAreRefusedByName() {
        let one = Samples.outcome("ce-softmax", accuracies: [0.9])
        var provenance = Samples.provenance
        provenance.dataset = "synthetic-digits"
        provenance.datasetSHA256 = String(repeating: "5e", count: 32)
        let two = RunOutcome(run: Samples.run(), provenance: provenance)
        let error = #expect(throws: MixedDatasets.self) { try ChartSource([one, two]) }
        #expect(error?.description.contains("mnist d1d1d1d1 and synthetic-digits 5e5e5e5e") == true)
        #expect(throws: MixedDatasets.self) { try ChartSource([]) }
    }
}

/// Reads XML and keeps what it holds.
final class XMLCheck: NSObject, XMLParserDelegate {
    private(set) var fault: String?
    /// Between tags, each without blanks around it.
    private(set) var texts: [String] = []
    /// Values of attributes that say where something is.
    private(set) var places = ""
    private var text = ""

    init(_ document: String) {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        if !parser.parse() {
            fault = "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "?")"
        }
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        for key in ["d", "x", "y", "width", "height", "cx", "cy", "r"] {
            if let value = attributes[key] { places += value + " " }
        }
        text = ""
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
        _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if !trimmed.isEmpty { texts.append(trimmed) }
        text = ""
    }
}
