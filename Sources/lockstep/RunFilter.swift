import ArgumentParser
import Foundation
import Report
import RunRecords

/// Which runs a report is on: those whose setting has one of these values.
struct RunFilter: ExpressibleByArgument {
    let setting: String
    /// One value, or several between commas.
    private let text: String

    /// - Parameter argument: `batch_size=32,128`, with the names of a run's `config.yaml`.
    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[1].contains(where: { $0 != "," }) else { return nil }
        setting = parts[0].replacing("-", with: "_")
        text = parts[1]
    }

    /// - Throws: ``UsageError`` where no run has the setting, or one of the values.
    func filtered(_ runs: [RunCollection.Run]) throws -> [RunCollection.Run] {
        func value(_ run: RunCollection.Run) -> String? {
            let outcome = run.outcome
            return setting == "configuration"
                ? outcome.run.configuration : outcome.run.settings[setting]
        }
        let known = Set(runs.compactMap(value))
        guard !known.isEmpty else {
            let settings = Set(runs.flatMap { $0.outcome.run.settings.keys }).sorted()
            throw UsageError(
                "--only \(setting)", "no run has such a setting",
                "give one of \(settings.joined(separator: ", "))")
        }
        // Layers have commas of their own.
        let values = known.contains(text) ? [text] : text.split(separator: ",").map(String.init)
        for value in values where !known.contains(value) {
            let shown = known.sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            let more = shown.count > 20 ? " and \(shown.count - 20) more" : ""
            throw UsageError(
                "--only \(setting)=\(value)", "no run has this value",
                "give one of \(shown.prefix(20).joined(separator: ", "))\(more)")
        }
        return runs.filter { value($0).map(values.contains) == true }
    }
}
