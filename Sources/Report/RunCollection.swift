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
    /// What was left out, and why, a line each.
    package private(set) var notes: [String] = []

    /// How far below a folder runs are looked for.
    package static let maximumDepth = 3

    /// Reads all runs in `folders` and up to ``maximumDepth`` levels below them.
    ///
    /// A run that has not ended is left out with a note. Of runs with one configuration, seed and
    /// data set the newest counts: they are one run, made several times.
    ///
    /// - Throws: ``FileError``; ``MetricsError`` for a log that is none; ``NoRunsError``.
    package init(folders: [String]) throws {
        var seen: Set<String> = []
        var places: [RunKey: Int] = [:]
        for folder in folders {
            for path in try Self.runFolders(in: folder, depth: 0)
            where seen.insert(path).inserted {
                try add(path, &places)
            }
        }
        guard !runs.isEmpty else { throw NoRunsError(folders: folders, notes: notes) }
    }

    /// - Parameter places: of the runs so far.
    private mutating func add(_ path: String, _ places: inout [RunKey: Int]) throws {
        var log = LogSummary()
        try MetricsFile.forEachRecord(of: RunDirectory(path: path).metricsPath) { log.add($0, $1) }
        guard let outcome = log.outcome else {
            return notes.append("\(path): its log holds no line yet; left out")
        }
        guard outcome.end != nil else {
            let step = outcome.epochs.last?.step ?? 0
            return notes.append(
                "\(path): unfinished (last whole epoch ended at step \(Figures.count(step))); left out"
            )
        }
        for gap in outcome.gaps {
            notes.append(
                "\(path): warning: lines of steps \(Figures.count(gap.firstStep)) to "
                    + "\(Figures.count(gap.lastStep)) are missing in its log, as the disk was full; "
                    + "curves have a hole there")
        }
        let run = Run(path: path, outcome: outcome, layers: log.layers)
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

    private static func runFolders(in folder: String, depth: Int) throws -> [String] {
        let manager = FileManager.default
        if manager.fileExists(atPath: RunDirectory(path: folder).metricsPath) { return [folder] }
        let names: [String]
        do {
            names = try manager.contentsOfDirectory(atPath: folder)
        } catch {
            // What lies below a folder need not be one; what the user named must.
            guard depth == 0 else { return [] }
            let isThere = manager.fileExists(atPath: folder)
            throw FileError(operation: .read, path: folder, code: isThere ? ENOTDIR : ENOENT)
        }
        guard depth < maximumDepth else { return [] }
        let trimmed = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        return try names.sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            .flatMap { try runFolders(in: "\(trimmed)/\($0)", depth: depth + 1) }
    }

    /// The data sets, in order of first appearance.
    package var datasets: [MixedDatasets.Dataset] { MixedDatasets(runs.map(\.outcome)).datasets }

    /// Only the runs on data whose hash starts with `prefix`.
    package func filtered(dataset prefix: String) -> [Run] {
        runs.filter { $0.outcome.provenance.datasetSHA256.hasPrefix(prefix.lowercased()) }
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

/// A log as a report needs it.
private struct LogSummary {
    private(set) var outcome: RunOutcome?
    private var figures = LayerFigures()

    var layers: [LayerPoint] {
        figures.points(
            stepsPerEpoch: outcome?.epochs.first?.step,
            epochs: outcome?.run.settings["epochs"].flatMap(Int.init) ?? 1)
    }

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
            "\(places): there is no finished run here or up to \(RunCollection.maximumDepth) levels "
            + "below\(found); train one with lockstep train --run-dir DIR, or name its folder"
    }
}
