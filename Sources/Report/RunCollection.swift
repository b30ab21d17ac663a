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
        var logs: [String] = []
        for folder in folders {
            let found = try Self.runFolders(in: folder, depth: 0)
            logs += found.filter { !logs.contains($0) }
        }
        for path in logs { try add(path) }
        guard !runs.isEmpty else { throw NoRunsError(folders: folders, notes: notes) }
    }

    private mutating func add(_ path: String) throws {
        let directory = RunDirectory(path: path)
        let log = try MetricsFile(reading: directory.metricsPath)
        guard let outcome = RunOutcome(log) else {
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
        let run = Run(path: path, outcome: outcome, layers: LayerPoint.points(of: log))
        let same = runs.firstIndex {
            $0.outcome.provenance == outcome.provenance && $0.outcome.run.seed == outcome.run.seed
        }
        guard let same else { return runs.append(run) }
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

/// Figures of each layer, means over a part of an epoch.
package struct LayerPoint: Equatable, Sendable {
    /// The last step of the part.
    package var step: Int
    package var epoch: Double
    package var gradientNorms: [Double]
    package var saturation: [Double]

    /// Parts that all epochs have together, about.
    private static let partCount = 60

    /// The same parts for all runs of a configuration, so that they can be laid upon each other.
    package static func points(of log: MetricsFile) -> [LayerPoint] {
        var steps: [StepRecord] = []
        var stepsPerEpoch: Int?
        var epochs = 1
        for record in log.records {
            switch record {
            case .run(let run): epochs = run.settings["epochs"].flatMap(Int.init) ?? 1
            case .step(let step): steps.append(step)
            case .epoch(let epoch): stepsPerEpoch = stepsPerEpoch ?? epoch.step
            case .evaluation, .gap, .end: break
            }
        }
        guard let last = steps.last else { return [] }
        let length = max(stepsPerEpoch ?? last.step, 1)
        let parts = min(max(partCount / max(epochs, 1), 1), length)
        func part(_ step: StepRecord) -> Int {
            let (epoch, within) = (step.step - 1).quotientAndRemainder(dividingBy: length)
            return epoch * parts + within * parts / length
        }
        return Dictionary(grouping: steps, by: part).values.compactMap { steps in
            guard let last = steps.max(by: { $0.step < $1.step }) else { return nil }
            return LayerPoint(
                step: last.step, epoch: Double(last.step) / Double(length),
                gradientNorms: means(steps.map(\.gradientNorms)),
                saturation: means(steps.map(\.saturation)))
        }.sorted { $0.step < $1.step }
    }

    /// Layer by layer; NaN where one value is.
    private static func means(_ rows: [[Float]]) -> [Double] {
        let count = rows.map(\.count).min() ?? 0
        return (0..<count).map { layer in
            rows.reduce(0) { $0 + Double($1[layer]) } / Double(rows.count)
        }
    }
}
