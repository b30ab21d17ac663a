import Datasets
import Foundation
import LockstepProtocol
import Report
import TerminalText

/// What is added: workers on this host, threads of one process, or hosts.
enum ScalingAxis: String, CaseIterable, Sendable {
    case workers, threads, hosts
}

/// Whether the work stays the same or grows with those who do it.
enum ScalingKind: String, CaseIterable, Sendable {
    /// One global batch, shared.
    case strong
    /// A batch for each.
    case weak
}

/// The speed with more workers, threads or hosts, against one process with one thread.
struct ScalingMeasurement {
    var axes: [ScalingAxis]
    /// How many of each; 1 is always measured.
    var counts: [Int]
    var strongBatch: Int
    var weakBatch: Int
    var rate: LinkRate
    var rounds: Int
    var epochs: Int

    private struct Line: Hashable {
        let axis: ScalingAxis
        let kind: ScalingKind
    }

    /// Rates of one line, by count.
    private typealias Rates = [(count: Int, rounds: Rounds)]

    private var lines: [Line] {
        axes.flatMap { axis in ScalingKind.allCases.map { Line(axis: axis, kind: $0) } }
    }

    private static let onThisHost = "Lockstep"
    private static let onHosts = "Lockstep on hosts"

    private func entry(_ line: Line, _ count: Int) -> Contest.Entry {
        let batch = line.kind == .strong ? strongBatch : weakBatch * count
        var shape = TrainingShape(
            configuration: "ce-softmax", workers: 0, threads: 1, batchSize: batch, epochs: epochs)
        guard count > 1 else { return Contest.Entry(side: Self.onThisHost, shape: shape) }
        switch line.axis {
        case .workers, .hosts: shape.workers = count
        case .threads: shape.threads = count
        }
        return Contest.Entry(
            side: line.axis == .hosts ? Self.onHosts : Self.onThisHost, shape: shape)
    }

    private var allCounts: [Int] { Set(counts + [1]).sorted() }

    func measure(_ data: BenchData, _ folder: TemporaryFolder) throws -> ScalingResult {
        let own = try LockstepTrainer(data, folder)
        var sides: [String: Contest.Run] = [Self.onThisHost: own.run]
        var network: NetworkHosts?
        if axes.contains(.hosts), let most = counts.max(), most > 1 {
            let hosts = try NetworkHosts(count: most, rate: rate, folder)
            network = hosts
            let key = try HostLockstep.makeKey(folder)
            sides[Self.onHosts] =
                HostLockstep(hosts: hosts, data: data, folder: folder, keyFile: key).run
        }
        var entries: [Contest.Entry] = []
        for line in lines {
            for count in allCounts {
                let entry = entry(line, count)
                guard entry.shape.batchSize <= data.dataset.train.count else {
                    throw BenchError(
                        .usage,
                        "a batch of \(entry.shape.batchSize) is more than the "
                            + "\(data.dataset.train.count) examples of the \(data.dataset.name) data"
                    )
                }
                // One process with one thread is the start of several lines.
                if !entries.contains(entry) { entries.append(entry) }
            }
        }
        var contest = Contest()
        try contest.run(entries, rounds: rounds, own: Self.onThisHost, sides: sides)
        withExtendedLifetime(network) {}
        guard contest.failures.isEmpty else {
            throw BenchError(.lostPeer, contest.failures.joined(separator: "; "))
        }
        return result(contest, data)
    }

    private func result(_ contest: Contest, _ data: BenchData) -> ScalingResult {
        var sections: [Section] = []
        var series: [LineChart.Series] = []
        for (index, line) in lines.enumerated() {
            let rates: Rates = allCounts.compactMap { count in
                let entry = entry(line, count)
                return contest.rates(entry.side, entry.shape).map { (count, $0) }
            }
            guard let one = rates.first?.rounds, rates.count > 1 else { continue }
            sections.append(section(line, rates, one))
            let runs = (0..<rounds).map { round in
                LineChart.Run(
                    label: "round \(round + 1)",
                    points: rates.map { count, rounds in
                        LineChart.Point(
                            x: [Double(count)], y: rounds.values[round] / one.values[round])
                    })
            }
            let words = "\(line.axis.rawValue), \(line.kind.rawValue)"
            series.append(
                LineChart.Series(label: words, runs: runs, colour: index, hasMarkers: true))
        }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        if !sections.isEmpty {
            sections[sections.count - 1].notes = [
                "The ratio is the efficiency: the rate over that of one process with one thread, times "
                    + "the count. This machine has \(Figures.plural(cores, "core")); more than that "
                    + "many cannot be faster, whatever they are."
            ]
        }
        return ScalingResult(sections: sections, chart: chart(series, data))
    }

    private func section(_ line: Line, _ rates: Rates, _ one: Rounds) -> Section {
        let batch =
            line.kind == .strong
            ? "batch \(strongBatch) in all" : "batch \(weakBatch) each"
        var section = Section(
            title: "\(line.kind == .strong ? "Strong" : "Weak") scaling over "
                + "\(line.axis.rawValue), \(batch)", command: "scaling",
            subject: line.axis.rawValue)
        section.figures = rates.map { count, rounds in
            var figure = Figure(
                "\(count)", rounds, "examples/s",
                against: ("perfect scaling", one.map(.higher) { $0 * Double(count) }))
            let batch = entry(line, count).shape.batchSize
            figure.seconds = rounds.best.map { Double(batch) / $0 }
            return figure
        }
        return section
    }

    private func chart(_ series: [LineChart.Series], _ data: BenchData) -> Chart {
        let most = Double(allCounts.last ?? 1)
        let places = axes.map(\.rawValue).joined(separator: ", ")
        return Chart(
            name: "scaling", title: "Speed-up over one process with one thread",
            summary: "Strong scaling: batch \(strongBatch) in all; weak: \(weakBatch) each.",
            source: ChartSource(
                dataset: data.dataset.name, datasetSHA256: "\(data.dataset.sha256)",
                configurationSHA256s: [], runCount: series.flatMap(\.runs).count),
            kind: .lines(
                LineChart(
                    xAxes: [ChartAxis(label: places, unit: .count, scale: .binary)],
                    yAxis: ChartAxis(label: "times as fast", unit: .plain, scale: .binary),
                    series: series,
                    ideals: [
                        LineChart.Ideal(
                            label: "perfect scaling",
                            points: [
                                LineChart.Point(x: [1], y: 1), LineChart.Point(x: [most], y: most),
                            ])
                    ])))
    }
}

/// A table for each line, and all lines in one drawing.
struct ScalingResult {
    let sections: [Section]
    let chart: Chart
}
