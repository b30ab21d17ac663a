import Foundation
import LockstepRuntime
import TerminalText

/// What the doctor has found, of one host or several.
struct Diagnosis: Codable {
    struct Host: Codable {
        let name: String
        let checks: [CheckResult]
        /// Nil where it could not be measured.
        let speed: ComputeSpeed?
        /// To the coordinator.
        let link: CoordinatorCheckup.Link?
    }

    let hosts: [Host]
    /// The fastest first.
    let forecast: [Forecast]
    /// The placement to choose; nil where none could be told.
    let fastest: String?
    let verdict: CheckResult.Verdict
    /// Of the first red; nil without one.
    let exitCode: Int32?

    init(_ hosts: [Host], _ forecast: [Forecast]) {
        self.hosts = hosts
        self.forecast = forecast
        fastest = forecast.first?.placement
        let checks = hosts.flatMap(\.checks)
        exitCode = checks.lazy.compactMap(\.exitCode).first
        verdict =
            exitCode != nil
            ? .red : checks.contains { $0.verdict == .yellow } ? .yellow : .green
    }

    // MARK: JSON

    var json: String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try? encoder.encode(self)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    init?(json: String) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let diagnosis = try? decoder.decode(Diagnosis.self, from: Data(json.utf8)) else {
            return nil
        }
        self = diagnosis
    }

    // MARK: Text

    func text(_ style: TextStyle) -> String {
        let width = hosts.flatMap(\.checks).map(\.topic.count).max() ?? 0
        var lines: [String] = []
        for host in hosts {
            if hosts.count > 1 { lines.append("\(lines.isEmpty ? "" : "\n")\(host.name)") }
            for check in host.checks {
                let topic = check.topic.padding(toLength: width, withPad: " ", startingAt: 0)
                let verdict = check.verdict.rawValue.padding(
                    toLength: 6, withPad: " ", startingAt: 0)
                lines.append(
                    "\(style.coloured(verdict, as: check.verdict)) \(topic)  \(check.text)")
                if let remedy = check.remedy {
                    lines.append(
                        String(repeating: " ", count: 9 + width) + style.adapted("→ \(remedy)"))
                }
            }
        }
        if !forecast.isEmpty {
            let width = forecast.map(\.placement.count).max() ?? 0
            lines.append("\nexpected examples/s, roughly:")
            for (index, entry) in forecast.enumerated() {
                let placement = entry.placement.padding(
                    toLength: width, withPad: " ", startingAt: 0)
                lines.append(
                    "  \(placement)  \(Self.rounded(entry.examplesPerSecond))"
                        + (index == 0 ? "  fastest" : ""))
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Two digits are all that a forecast knows.
    private static func rounded(_ rate: Double) -> String {
        guard rate.isFinite, rate >= 1 else { return "0" }
        let unit = pow(10, (log10(rate) - 1).rounded(.down))
        return String(format: "%.0f", (rate / unit).rounded() * unit)
    }
}

extension TextStyle {
    fileprivate func coloured(_ text: String, as verdict: CheckResult.Verdict) -> String {
        switch verdict {
        case .green: coloured(text, .green)
        case .yellow: coloured(text, .yellow)
        case .red: coloured(text, .red)
        }
    }
}
