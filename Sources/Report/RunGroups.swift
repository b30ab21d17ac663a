package import RunRecords

/// Runs of one configuration, whatever their seeds.
package struct RunGroup: Equatable, Sendable {
    /// The configuration's name, with the settings that tell it from others of that name.
    package let label: String
    package let configuration: String
    /// In the palette of all drawings.
    package let colour: Int
    /// By seed.
    package let runs: [RunCollection.Run]

    package var outcomes: [RunOutcome] { runs.map(\.outcome) }

    /// Those that ended as they were meant to; only their final figures count as results.
    package var completed: [RunOutcome] {
        outcomes.filter { $0.end?.status == .completed || $0.end?.status == .target }
    }

    /// What the comparison is about.
    static let presets = ["mse-tanh", "mse-tanh-rescaled", "ce-softmax"]

    /// The settings in which the presets do not differ.
    var commonSettings: [String: String] {
        let own = ["configuration", "hidden", "output", "loss", "targets", "decode", "seed"]
        return runs.first?.outcome.run.settings.filter { !own.contains($0.key) } ?? [:]
    }

    /// In order of first appearance, the three presets first.
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
        let ranked = keys.enumerated().sorted {
            (rank($0.element), $0.offset) < (rank($1.element), $1.offset)
        }.map(\.element)
        return ranked.enumerated().map { index, key in
            RunGroup(
                label: label(of: key, among: keys),
                configuration: key["configuration", default: ""],
                colour: index,
                runs: members[key, default: []].sorted {
                    $0.outcome.run.seed < $1.outcome.run.seed
                })
        }
    }

    /// All that shapes the bits but the seed.
    private static func key(of outcome: RunOutcome) -> [String: String] {
        var key = outcome.run.settings
        key["seed"] = nil
        key["configuration"] = outcome.run.configuration
        key["arithmetic"] = outcome.run.versions["arithmetic"]
        key["dataset"] = outcome.provenance.datasetSHA256
        return key
    }

    /// “ce-softmax, batch-size 128” where there are several of that name.
    private static func label(of key: [String: String], among keys: [[String: String]]) -> String {
        let name = key["configuration", default: ""]
        let others = keys.filter { $0["configuration"] == name && $0 != key }
        let differing = Set(others.flatMap(\.keys) + Array(key.keys)).filter { setting in
            setting != "dataset" && others.contains { $0[setting] != key[setting] }
        }
        return
            ([name]
            + differing.sorted().map { setting in
                "\(setting) \(key[setting] ?? "default")"
            }).joined(separator: ", ")
    }
}
