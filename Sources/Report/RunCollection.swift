import Foundation
package import RunRecords
import TerminalText

/// The runs of some folders, as a report reads them.
package struct RunCollection: Sendable {
    package struct Run: Equatable, Sendable {
        package var path: String
        package var outcome: RunOutcome
        package var layers: [LayerPoint]
    }

    /// In order of their paths; none twice.
    package private(set) var runs: [Run] = []
    /// What is not whole, or was left out, and why, a line each.
    package private(set) var notes: [String] = []

    /// Reads all runs in `folders` and below them; hidden folders are not looked into.
    ///
    /// A run that has not ended is there up to its last record, with a note. A log that cannot be
    /// read, or is none, is left out with a note. Of runs with one configuration, seed and data set
    /// the newest counts: they are one run, made several times.
    ///
    /// - Throws: ``FileError`` for a folder in `folders`; ``NoRunsError``.
    package init(folders: [String]) throws {
        var search = RunSearch()
        for folder in folders { try search.look(in: folder) }
        notes = search.notes
        var places: [RunKey: Int] = [:]
        var undated: [String: LayerFigures] = [:]
        for path in search.found { add(path, &places, &undated) }
        guard !runs.isEmpty else { throw NoRunsError(folders: folders, notes: notes) }
        addLayers(of: undated)
    }

    /// - Parameters:
    ///   - places: of the runs so far.
    ///   - undated: by path, the layers' figures of runs whose logs do not tell how long an epoch
    ///     is. Those of all others would be more than a memory holds.
    private mutating func add(
        _ path: String, _ places: inout [RunKey: Int], _ undated: inout [String: LayerFigures]
    ) {
        var log = LogSummary()
        do {
            try MetricsFile.forEachRecord(of: RunDirectory(path: path).metricsPath) {
                log.add($0, $1)
            }
        } catch {
            return notes.append("\(error); \(path) is left out")
        }
        guard let outcome = log.outcome else {
            return notes.append("\(path): its log holds no line yet; left out")
        }
        if outcome.end == nil {
            notes.append(
                "\(path): unfinished, no end in its log; shown up to its last recorded step, "
                    + Figures.count(outcome.steps))
        }
        for gap in outcome.gaps {
            notes.append(
                "\(path): warning: lines of steps \(Figures.count(gap.firstStep)) to "
                    + "\(Figures.count(gap.lastStep)) are missing in its log, as the disk was full; "
                    + "curves have a hole there")
        }
        var run = Run(path: path, outcome: outcome, layers: [])
        if let length = outcome.stepsPerEpoch {
            run.addLayers(log.figures, stepsPerEpoch: length)
        } else {
            undated[path] = log.figures
        }
        let key = RunKey(outcome)
        guard let same = places[key] else {
            places[key] = runs.count
            return runs.append(run)
        }
        let isNewer = (runs[same].outcome.rank) < outcome.rank
        let (kept, left) = isNewer ? (run, runs[same]) : (runs[same], run)
        runs[same] = kept
        notes.append("\(left.path): the same run as \(kept.path); left out")
    }

    /// An epoch is as long in a run that ended within its first as in others on as many examples.
    private mutating func addLayers(of undated: [String: LayerFigures]) {
        guard !undated.isEmpty else { return }
        var lengths: [EpochKey: Int] = [:]
        for run in runs {
            if let length = run.outcome.stepsPerEpoch { lengths[EpochKey(run.outcome)] = length }
        }
        for index in runs.indices {
            guard let figures = undated[runs[index].path] else { continue }
            runs[index].addLayers(figures, stepsPerEpoch: lengths[EpochKey(runs[index].outcome)])
        }
    }

    /// The data sets, in order of first appearance.
    package var datasets: [MixedDatasets.Dataset] { MixedDatasets(runs.map(\.outcome)).datasets }

    /// Only the runs on data whose hash starts with `prefix`.
    package func filtered(dataset prefix: String) -> [Run] {
        runs.filter { $0.outcome.provenance.datasetSHA256.hasPrefix(prefix.lowercased()) }
    }
}

extension RunCollection.Run {
    fileprivate mutating func addLayers(_ figures: LayerFigures, stepsPerEpoch: Int?) {
        layers = figures.points(
            stepsPerEpoch: stepsPerEpoch,
            epochs: outcome.run.settings["epochs"].flatMap(Int.init) ?? 1)
    }
}

extension RunOutcome {
    /// Of two outcomes of one run the one that came to its own end counts, then the newer.
    fileprivate var rank: (Int, Date) {
        (end?.status.isFinal == true ? 1 : 0, run.started)
    }
}

/// Which run a log is of: the same for one that was made several times.
private struct RunKey: Hashable {
    let dataset: [String]
    let configurationSHA256: String
    let seed: UInt64

    init(_ outcome: RunOutcome) {
        let provenance = outcome.provenance
        dataset = [provenance.dataset, provenance.datasetSHA256]
        configurationSHA256 = provenance.configurationSHA256
        seed = outcome.run.seed
    }
}

/// What an epoch's length depends on.
private struct EpochKey: Hashable {
    let datasetSHA256: String
    let batchSize: Int?
    let validationExamples: String?

    init(_ outcome: RunOutcome) {
        datasetSHA256 = outcome.provenance.datasetSHA256
        batchSize = outcome.batchSize
        validationExamples = outcome.run.settings["validation_examples"]
    }
}

/// A log as a report needs it.
private struct LogSummary {
    private(set) var outcome: RunOutcome?
    private(set) var figures = LayerFigures()

    mutating func add(_ record: MetricsRecord, _ provenance: Provenance) {
        if case .run(let run) = record { outcome = RunOutcome(run: run, provenance: provenance) }
        if case .step(let step) = record { figures.add(step) }
        outcome?.add(record)
    }
}

/// There is nothing to report on (exit code 65).
package struct NoRunsError: Error, Equatable, CustomStringConvertible {
    package let folders: [String]
    package let notes: [String]

    package var description: String {
        let places = folders.joined(separator: ", ")
        let found = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
        return
            "\(places): there is no run here or below\(found); train one with lockstep train "
            + "--run-dir DIR, or name its folder"
    }
}
