import Formats
import Foundation
import Hashing
import LockstepRuntime
import RunRecords
import TrainingPlan

extension ExportCommand {
    /// A run with what TensorBoard calls it.
    private struct Source {
        let name: String
        let path: String
    }

    /// Writes all runs at and below some places for TensorBoard. One that is damaged does not stop
    /// the others.
    ///
    /// - Throws: what is wrong with the last run that was left out, when all others are written.
    func exportRuns(_ places: [String], to output: String?) throws {
        guard let output else {
            throw UsageError(
                "--to tensorboard", "the folder to write to is missing", "give --output, too")
        }
        var fault: (any Error)?
        for source in try Self.sources(places) {
            let run: TensorBoardRun
            do {
                run = try Self.run(at: source.path)
            } catch {
                if let fault { Console.shared.say("left out: \(fault)") }
                fault = error
                continue
            }
            try run.write(toFolder: "\(output)/\(source.name)")
            print("\(output)/\(source.name)/\(TensorBoardRun.fileName)")
        }
        if let fault { throw fault }
    }

    /// The runs at some places and below them, each once.
    private static func sources(_ places: [String]) throws -> [Source] {
        let names = try names(of: places)
        var sources: [Source] = []
        var paths: Set<String> = []
        for (place, name) in zip(places, names) {
            let folders: [String]
            do throws(FileError) {
                let search = try RunSearch(place)
                for fault in search.faults { Console.shared.say("left out: \(fault)") }
                folders = search.folders
            } catch {
                // Of `runs/*` not everything need be a folder.
                guard places.count > 1 else { throw error }
                Console.shared.say("left out: \(error)")
                continue
            }
            if folders.isEmpty { Console.shared.say("\(place) holds no run; left out") }
            for folder in folders where paths.insert(parts(of: folder).joined()).inserted {
                let below = parts(of: folder).dropFirst(parts(of: place).count)
                sources.append(
                    Source(name: ([name] + below).joined(separator: "/"), path: folder))
            }
        }
        guard !sources.isEmpty else {
            let path = RunDirectory(path: places.first ?? ".").metricsPath
            throw FileError(operation: .read, path: path, code: ENOENT)
        }
        return sources
    }

    private static func run(at path: String) throws -> TensorBoardRun {
        let directory = RunDirectory(path: path)
        let log = try MetricsFile(reading: directory.metricsPath)
        guard let outcome = RunOutcome(log) else {
            throw MetricsError(
                path: directory.metricsPath, line: 1, reason: "is missing or was cut off")
        }
        if log.cutOffByteCount > 0 {
            Console.shared.say(
                "\(directory.metricsPath): the last line was cut off and is left out")
        }
        let checkpoints = try directory.checkpoints.map { step, path in
            let file = try Safetensors(reading: path)
            let hash = file.metadata["configuration_sha256"]
            guard hash == outcome.provenance.configurationSHA256 else {
                throw MismatchError(
                    description: "\(path): it belongs to configuration \(hash ?? "(unknown)"), and "
                        + "the run's is \(outcome.provenance.configurationSHA256); remove it, or "
                        + "put the run's own there")
            }
            return TensorBoardRun.Checkpoint(step: step, tensors: file.tensors)
        }
        let group = try group(of: outcome, path: directory.metricsPath)
        guard let run = TensorBoardRun(log, checkpoints: checkpoints, group: group) else {
            preconditionFailure("a log with an outcome has a run")
        }
        return run
    }

    /// Names the configuration without its seed: the preset and the start of a hash over the rest.
    private static func group(of outcome: RunOutcome, path: String) throws -> String {
        let configuration = try SavedNetwork.configuration(of: outcome.run.settings, path: path)
        let lines = configuration.canonicalText(datasetSHA256: outcome.provenance.datasetSHA256)
            .split(separator: "\n").filter { !$0.hasPrefix("seed=") }.joined(separator: "\n")
        return "\(configuration.name)-\("\(SHA256.hash(Array(lines.utf8)))".prefix(12))"
    }

    /// What the places are called in TensorBoard: as much of the ends of their paths as tells them
    /// apart.
    ///
    /// - Throws: ``UsageError`` for a duplicate folder.
    private static func names(of paths: [String]) throws(UsageError) -> [String] {
        let parts = paths.map(parts)
        for (index, path) in paths.enumerated() where parts[..<index].contains(parts[index]) {
            throw UsageError(path, "duplicate run", "give it once")
        }
        var length = 1
        while Set(parts.map { $0.suffix(length) }).count < parts.count { length += 1 }
        return parts.map { $0.suffix(length).joined(separator: "/") }
    }

    private static func parts(of path: String) -> [String] {
        URL(fileURLWithPath: path).standardizedFileURL.pathComponents.filter { $0 != "/" }
    }
}
