import Foundation
import Report
import RunRecords
import Statistics
import TestSupport
import Testing

@Suite struct ReportPageTests {
    private static let page: ReportPage = {
        let table = ReportTable(
            name: "sums", title: "Sums | of <all>", source: DrawingSamples.source,
            of: [("a|b", 1.0 / 3), ("none", nil)] as [(String, Double?)],
            columns: [.text("what") { $0.0 }, .fixed("sum", digits: 2) { $0.1 }],
            note: "A *note*.")
        return ReportPage(
            title: "Claims & <figures>", summary: ["In short: </script><b>no</b>."],
            sections: [
                ReportPage.Section(
                    "drawings", title: "Drawings",
                    blocks: DrawingSamples.all.enumerated().map { index, chart in
                        var chart = chart
                        chart.name += "-\(index)"
                        return .chart(chart)
                    }),
                ReportPage.Section(
                    "tables", title: "Tables",
                    blocks: [.table(table), .document(title: "Plan", text: "# <a>\n| b |")]),
                ReportPage.Section(
                    "claims", title: "Claims",
                    blocks: [
                        .claims(
                            Verdict.allCases.map { verdict in
                                ClaimRow(
                                    claim: "It is so", experiment: "20 seeds", figure: "1 ± 2",
                                    verdict: verdict)
                            })
                    ]),
            ],
            runs: [
                Samples.outcome("ce-softmax", accuracies: [0.95, 0.96]),
                Samples.outcome(
                    "mse-tanh", seed: 2, accuracies: [], status: .diverged, divergedStep: 3),
            ])
    }()

    @Test func thePageAsksForNothingFromOutside() {
        let html = Self.page.html
        let loads = /(?:src|href|action|data)\s*=\s*"(?!#|data:)|url\(|@import|<link(?! rel="icon")/
        #expect(html.firstMatch(of: loads) == nil)
        #expect(!html.contains("http"))
        #expect(!html.contains("<b>no</b>"))
        #expect(html.contains("<title>Claims &amp; &lt;figures&gt;</title>"))
        // Two scripts of ours, and what looks like the end of one stays a text.
        #expect(html.components(separatedBy: "</script>").count == 3)
        #expect(html.components(separatedBy: "<svg").count == 2 * Self.page.charts.count + 1)
    }

    @Test func theDataKeepsUnroundedFigures() throws {
        let html = Self.page.html
        let start = try #require(html.range(of: "id=\"data\">"))
        let end = try #require(html.range(of: "</script>", range: start.upperBound..<html.endIndex))
        let json = try JSONSerialization.jsonObject(
            with: Data(html[start.upperBound..<end.lowerBound].utf8))
        let data = try #require(json as? [String: Any])
        let tables = try #require(data["tables"] as? [[String: Any]])
        let rows = try #require(tables.first?["rows"] as? [[Any]])
        #expect(rows[0][1] as? Double == 1.0 / 3)
        #expect(rows[1][1] is NSNull)
        let charts = try #require(data["charts"] as? [[String: Any]])
        #expect(charts.compactMap { $0["name"] as? String } == Self.page.charts.map(\.name))
        #expect(charts.allSatisfy { $0["figures"] != nil })
        let source = try #require(charts[0]["source"] as? [String: Any])
        #expect(source["n"] as? Int == 12)
        #expect((source["configuration_sha256"] as? [String])?.count == 5)
    }

    @Test func markdownKeepsItsTables() {
        let markdown = Self.page.markdown
        #expect(markdown.hasPrefix("# Claims &amp; &lt;figures&gt;\n\nIn short: &lt;/script&gt;"))
        #expect(
            markdown.contains("| what | sum |\n| --- | ---: |\n| a\\|b | 0.33 |\n| none | — |"))
        #expect(markdown.contains("A \\*note\\*."))
        #expect(markdown.contains("![Two runs](drawings/small-0.svg)"))
        #expect(markdown.contains("| It is so | 20 seeds | 1 ± 2 | refuted |"))
        #expect(markdown.contains("| It is so | 20 seeds | 1 ± 2 | not tested |"))
        // A document stays as it is.
        #expect(markdown.contains("~~~~\n# <a>\n| b |\n~~~~"))
        #expect(Self.page.html.contains("<pre># &lt;a&gt;\n| b |</pre>"))
    }

    @Test func everyRunAndEpochHasARow() throws {
        let lines = Self.page.csv.split(separator: "\n").map(String.init)
        try #require(lines.count == 4)
        let head = lines[0].split(separator: ",").map(String.init)
        func row(_ line: Int) -> [String: String] {
            let cells = lines[line].split(separator: ",", omittingEmptySubsequences: false)
            return Dictionary(uniqueKeysWithValues: zip(head, cells.map(String.init)))
        }
        #expect(row(2)["epoch"] == "2")
        #expect(row(2)["examples"] == "60000")
        #expect(row(2)["examples_so_far"] == "120000")
        #expect(row(2)["test_accuracy"] == "0.96")
        #expect(row(2)["status"] == "completed")
        #expect(row(3)["status"] == "diverged")
        #expect(row(3)["epoch"] == "0")
        #expect(row(3)["test_accuracy"] == "")
    }

    /// A double holds whole numbers up to 2⁵³ only, and so does a script that reads the page.
    @Test func everySeedStaysItself() throws {
        let seeds: [UInt64] = [1 << 53, (1 << 53) + 1, .max - 1, .max]
        let page = ReportPage(
            title: "", summary: [], sections: [],
            runs: seeds.map { Samples.outcome("mse-tanh", seed: $0, accuracies: [0.9]) })
        let rows = page.csv.split(separator: "\n").dropFirst().map { $0.split(separator: ",") }
        #expect(rows.map { String($0[4]) } == seeds.map(String.init))
        let html = page.html
        #expect(html.contains(",9007199254740992,32,"))
        for seed in seeds.dropFirst() { #expect(html.contains(",\"\(seed)\",32,")) }
    }

    @Test func cellsWithCommasQuotesAndLinesAreQuoted() {
        let run = Samples.outcome("a,\"b\"\nc", accuracies: [0.9])
        let page = ReportPage(title: "", summary: [], sections: [], runs: [run])
        #expect(page.csv.contains("\n\"a,\"\"b\"\"\nc\","))
    }

    @Test func allFilesAreWritten() throws {
        let folder = try TemporaryFolder()
        let paths = try Self.page.write(toFolder: folder.path + "/new/report")
        #expect(paths.count == 3 + Self.page.charts.count)
        for path in paths { #expect(FileManager.default.fileExists(atPath: path), "\(path)") }
        #expect(throws: FileError.self) { try Self.page.write(toFolder: paths[0]) }
    }
}
