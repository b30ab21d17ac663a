import RunRecords
import TerminalText

/// What the runs say about the claims.
extension RunsReport {
    /// For each set of the other settings with which the three presets were trained, those with the
    /// highest accuracies first where there are many.
    var findings: [ReportPage.Section] {
        var sets: [[String: String]] = []
        var members: [[String: String]: [RunGroup]] = [:]
        for group in groups {
            let settings = group.commonSettings
            if members[settings] == nil { sets.append(settings) }
            members[settings, default: []].append(group)
        }
        let compared = sets.compactMap { members[$0] }.filter {
            Set($0.map(\.configuration)).isSuperset(of: RunGroup.presets)
        }
        guard !compared.isEmpty else { return [] }
        let rest = compared.count - Self.shownSetCount
        let more =
            "\(Figures.count(rest)) more sets of the three configurations are not shown; "
            + "--only SETTING=VALUE shows others."
        return [
            ReportPage.Section(
                Self.findingsID, title: "What the runs say",
                blocks: [.paragraph(Finding.legend)]
                    + compared.prefix(Self.shownSetCount).flatMap(blocks)
                    + (rest > 0 ? [.paragraph(more)] : []))
        ]
    }

    /// Each takes a screen to read.
    private static let shownSetCount = 8

    private func blocks(_ compared: [RunGroup]) -> [ReportPage.Block] {
        guard let source = try? ChartSource(compared.flatMap(\.outcomes)) else { return [] }
        let rows = Comparison(compared.flatMap(\.outcomes)).findings.all.map { finding in
            ClaimRow(
                claim: finding.claim, experiment: "", figure: finding.evidence,
                verdict: finding.verdict)
        }
        let names = compared.map(\.label).joined(separator: "; ")
        return [.paragraph("\(names). \(source.text)."), .claims(rows)]
    }
}
