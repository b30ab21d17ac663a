import Statistics

extension ReportPage {
    /// The same content as text; drawings are links to their files.
    package var markdown: String {
        var blocks = ["# " + Self.escaped(title)] + summary.map(Self.escaped)
        for section in sections {
            blocks.append("## " + Self.escaped(section.title))
            blocks += section.blocks.map(Self.markdown)
        }
        return blocks.joined(separator: "\n\n") + "\n\n---\n\n" + Self.escaped(Self.footer) + "\n"
    }

    private static func markdown(_ block: Block) -> String {
        switch block {
        case .paragraph(let text): return escaped(text)
        case .chart(let chart):
            let said = chart.summary.isEmpty ? "" : "\n\n\(escaped(chart.summary))"
            return "### \(escaped(chart.title))\n\n\(escaped(chart.source.text))\(said)\n\n"
                + "![\(escaped(chart.title))](drawings/\(chart.name).svg)"
        case .table(let table):
            let note = table.notes.map { "\n\n\(escaped($0))" }.joined()
            return "### \(escaped(table.title))\n\n\(escaped(table.source.text))\n\n"
                + text(
                    table.headings.map(\.title), table.shownRows.map { $0.map(\.shown) },
                    isWords: table.headings.indices.map(table.holdsWords)) + note
        case .document(let title, let text):
            return "### \(escaped(title))\n\n~~~~\n\(text)\n~~~~"
        case .claims(let claims):
            return text(
                ["Claim", "Experiment", "Figure", "Verdict"],
                claims.map { [$0.claim, $0.experiment, $0.figure, $0.verdict.rawValue] },
                isWords: [true, true, true, true])
        }
    }

    private static func text(
        _ head: [String], _ rows: [[String]], isWords: [Bool]
    ) -> String {
        let lines = ([head] + rows).map { row in
            "| " + row.map(escaped).joined(separator: " | ") + " |"
        }
        let rule = "|" + isWords.map { $0 ? " --- |" : " ---: |" }.joined()
        return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }

    /// Signs that Markdown, a table or HTML in it would take for their own.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\", "`", "*", "_", "[", "]", "|", "#": result += "\\\(character)"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case _ where character.isNewline: result += " "
            default: result.append(character)
            }
        }
        return result
    }
}
