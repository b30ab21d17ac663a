import RunRecords

/// What the runs say about the claims.
extension RunsReport {
    /// For each set of the other settings with which the three presets were trained.
    var findings: [ReportPage.Section] {
        var sets: [[String: String]] = []
        var members: [[String: String]: [RunGroup]] = [:]
        for group in groups {
            let settings = group.commonSettings
            if members[settings] == nil { sets.append(settings) }
            members[settings, default: []].append(group)
        }
        let blocks = sets.flatMap { settings -> [ReportPage.Block] in
            let compared = members[settings, default: []]
            guard Set(compared.map(\.configuration)).isSuperset(of: RunGroup.presets),
                let source = try? ChartSource(compared.flatMap(\.outcomes))
            else { return [] }
            let rows = Comparison(compared.flatMap(\.outcomes)).findings.all.map { finding in
                ClaimRow(
                    claim: finding.claim, experiment: "", figure: finding.evidence,
                    verdict: finding.verdict)
            }
            let names = compared.map(\.label).joined(separator: "; ")
            return [.paragraph("\(names). \(source.text)."), .claims(rows)]
        }
        return blocks.isEmpty
            ? []
            : [
                ReportPage.Section(
                    Self.findingsID, title: "What the runs say",
                    blocks: [.paragraph(Finding.legend)] + blocks)
            ]
    }
}
