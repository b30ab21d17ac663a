import Experiments
import Foundation
import LockstepRuntime
import TrainingPlan
import Yams

/// A grid in a file: one YAML mapping from settings to a value or a list of values, with an
/// optional list `runs` of mappings that are spelled out.
enum SweepFile {
    private static let runsName = "runs"

    /// - Throws: ``SweepGridError`` naming file and line for anything that is not a grid.
    static func read(_ path: String, into grid: inout SweepGrid) throws(SweepGridError) {
        guard let root = try node(path) else { return }
        guard case .mapping(let mapping) = root else {
            throw SweepGridError(path, "this is not a grid", "write lines of `name: [values]`")
        }
        for (name, node) in mapping {
            let key = name.scalar?.string ?? "?"
            let place = "\(path), line \(name.mark?.line ?? 1), \(key)"
            guard key != runsName else {
                try readRuns(node, place: place, path: path, into: &grid)
                continue
            }
            let nodes = node.sequence.map { Array($0) } ?? [node]
            var texts: [String] = []
            for node in nodes { texts.append(try text(node, place)) }
            // A plain value may be a list, as on the command line; that of `layers` is one network.
            if node.scalar != nil, key != RunConfiguration.Key.layers.rawValue {
                texts = texts.flatMap { $0.split(separator: ",").map { String($0) } }
            }
            try grid.add(key, values: texts, place: place)
        }
    }

    private static func node(_ path: String) throws(SweepGridError) -> Node? {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SweepGridError(
                "--grid \(path)", "the file cannot be read (\(error.localizedDescription))",
                "check the path")
        }
        do {
            return try compose(yaml: text)
        } catch {
            let reason = "\(error)".split(separator: "\n").joined(separator: " ")
            throw SweepGridError(
                path, "this is not valid YAML (\(reason))", "write lines of `name: [values]`")
        }
    }

    private static func readRuns(
        _ node: Node, place: String, path: String, into grid: inout SweepGrid
    ) throws(SweepGridError) {
        guard let runs = node.sequence else {
            throw SweepGridError(place, "this is not a list", "write one mapping a run")
        }
        for run in runs {
            guard let mapping = run.mapping else {
                throw SweepGridError(place, "a run is not a mapping", "write `- name: value`")
            }
            let runPlace = "\(path), line \(run.mark?.line ?? 1), \(runsName)"
            var settings: [(name: String, text: String)] = []
            for (name, node) in mapping {
                settings.append((name.scalar?.string ?? "?", try text(node, runPlace)))
            }
            try grid.addRun(settings, place: runPlace)
        }
    }

    /// A plain value, or widths as a list.
    private static func text(_ node: Node, _ place: String) throws(SweepGridError) -> String {
        let texts = node.sequence.map { $0.map { $0.scalar?.string } } ?? [node.scalar?.string]
        guard !texts.isEmpty, !texts.contains(nil) else {
            throw SweepGridError(
                place, "a value is neither plain nor a list", "write `name: [values]`")
        }
        return texts.compactMap(\.self).joined(separator: ",")
    }
}
