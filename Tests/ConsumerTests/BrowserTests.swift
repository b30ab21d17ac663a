import Foundation
import TestSupport
import Testing

/// The pages in a real browser, without a screen.
@Suite(.serialized) struct BrowserTests {
    private static let browser = ToolRun.find("chromium") ?? ToolRun.find("google-chrome")

    @Test(.enabled(if: browser != nil, "needs chromium"))
    func theReportOnRunsCanBeRead() throws {
        try ReportedRuns.with { reported in
            try Self.read(reported.report, in: reported.folder, chartCount: 7)
        }
    }

    /// The quick form on a few digits, with all its sections; then a page of as many runs as the
    /// standard form has behind its curves.
    @Test(.enabled(if: browser != nil, "needs chromium"))
    func theStudyCanBeReadAndOpensAtOnce() throws {
        try TrainedRun.with(Networks.all[0]) { run in
            let curves = run.folder + "/curves.json"
            try Data(Self.curves.utf8).write(to: URL(fileURLWithPath: curves))
            let report = run.folder + "/report"
            let study = try Lockstep.run(
                [
                    "study", "--quick", "--data", run.folder, "--run-dir", run.folder + "/study",
                    "--output", report, "--reference", curves,
                ], seconds: 300)
            try #require(study.status == 0, "\(study.output)")
            let text = try String(contentsOfFile: report + "/report.md", encoding: .utf8)
            // The curves end after two epochs and the runs after three.
            let isCompared = text.contains("The last epoch is the last that all have, 2.")
            #expect(isCompared)
            try Self.read(report, in: run.folder, chartCount: 15)
            try Self.open(report, in: run.folder)

            let presets = run.folder + "/study/quick/presets"
            let many = run.folder + "/many"
            for name in try FileManager.default.contentsOfDirectory(atPath: presets)
            where FileManager.default.fileExists(atPath: "\(presets)/\(name)/metrics.jsonl") {
                for copy in 0..<14 {
                    try Self.copy("\(presets)/\(name)", to: "\(many)/\(name)-\(copy)", copy)
                }
            }
            let large = try Lockstep.run(["report", many, "--output", run.folder + "/large"])
            try #require(large.status == 0, "\(large.output)")
            try Self.open(run.folder + "/large", in: run.folder)
        }
    }

    private static let curves = """
        {"what": "Made up.", "configurations": {"mse-tanh": {"runs": [{"seed": 1, "epochs":
        [[1, 0.1, 0.8, 0.1, 0.82], [2, 0.1, 0.9, 0.1, 0.88]]}]}}}
        """

    /// Leaves the log of a run as that of another seed.
    private static func copy(_ run: String, to path: String, _ index: Int) throws {
        let log = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
        let hash = try #require(log.firstMatch(of: /"configuration_sha256":"([0-9a-f]{64})"/)).1
        let seed = try #require(log.firstMatch(of: /"seed":([0-9]+)/)).1
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data(
            log.replacing(hash, with: "\(hash.dropLast(3))\(100 + index)")
                .replacing("\"seed\":\(seed),", with: "\"seed\":\(seed)\(100 + index),")
                .replacing("\"seed\":\"\(seed)\"", with: "\"seed\":\"\(seed)\(100 + index)\"").utf8
        ).write(to: URL(fileURLWithPath: path + "/metrics.jsonl"))
    }

    // MARK: What is looked at

    /// What ``probe`` finds.
    private struct Found: Decodable {
        /// Drawings in the embedded data.
        let charts: Int
        /// Those that can be seen, once, and hold marks.
        let drawn: Int
        /// Those of the data that have a place and figures.
        let withData: Int
        let firstAxes: [String]
        let switchedAxes: [String]
        let pressed: [String]
        /// Pixels by which the page is wider than its window.
        let overflow: Int
        /// Boxes that are wider than the window.
        let wide: [String]
        /// Texts that stick out of their drawing.
        let clipped: [String]
        /// Texts that cover each other.
        let covered: [String]
        let resources: Int
    }

