import Report

/// A drawing of each kind.
enum DrawingSamples {
    static let source = ChartSource(
        dataset: "mnist", datasetSHA256: String(repeating: "d1", count: 32),
        configurationSHA256s: (1...5).map { String(repeating: "c\($0)", count: 32) },
        runCount: 12, censoredCount: 2, divergedCount: 1)

    static let small = Chart(
        name: "small", title: "Two runs", summary: "One line.", source: source,
        kind: .lines(
            LineChart(
                xAxes: [.steps], yAxis: ChartAxis(label: "accuracy", unit: .percent),
                series: [
                    LineChart.Series(
                        label: "ce",
                        runs: [
                            LineChart.Run(label: "1", points: points([0.9, 0.95])),
                            LineChart.Run(label: "2", points: points([0.92, 0.97])),
                        ], colour: 1)
                ], thresholds: [LineChart.Threshold(value: 0.95, label: "95 %")])))

    private static func points(_ values: [Double]) -> [LineChart.Point] {
        values.enumerated().map { LineChart.Point(x: [Double($0.offset + 1) * 100], y: $0.element) }
    }

    static let all: [Chart] = [
        small, lines, bars(baseline: nil), bars(baseline: 0), heat, reliability, digits, empty,
    ]

    /// All that a line chart may hold, on four x axes and a logarithmic y axis.
    static let lines = Chart(
        name: "lines", title: "Steps to 97 % against batch size", source: source,
        kind: .lines(
            LineChart(
                xAxes: [
                    ChartAxis(label: "batch size", unit: .count, scale: .binary), .epochs,
                    .examples, .seconds,
                ], yAxis: ChartAxis(label: "steps", unit: .count, scale: .logarithmic),
                series: (0..<10).map { series in
                    LineChart.Series(
                        label: "series <\(series)>",
                        runs: (0..<3).map { run in
                            LineChart.Run(
                                label: "\(run)",
                                points: (0..<6).map { index in
                                    let batch = Double(16 << index)
                                    let value = 40_000 / batch + Double(run * 10 + series)
                                    return LineChart.Point(
                                        x: [batch, Double(index), batch * 100, value / 7],
                                        y: index == 3 && run == 1 ? .nan : value,
                                        isCensored: index == 5 && run > 0)
                                }, ending: run == 2 ? .diverged : .whole)
                        }, colour: series, hasMarkers: true)
                },
                ideals: [
                    LineChart.Ideal(
                        label: "perfect scaling",
                        points: [
                            LineChart.Point(x: [16, 0, 1600, 1], y: 2500),
                            LineChart.Point(x: [512, 5, 51_200, 300], y: 78),
                        ])
                ],
                markers: [
                    LineChart.Marker(
                        label: "critical batch",
                        point: LineChart.Point(x: [128, 3, 12_800, 50], y: 300), colour: 1)
                ])))

    private static func bars(baseline: Double?) -> Chart {
        Chart(
            name: "bars", title: "Throughput", source: source,
            kind: .bars(
                BarChart(
                    axis: ChartAxis(label: "examples/s", unit: .count),
                    bars: [
                        BarChart.Bar(
                            label: "one & only", value: 1000, interval: 900...1100,
                            runs: [950, 1050], colour: 0),
                        BarChart.Bar(label: "none", value: .nan, colour: 1),
                    ], baseline: baseline, legend: "mean with its 95 % interval")))
    }

    private static let heat = Chart(
        name: "heat", title: "Decisions", source: source,
        kind: .heat(HeatTable(ReportSamples.confusion)))

    private static let reliability = Chart(
        name: "reliability", title: "Reliability", source: source,
        kind: .reliability(
            ReliabilityDiagram(series: [
                ReliabilityDiagram.Series(
                    label: "softmax",
                    bins: (0..<10).map { bin in
                        let low = Double(bin) / 10
                        return ReliabilityDiagram.Bin(
                            range: low...(low + 0.1), count: bin == 0 ? 0 : bin * 100,
                            meanConfidence: bin == 0 ? .nan : low + 0.05,
                            accuracy: bin == 0 ? .nan : low)
                    }, colour: 2)
            ])))

