import Foundation
import TestSupport
import Testing

/// A report in a real browser, without a screen.
@Suite(.serialized) struct BrowserTests {
    private static let browser = ToolRun.find("chromium") ?? ToolRun.find("google-chrome")

    @Test(.enabled(if: browser != nil, "needs chromium"))
    func thePageShowsItsDrawingsWithoutAFault() throws {
        try ReportedRuns.with { reported in
            let path = reported.report + "/report.html"
            let page = try String(contentsOfFile: path, encoding: .utf8)
            let probed = reported.folder + "/probed.html"
            try Data(page.replacing("</body>", with: Self.probe + "</body>").utf8)
                .write(to: URL(fileURLWithPath: probed))
            let run = try Self.run(
                ["--dump-dom", "--virtual-time-budget=3000", "file://\(probed)"], in: reported)
            #expect(!run.standardError.contains("CONSOLE"), "\(run.standardError)")
            let found = try #require(
                run.standardOutput.firstMatch(of: /data-found="([^"]*)"/),
                "the script did not come to its end: \(run.standardError)")
            let json = found.1.replacing("&quot;", with: "\"").replacing("&amp;", with: "&")
            let result = try #require(
                try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            let charts = try #require(result["charts"] as? Int)
            #expect(charts >= 7)
            #expect(result["drawn"] as? Int == charts)
            #expect(result["withData"] as? Int == charts)
            #expect(result["firstAxes"] as? [String] == ["steps"])
            #expect(result["switchedAxes"] as? [String] == ["examples"])
            #expect(result["pressed"] as? [String] == ["examples"])
            #expect(result["overflow"] as? Int ?? 1 <= 0)
            #expect(result["resources"] as? Int == 0)
        }
    }

    @Test(.enabled(if: browser != nil, "needs chromium"))
    func itCanBeSeenAtThreeWidthsInLightAndDark() throws {
        try ReportedRuns.with { reported in
            for width in [360, 800, 1400] {
                let pictures = try ["1", "0"].map { scheme in
                    let path = "\(reported.folder)/\(width)-\(scheme).png"
                    // 0 is dark.
                    let run = try Self.run(
                        [
                            "--screenshot=\(path)", "--window-size=\(width),1600",
                            "--hide-scrollbars", "--blink-settings=preferredColorScheme=\(scheme)",
                            "file://\(reported.report)/report.html",
                        ], in: reported)
                    let picture = try #require(
                        FileManager.default.contents(atPath: path), "\(run.standardError)")
                    #expect(picture.count > 20_000)
                    let header = [UInt8](picture.prefix(24))
                    #expect(Int(header[18]) << 8 | Int(header[19]) == width)
                    return picture
                }
                #expect(pictures[0] != pictures[1], "light and dark look the same")
            }
        }
    }

    private static func run(_ arguments: [String], in reported: ReportedRuns) throws -> ToolRun {
        try ToolRun(
            #require(browser),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking",
                "--enable-logging=stderr", "--user-data-dir=\(reported.folder)/browser",
            ] + arguments, seconds: 120)
    }

    /// Looks at the page after its own scripts, switches an axis, and leaves what it finds in the document.
    private static let probe = """
        <script>
        const data = JSON.parse(document.getElementById("data").textContent);
        const figures = [...document.querySelectorAll("figure.chart")];
        const seen = element => element.getClientRects().length > 0;
        const axes = () => [...new Set([...document.querySelectorAll(".view")].filter(seen)
          .map(view => view.dataset.axis))];
        const found = {
          charts: data.charts.length,
          drawn: figures.filter(figure => {
            const drawings = [...figure.querySelectorAll("svg")].filter(seen);
            const box = drawings[0]?.getBoundingClientRect();
            return drawings.length === 1 && box.width > 200 && box.height > 60
              && [...drawings[0].querySelectorAll("path.median, circle.dot")].some(seen);
          }).length,
          withData: data.charts.filter(chart => document.getElementById(chart.name)
            && JSON.stringify(chart.figures).length > 60).length,
          firstAxes: axes(),
        };
        document.querySelector('button[data-axis="examples"]').click();
        found.switchedAxes = axes();
        found.pressed = [...new Set([...document.querySelectorAll("button[aria-pressed=true]")]
          .map(button => button.dataset.axis))];
        found.overflow = document.documentElement.scrollWidth - innerWidth;
        found.resources = performance.getEntriesByType("resource")
          .filter(entry => !entry.name.startsWith("data:")).length;
        document.documentElement.dataset.found = JSON.stringify(found);
        </script>
        """
}