    /// A phone, a tablet and a laptop. No window is as narrow as the first, so the page stands in a
    /// frame.
    private static func read(_ report: String, in folder: String, chartCount: Int) throws {
        let page = try String(contentsOfFile: report + "/report.html", encoding: .utf8)
        let probed = folder + "/probed.html"
        try Data(page.replacing("</body>", with: probe + "</body>").utf8)
            .write(to: URL(fileURLWithPath: probed))
        let frame = folder + "/frame.html"
        for width in [360, 820, 1_440] {
            try Data(Self.frame(of: probed, width: width).utf8)
                .write(to: URL(fileURLWithPath: frame))
            let run = try run(
                [
                    "--dump-dom", "--virtual-time-budget=5000",
                    "--window-size=\(max(width, 500)),1600", "file://\(frame)",
                ], in: folder)
            #expect(!run.standardError.contains("CONSOLE"), "\(run.standardError)")
            let json = try #require(
                run.standardOutput.firstMatch(of: /data-found="([^"]*)"/),
                "the script did not come to its end: \(run.standardError)"
            ).1.replacing("&quot;", with: "\"").replacing("&lt;", with: "<")
                .replacing("&gt;", with: ">").replacing("&amp;", with: "&")
            let found = try JSONDecoder().decode(Found.self, from: Data(json.utf8))
            #expect(found.charts >= chartCount)
            #expect(found.drawn == found.charts)
            #expect(found.withData == found.charts)
            #expect(found.firstAxes == ["steps"])
            #expect(found.switchedAxes == ["examples"])
            #expect(found.pressed == ["examples"])
            #expect(found.overflow <= 0)
            #expect(found.wide == [], "at \(width)")
            #expect(found.clipped == [], "at \(width)")
            #expect(found.covered == [], "at \(width)")
            #expect(found.resources == 0)
            try photograph(report, width: width, in: folder)
        }
    }

    private static func photograph(_ report: String, width: Int, in folder: String) throws {
        let frame = folder + "/frame.html"
        try Data(Self.frame(of: report + "/report.html", width: width).utf8)
            .write(to: URL(fileURLWithPath: frame))
        // 0 is dark.
        let pictures = try ["1", "0"].map { scheme in
            let path = "\(folder)/\(width)-\(scheme).png"
            let run = try run(
                [
                    "--screenshot=\(path)", "--window-size=\(max(width, 500)),1600",
                    "--hide-scrollbars", "--blink-settings=preferredColorScheme=\(scheme)",
                    "file://\(frame)",
                ], in: folder)
            let picture = try #require(
                FileManager.default.contents(atPath: path), "\(run.standardError)")
            #expect(picture.count > 20_000)
            return picture
        }
        #expect(pictures[0] != pictures[1], "light and dark look the same")
    }

    private static func frame(of page: String, width: Int) -> String {
        """
        <!DOCTYPE html><meta name="color-scheme" content="light dark"><body style="margin:0">
        <script>onmessage = event => document.documentElement.dataset.found = event.data</script>
        <iframe src="file://\(page)" style="border:0;width:\(width)px;height:1600px"></iframe></body>
        """
    }

    /// The best of three starts of the browser: a busy machine can only make it slower.
    private static func open(_ report: String, in folder: String) throws {
        let page = try String(contentsOfFile: report + "/report.html", encoding: .utf8)
        let timed = folder + "/timed.html"
        try Data(page.replacing("</body>", with: clock + "</body>").utf8)
            .write(to: URL(fileURLWithPath: timed))
        let times = try (0..<3).map { _ in
            let run = try run(["--dump-dom", "file://\(timed)"], in: folder)
            let found = try #require(
                run.standardOutput.firstMatch(of: /data-milliseconds="([0-9]+)"/),
                "the page did not load: \(run.standardError)")
            return try #require(Int(found.1))
        }
        let milliseconds = try #require(times.min())
        print("\(page.utf8.count) bytes of a page open in \(milliseconds) ms, best of \(times)")
        #expect(page.utf8.count < 3_000_000)
        // On a machine at rest it is a third of a second for any of our pages.
        #expect(milliseconds < 2_000)
    }

    private static func run(_ arguments: [String], in folder: String) throws -> ToolRun {
        try ToolRun(
            #require(browser),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking",
                "--enable-logging=stderr", "--user-data-dir=\(folder)/browser",
            ] + arguments, seconds: 120)
    }

    private static let clock = """
        <script>
        addEventListener("load", () => setTimeout(() => {
          const [navigation] = performance.getEntriesByType("navigation");
          document.documentElement.dataset.milliseconds = Math.round(navigation.loadEventEnd);
        }));
        </script>
        """

    /// Looks at the page after its own scripts, switches an axis, and tells the frame what it
    /// finds.
    private static let probe = """
        <script>
        const data = JSON.parse(document.getElementById("data").textContent);
        const figures = [...document.querySelectorAll("figure.chart")];
        const seen = element => element.getClientRects().length > 0;
        const axes = () => [...new Set(figures.filter(figure => figure.querySelector(".switch"))
          .flatMap(figure => [...figure.querySelectorAll(".view")].filter(seen))
          .map(view => view.dataset.axis))];
        const marks = "path.median, circle.dot, circle.hollow, rect.bar, image.digit";
        const drawings = [...document.querySelectorAll("figure.chart > svg")].filter(seen);
        const texts = drawing => [...drawing.querySelectorAll("text")].filter(seen)
          .filter(text => !text.hasAttribute("transform"))
          .map(text => ({text: `${drawing.parentNode.id}: ${text.textContent}`,
            box: text.getBoundingClientRect()}));
        const shared = (a, b) =>
          Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left))
          * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
        const area = box => box.width * box.height;
        const found = {
          charts: data.charts.length,
          drawn: figures.filter(figure => {
            const own = drawings.filter(drawing => drawing.parentNode === figure);
            const box = own[0]?.getBoundingClientRect();
            return own.length === 1 && box.width > 200 && box.height > 60
              && [...own[0].querySelectorAll(marks)].some(seen);
          }).length,
          withData: data.charts.filter(chart => document.getElementById(chart.name)
            && JSON.stringify(chart.figures).length > 60).length,
          firstAxes: axes(),
          clipped: drawings.flatMap(drawing => {
            const box = drawing.getBoundingClientRect();
            return texts(drawing).filter(({box: own}) => own.left < box.left - 2
              || own.right > box.right + 2).map(({text}) => text);
          }),
          covered: drawings.flatMap(drawing => {
            const all = texts(drawing);
            return all.flatMap((a, index) => all.slice(index + 1)
              .filter(b => shared(a.box, b.box) > 0.2 * Math.min(area(a.box), area(b.box)))
              .map(b => `${a.text} / ${b.text}`));
          }),
        };
        document.querySelector('button[data-axis="examples"]').click();
        found.switchedAxes = axes();
        found.pressed = [...new Set([...document.querySelectorAll("button[aria-pressed=true]")]
          .map(button => button.dataset.axis))];
        found.overflow = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)
          - innerWidth;
        found.wide = [...document.querySelectorAll("figure, .scroll, p, h1, h2, h3, nav, ul")]
          .filter(element => element.getBoundingClientRect().right > innerWidth)
          .map(element => element.id || element.textContent.slice(0, 40));
        found.resources = performance.getEntriesByType("resource")
          .filter(entry => !entry.name.startsWith("data:")).length;
        parent.postMessage(JSON.stringify(found), "*");
        </script>
        """
}