    private static let digits = Chart(
        name: "digits", title: "Digits", source: source,
        kind: .digits(
            DigitGallery(
                digits: (0..<12).map { digit in
                    DigitGallery.Digit(
                        pixels: (0..<784).map { UInt8(truncatingIfNeeded: $0 * (digit + 1)) },
                        caption: "4 < 9\nno. \(digit)")
                })))

    private static let empty = Chart(
        name: "empty", title: "Nothing", source: source,
        kind: .lines(
            LineChart(
                xAxes: [.steps, .seconds], yAxis: ChartAxis(label: "loss", scale: .logarithmic),
                series: [
                    LineChart.Series(
                        label: "lost",
                        runs: [
                            LineChart.Run(
                                label: "1", points: [LineChart.Point(x: [1, 0.1], y: .nan)])
                        ], colour: 0)
                ])))

    static let smallText = """
        <?xml version="1.0" encoding="UTF-8"?>
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 352 402" width="352" height="402" \
        role="img" aria-labelledby="t d"><title id="t">Two runs</title>
        <desc id="d">One line. ce ends at 96 %. mnist d1d1d1d1 · configurations c1c1c1c1, \
        c2c2c2c2, c3c3c3c3 and 2 more · n = 12, 2 censored, 1 diverged</desc>
        <rect class="paper" x="-12" width="100%" height="100%"/>
        <text class="title" x="0" y="24" text-anchor="start">Two runs</text>
        <text class="label" x="0" y="46" text-anchor="start">mnist d1d1d1d1 · configurations c1c1c1c1, c2c2c2c2,</text>
        <text class="label" x="0" y="62" text-anchor="start">c3c3c3c3 and 2 more · n = 12, 2 censored, 1 diverged</text>
        <g transform="translate(0 82)"><g class="s1"><path class="median" d="M0 8L16 8"/>
        <text class="name" x="22" y="12" text-anchor="start">ce</text>
        </g>
        <text class="label" x="0" y="34" text-anchor="start">accuracy</text>
        <path class="grid" d="M40.4 268L320 268"/>
        <text class="label" x="33.4" y="272" text-anchor="end">90 %</text>
        <path class="grid" d="M40.4 205.1L320 205.1"/>
        <text class="label" x="33.4" y="209.1" text-anchor="end">92 %</text>
        <path class="grid" d="M40.4 142.3L320 142.3"/>
        <text class="label" x="33.4" y="146.3" text-anchor="end">94 %</text>
        <path class="grid" d="M40.4 79.4L320 79.4"/>
        <text class="label" x="33.4" y="83.4" text-anchor="end">96 %</text>
        <path class="axis" d="M40.4 268L320 268"/>
        <g class="view" data-axis="steps"><path class="axis" d="M40.4 268L40.4 272"/>
        <text class="label" x="40.4" y="286" text-anchor="middle">0</text>
        <path class="axis" d="M110.3 268L110.3 272"/>
        <text class="label" x="110.3" y="286" text-anchor="middle">50</text>
        <path class="axis" d="M180.2 268L180.2 272"/>
        <text class="label" x="180.2" y="286" text-anchor="middle">100</text>
        <path class="axis" d="M250.1 268L250.1 272"/>
        <text class="label" x="250.1" y="286" text-anchor="middle">150</text>
        <path class="axis" d="M320 268L320 272"/>
        <text class="label" x="317.7" y="286" text-anchor="middle">200</text>
        <text class="label" x="320" y="302" text-anchor="end">steps</text>
        <g class="s1"><path class="run" d="M180.2 268L320 110.9"/>
        <path class="run" d="M180.2 205.1L320 48"/>
        </g>
        <path class="threshold" d="M40.4 110.9L320 110.9"/>
        <text class="halo" x="317" y="106.9" text-anchor="end">95 %</text>
        <g class="s1"><path class="band" d="M180.2 220.9L320 63.7L320 95.1L180.2 252.3Z"/>
        <path class="median" d="M180.2 236.6L320 79.4"/>
        </g>
        </g>
        </g>
        </svg>

        """
}
