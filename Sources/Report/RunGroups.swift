package import RunRecords
import Statistics

/// Runs of one configuration, whatever their seeds.
package struct RunGroup: Equatable, Sendable {
    /// The configuration's name, with the settings that tell it from others of that name.
    package let label: String
    package let configuration: String
    /// In the palette of all drawings.
    package fileprivate(set) var colour = 0
    /// By seed.
    package let runs: [RunCollection.Run]

    package var outcomes: [RunOutcome] { runs.map(\.outcome) }

    /// Those that ended as they were meant to; only their final figures count as results.
    package var completed: [RunOutcome] {
        outcomes.filter(\.isResult)
    }

    /// What the comparison is about.
    static let presets = ["mse-tanh", "mse-tanh-rescaled", "ce-softmax"]

    /// The settings in which the presets do not differ.
    var commonSettings: [String: String] {
        let own = [
            "preset", "hidden_activation", "output_activation", "loss", "targets", "decode", "seed",
        ]
        return runs.first?.outcome.run.settings.filter { !own.contains($0.key) } ?? [:]
    }

    /// Those that lines of a chart can be told apart for.
    static let drawnCount = ChartStyle.distinctCount

    /// In order of first appearance, the three presets first. Where there are more than a chart can
    /// show, in order of their final accuracies, the highest first.
    package static func groups(_ runs: [RunCollection.Run]) -> [RunGroup] {
        var keys: [[String: String]] = []
        var members: [[String: String]: [RunCollection.Run]] = [:]
        for run in runs {
            let key = key(of: run.outcome)
            if members[key] == nil { keys.append(key) }
            members[key, default: []].append(run)
        }
        func rank(_ key: [String: String]) -> Int {
            presets.firstIndex(of: key["configuration", default: ""]) ?? presets.count
        }
        let varied = variedSettings(keys)
        let ranked = keys.enumerated().sorted {
            (rank($0.element), $0.offset) < (rank($1.element), $1.offset)
        }.map(\.element)
        var groups = ranked.map { key in
            RunGroup(
                label: label(of: key, varied),
                configuration: key["configuration", default: ""],
                runs: members[key, default: []].sorted {
                    $0.outcome.run.seed < $1.outcome.run.seed
                })
        }
        if groups.count > drawnCount { groups = sortedByAccuracy(groups) }
        for index in groups.indices { groups[index].colour = index }
        return groups
    }

    /// Those without a completed run last, and equal ones as they were.
    private static func sortedByAccuracy(_ groups: [RunGroup]) -> [RunGroup] {
        groups.enumerated().map { index, group in
            let accuracies = group.completed.compactMap { $0.end?.testAccuracy }
            return (accuracy: Summary(accuracies)?.mean ?? -.infinity, index: index, group: group)
        }.sorted { ($1.accuracy, $0.index) < ($0.accuracy, $1.index) }.map(\.group)
    }

    /// All that shapes the bits but the seed.
    private static func key(of outcome: RunOutcome) -> [String: String] {
        var key = outcome.run.settings
        key["seed"] = nil
        key["preset"] = nil
        key["configuration"] = outcome.run.configuration
        key["arithmetic"] = outcome.run.versions["arithmetic"]
        key["dataset"] = outcome.provenance.datasetSHA256
        return key
    }

    /// By the configurations' names: the settings that tell those of one name apart.
    private static func variedSettings(_ keys: [[String: String]]) -> [String: [String]] {
        Dictionary(grouping: keys) { $0["configuration", default: ""] }.mapValues { keys in
            Set(keys.flatMap(\.keys)).filter { setting in
                setting != "dataset" && keys.contains { $0[setting] != keys[0][setting] }
            }.sorted()
        }
    }

    /// “ce-softmax, batch_size 128” where there are several of that name.
    private static func label(of key: [String: String], _ varied: [String: [String]]) -> String {
        let name = key["configuration", default: ""]
        let settings = varied[name, default: []].map { "\($0) \(key[$0] ?? "default")" }
        return ([name] + settings).joined(separator: ", ")
    }
}
