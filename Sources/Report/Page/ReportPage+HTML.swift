import Foundation
import Statistics

extension ReportPage {
    /// One file with everything in it: drawings, style, script and data. It asks no network for
    /// anything.
    package var html: String {
        var page = Markup()
        page.add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        page.add("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n")
        page.element("title", title)
        page.add("<link rel=\"icon\" href=\"data:,\">\n")
        page.add(
            "<style>\n\(ChartStyle.rules)\(PageStyle.rules)</style>\n</head>\n"
        )
        page.add("<body>\n<header>\n")
        page.element("h1", title)
        for paragraph in summary { page.element("p", paragraph) }
        addContents(to: &page)
        page.add("</header>\n<main>\n")
        for section in sections {
            page.add("<section>\n")
            page.element("h2", ["id": "section-\(section.id)"], section.title)
            for block in section.blocks { add(block, to: &page) }
            page.add("</section>\n")
        }
        page.add("</main>\n<footer>\n")
        page.element("p", Self.footer)
        page.add("</footer>\n<script type=\"application/json\" id=\"data\">")
        page.add(json)
        page.add("</script>\n<script>\n\(PageStyle.script)</script>\n</body>\n</html>\n")
        return page.text
    }

    static let footer =
        "Lines are medians over the runs, bands hold the middle half of them, and faint lines are single "
        + "runs, of thousands a part. A cross is where a run diverged, and a ring where one was cut "
        + "short: interrupted, killed, or not finished yet. Over training, medians and bands end where the "
        + "first of the other runs has ended. "
        + "Censored: a run that ended, or did not reach the threshold, before there was a figure. "
        + "Long lines are drawn with fewer points than were measured. "
        + "The figures of all drawings and tables are in report.html as JSON, and in runs.csv beside it "
        + "are all epochs of the runs under “Convergence”."

    private func addContents(to page: inout Markup) {
        guard sections.count > 2 else { return }
        page.open("nav", ["aria-label": "Sections"])
        for section in sections {
            page.element("a", ["href": "#section-\(section.id)"], section.title)
        }
        page.close("nav")
    }

    private func add(_ block: Block, to page: inout Markup) {
        switch block {
        case .paragraph(let text): page.element("p", text)
        case .chart(let chart): chart.add(to: &page)
        case .table(let table): table.add(to: &page)
        case .claims(let claims): add(claims, to: &page)
        case .document(let title, let text):
            page.open("details")
            page.element("summary", title)
            page.element("pre", text)
            page.close("details")
        }
    }

    private func add(_ claims: [ClaimRow], to page: inout Markup) {
        page.open("ul", ["class": "claims"])
        for row in claims {
            page.open("li")
            page.element("h3", row.claim)
            page.element("span", ["class": "chip \(row.verdict.style)"], row.verdict.rawValue)
            page.element("p", row.figure)
            if !row.experiment.isEmpty { page.element("p", ["class": "note"], row.experiment) }
            page.close("li")
        }
        page.close("ul")
    }
}

extension Chart {
    fileprivate func add(to page: inout Markup) {
        page.open("figure", ["id": name, "class": "chart"])
        page.open("figcaption")
        page.element("h3", title)
        page.element("p", ["class": "source"], source.text)
        if !summary.isEmpty { page.element("p", ["class": "said"], summary) }
        page.close("figcaption")
        if case .lines(let chart) = kind, chart.xAxes.count > 1 {
            page.add("<div class=\"switch\" role=\"group\" aria-label=\"x axis\" hidden>\n")
            for (index, axis) in chart.xAxes.enumerated() {
                page.element(
                    "button",
                    [
                        "type": "button", "data-axis": axis.label,
                        "aria-pressed": index == 0 ? "true" : "false",
                    ], axis.label)
            }
            page.close("div")
        }
        for size in ChartSize.allCases { page.add(svgElement(size)) }
        page.close("figure")
    }
}

extension ReportTable {
    fileprivate func add(to page: inout Markup) {
        // A long one may go on on the next page of paper.
        page.open(
            "figure", ["id": "table-\(name)", "class": shownRows.count > 20 ? "long" : "short"])
        page.open("figcaption")
        page.element("h3", title)
        page.element("p", ["class": "source"], source.text)
        page.close("figcaption")
        page.add("<div class=\"scroll\" tabindex=\"0\" role=\"region\"")
        page.add(" aria-label=\"\(Markup.escaped(title))\">\n<table>\n<thead><tr>")
        let hasWords = headings.indices.map(holdsWords)
        for (heading, isWords) in zip(headings, hasWords) {
            page.element(
                "th", ["scope": "col", "class": isWords ? "words" : "figures"], heading.title)
        }
        page.add("</tr></thead>\n<tbody>\n")
        for row in shownRows {
            page.open("tr")
            for (column, cell) in row.enumerated() {
                let style = hasWords[column] ? "words" : "figures"
                // The first column says what the row is of.
                if column == 0 {
                    page.element("th", ["scope": "row", "class": style], cell.shown)
                } else {
                    page.element("td", ["class": style], cell.shown)
                }
            }
            page.close("tr")
        }
        page.add("</tbody>\n</table>\n</div>\n")
        for note in notes { page.element("p", ["class": "note"], note) }
        page.close("figure")
    }

    /// Whether a column holds words, which stand to the left.
    func holdsWords(_ column: Int) -> Bool {
        shownRows.contains { row in
            switch row[column] {
            case .text: true
            case .number: false
            }
        }
    }
}

extension Verdict {
    fileprivate var style: String {
        switch self {
        case .supported: "supported"
        case .refuted: "refuted"
        case .inconclusive, .notTested: "open"
        }
    }
}
