package import RunRecords
import TerminalText

/// A chart as a value: what it shows, of which runs. ``svgFile(_:)`` draws it.
///
/// Figures are given as they were measured: shares as 0…1 and not in percent, times in seconds; the
/// axis says how they are written. What is not finite is left out of the lines and stays in the
/// counts.
package struct Chart: Equatable, Sendable {
    /// Names the drawing's file and its place in the page: lower-case letters, digits and hyphens.
    package var name: String
    /// A sentence or a noun phrase for the head, without a full stop.
    package var title: String
    /// What there is to see, in a sentence or two; also for readers of screens.
    package var summary: String
    package var source: ChartSource
    package var kind: Kind

    package enum Kind: Equatable, Sendable {
        case lines(LineChart)
        case bars(BarChart)
        case heat(HeatTable)
        case reliability(ReliabilityDiagram)
        case digits(DigitGallery)
    }

    package init(
        name: String, title: String, summary: String = "", source: ChartSource, kind: Kind
    ) {
        precondition(
            !name.isEmpty
                && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "-" },
            "a drawing's name is the name of its file")
        self.name = name
        self.title = title
        self.summary = summary
        self.source = source
        self.kind = kind
    }
}

/// What stands under the title of every drawing: one data set, the configurations, how many runs
/// there are and how many of them are no full result.
package struct ChartSource: Equatable, Sendable {
    package var dataset: String
    package var datasetSHA256: String
    /// In order of first appearance, each once.
    package var configurationSHA256s: [String]
    /// All runs that the drawing is made of.
    package var runCount: Int
    /// Of these, those that ended, or did not reach a threshold, before there was a figure.
    package var censoredCount: Int
    package var divergedCount: Int

    package init(
        dataset: String, datasetSHA256: String, configurationSHA256s: [String], runCount: Int,
        censoredCount: Int = 0, divergedCount: Int = 0
    ) {
        self.dataset = dataset
        self.datasetSHA256 = datasetSHA256
        self.configurationSHA256s = configurationSHA256s
        self.runCount = runCount
        self.censoredCount = censoredCount
        self.divergedCount = divergedCount
    }

    /// Counts `runs`; those that were cut short are censored.
    ///
    /// - Parameter censoredCount: where a drawing has a rule of its own, thresholds for instance.
    /// - Throws: ``MixedDatasets`` for runs of two data sets, which no drawing shows together.
    package init(
        _ runs: [RunOutcome], censoredCount: Int? = nil
    ) throws(MixedDatasets) {
        let datasets = MixedDatasets(runs)
        guard let first = datasets.datasets.first, datasets.datasets.count == 1 else {
            throw datasets
        }
        var hashes: [String] = []
        var seen: Set<String> = []
        for run in runs where seen.insert(run.provenance.configurationSHA256).inserted {
            hashes.append(run.provenance.configurationSHA256)
        }
        self.init(
            dataset: first.name, datasetSHA256: first.sha256, configurationSHA256s: hashes,
            runCount: runs.count, censoredCount: censoredCount ?? runs.count(where: \.isCutShort),
            divergedCount: runs.count { $0.end?.status == .diverged })
    }

    /// “mnist 1a2b3c4d · configurations 5e6f7a8b, 9c0d1e2f and 18 more · n = 20, 1 censored, 0
    /// diverged”
    package var text: String {
        let shown = configurationSHA256s.prefix(Self.shownHashCount).map(Figures.shortHash)
        let rest = configurationSHA256s.count - shown.count
        let hashes =
            shown.joined(separator: ", ") + (rest > 0 ? " and \(Figures.count(rest)) more" : "")
        let noun = configurationSHA256s.count == 1 ? "configuration" : "configurations"
        return "\(dataset) \(Figures.shortHash(datasetSHA256)) · "
            + (hashes.isEmpty ? "" : "\(noun) \(hashes) · ")
            + "n = \(Figures.count(runCount)), \(Figures.count(censoredCount)) censored, "
            + "\(Figures.count(divergedCount)) diverged"
    }

    private static let shownHashCount = 3
}

/// Runs of several data sets, or of none, where one was needed (exit code 78).
package struct MixedDatasets: Error, Equatable, CustomStringConvertible {
    package struct Dataset: Hashable, Sendable {
        package var name: String
        package var sha256: String
    }

    /// In order of first appearance.
    package let datasets: [Dataset]

    package init(_ runs: [RunOutcome]) {
        var found: [Dataset] = []
        for run in runs {
            let dataset = Dataset(
                name: run.provenance.dataset, sha256: run.provenance.datasetSHA256)
            if !found.contains(where: { $0.sha256 == dataset.sha256 }) { found.append(dataset) }
        }
        datasets = found
    }

    package var description: String {
        guard !datasets.isEmpty else { return "there is no run to draw" }
        let names = datasets.map { "\($0.name) \(Figures.shortHash($0.sha256))" }
        return
            "the runs were trained on \(datasets.count) data sets, \(names.joined(separator: " and "))"
            + ", and no drawing shows two of them; choose one by the start of its hash, "
            + "--dataset \(Figures.shortHash(datasets[0].sha256))"
    }
}
