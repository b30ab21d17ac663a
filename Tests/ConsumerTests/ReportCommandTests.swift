import Foundation
import TestSupport
import Testing

/// `lockstep report` as a person runs it.
@Suite(.serialized) struct ReportCommandTests {
    /// Every figure of the tables, computed again by a script that shares nothing with us.
    @Test(.needs()) func theFiguresAreThoseOfTheLogs() throws {
        try ReportedRuns.with { reported in
            try Python.run("report_figures.py", [reported.report] + reported.runs)
            try Python.run("report_page.py", [reported.report])
            let page = try String(
                contentsOfFile: reported.report + "/report.html", encoding: .utf8)
            #expect(page.utf8.count < 3_000_000)
            for text in ["MSE + tanh converges more slowly", "n = 14, 0 censored, 1 diverged"] {
                // Not in the macro, which would print the page.
                let isThere = page.contains(text)
                #expect(isThere, "\(text)")
            }
            let drawings = try FileManager.default.contentsOfDirectory(
                atPath: reported.report + "/drawings")
            #expect(drawings.count >= 7)
        }
    }

    @Test func oneRunIsEnoughAndSaysSo() throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder.path("run"))
        let run = try Lockstep.run(
            ["report", folder.path("run"), "--output", folder.path("out")])
        #expect(run.status == 0, "\(run.output)")
        let markdown = try String(contentsOfFile: folder.path("out/report.md"), encoding: .utf8)
        #expect(markdown.contains("n = 1, 0 censored, 0 diverged"))
        #expect(markdown.contains("One run shows no scatter"))
    }

    @Test func nothingToReportOnIsNamed() throws {
        let folder = try TemporaryFolder()
        let empty = try Lockstep.run(["report", folder.path, "--output", folder.path("out")])
        #expect(empty.status == 65, "\(empty.output)")
        #expect(empty.output.contains(folder.path))
        #expect(empty.output.contains("lockstep train --run-dir"))
        let missing = try Lockstep.run(["report", folder.path("none")])
        #expect(missing.status == 65, "\(missing.output)")
        #expect(missing.output.contains(folder.path("none")))
        #expect(try Lockstep.run(["report"]).status == 64)
        #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
    }

    @Test func twoDatasetsNeedAChoice() throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder.path("runs/one"), dataset: "mnist", hash: "a1")
        try Self.write(to: folder.path("runs/two"), dataset: "synthetic-digits", hash: "b2")
        func report(_ more: String...) throws -> ToolRun {
            try Lockstep.run(
                ["report", folder.path("runs"), "--output", folder.path("out")] + more)
        }
        let both = try report()
        #expect(both.status == 78, "\(both.output)")
        #expect(both.output.contains("mnist a1a1a1a1 and synthetic-digits b2b2b2b2"))
        let one = try report("--dataset", "b2b2")
        #expect(one.status == 0, "\(one.output)")
        let csv = try String(contentsOfFile: folder.path("out/runs.csv"), encoding: .utf8)
        #expect(csv.contains("synthetic-digits") && !csv.contains("mnist,"))
        let none = try report("--dataset", "ff")
        #expect(none.status == 64, "\(none.output)")
        #expect(none.output.contains("b2b2b2b2"))
    }

    /// A run that was killed, or still goes on: alone, and beside one that ended.
    @Test func unfinishedRunsAreShownAsSuch() throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder.path("runs/whole"))
        let path = folder.path("runs/half")
        try Self.write(to: path, seed: 2, lines: 2)
        for (runs, rows) in [(path, 1), (folder.path("runs"), 2)] {
            let run = try Lockstep.run(["report", runs, "--output", folder.path("out")])
            #expect(run.status == 0, "\(run.output)")
            #expect(run.standardError.contains("\(path): unfinished"))
            #expect(run.standardError.contains("up to its last recorded step, 10"))
            let markdown = try String(
                contentsOfFile: folder.path("out/report.md"), encoding: .utf8)
            #expect(markdown.contains("One run is unfinished: its log has no end"))
            #expect(markdown.contains("n = \(rows), 1 censored, 0 diverged"))
            #expect(markdown.contains("| 2 | unfinished | 1 | 10 | 90.00 % | 1.25000 | — | — |"))
            // Never counted as completed.
            #expect(markdown.contains("| \(rows) | \(rows - 1) |"))
            let csv = try String(contentsOfFile: folder.path("out/runs.csv"), encoding: .utf8)
            #expect(csv.components(separatedBy: "unfinished\n").count == 2)
            let drawing = try String(
                contentsOfFile: folder.path("out/drawings/test-accuracy.svg"), encoding: .utf8)
            #expect(drawing.contains("class=\"hollow\""))
        }
    }

    /// A log that is none, and one that cannot be read: the rest of the report stands.
    @Test func whatCannotBeReadIsNamedAndLeftOut() throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder.path("runs/whole"))
        try Self.write(to: folder.path("runs/other"), seed: 2, foreign: "{\"event\":\"party\"}")
        try FileManager.default.createDirectory(
            atPath: folder.path("runs/folder/metrics.jsonl"), withIntermediateDirectories: true)
        let names = ["runs/other/metrics.jsonl, line 2", "runs/folder/metrics.jsonl"]
        let run = try Lockstep.run(["report", folder.path("runs"), "--output", folder.path("out")])
        #expect(run.status == 0, "\(run.output)")
        let page = try String(contentsOfFile: folder.path("out/report.html"), encoding: .utf8)
        for name in names {
            #expect(run.standardError.contains(folder.path(name)), "\(run.output)")
            let isThere = page.contains(folder.path(name))
            #expect(isThere, "\(name)")
        }
        #expect(page.contains("n = 1, 0 censored, 0 diverged"))
        let alone = try Lockstep.run(["report", folder.path("runs/other")])
        #expect(alone.status == 65, "\(alone.output)")
        #expect(alone.output.contains(folder.path(names[0])))
    }

    @Test func runsAreFoundAtAnyDepthAndOnce() throws {
        let folder = try TemporaryFolder()
        let deep = folder.path("runs/a/b/c/d/e/f")
        try Self.write(to: deep)
        try Self.write(to: folder.path("runs/.hidden/run"), seed: 2)
        // Links may lead back, and to what was there already.
        let manager = FileManager.default
        try manager.createSymbolicLink(
            atPath: folder.path("runs/a/b/back"), withDestinationPath: folder.path("runs"))
        try manager.createSymbolicLink(
            atPath: folder.path("runs/z"), withDestinationPath: deep)
        let run = try Lockstep.run(["report", folder.path("runs"), "--output", folder.path("out")])
        #expect(run.status == 0, "\(run.output)")
        #expect(run.standardError.isEmpty, "\(run.standardError)")
        let markdown = try String(contentsOfFile: folder.path("out/report.md"), encoding: .utf8)
        #expect(markdown.contains(deep))
        #expect(markdown.contains("n = 1, 0 censored, 0 diverged"))
    }

    /// Four times as many configurations make no larger page: charts show those that can be told
    /// apart, tables their first rows, and files beside the page have all of them.
    @Test func aPageIsBoundedWhateverTheNumberOfRuns() throws {
        let folder = try TemporaryFolder()
        var sizes: [Int] = []
        for numbers in [1..<251, 251..<1_001] {
            for number in numbers {
                try Self.write(
                    to: folder.path("runs/\(number)"), seed: number, rate: number,
                    accuracy: 0.9 + Double(number) / 100_000)
            }
            let run = try Lockstep.run(
                ["report", folder.path("runs"), "--output", folder.path("out")])
            try #require(run.status == 0, "\(run.output)")
            let page = try String(
                contentsOfFile: folder.path("out/report.html"), encoding: .utf8)
            sizes.append(page.utf8.count)
        }
        // The first thousand rows of runs.csv are in the data, of 330 bytes at most.
        #expect(sizes[1] < sizes[0] + 750 * 330, "\(sizes)")
        #expect(sizes[1] < 1_000_000)
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: folder.path("out/" + name), encoding: .utf8)
        }
        let markdown = try text("report.md")
        for sentence in [
            "The 16 of 1,000 configurations with the highest final test accuracies; --only",
            "The first 200 of 1,000 rows; all of them are in tables/runs.csv.",
            // The highest come first.
            "### Final test accuracy and loss, completed runs\n\nmnist a1a1a1a1 · configurations",
        ] {
            let isThere = markdown.contains(sentence)
            #expect(isThere, "\(sentence)")
        }
        let table = try #require(markdown.firstRange(of: "| configuration | runs | completed |"))
        let rows = markdown[table.lowerBound...].split(separator: "\n").dropFirst(2)
        #expect(rows.first?.contains("learning\\_rate 0.01000 ") == true)
        #expect(try text("tables/runs.csv").split(separator: "\n").count == 1_001)
        #expect(try text("tables/thresholds.csv").split(separator: "\n").count == 3_001)
        #expect(try text("runs.csv").split(separator: "\n").count == 1_001)
        let drawing = try text("drawings/test-accuracy.svg")
        let classes = drawing.matches(of: /<g class="(s\d(?: dashed)?)"><path class="median"/)
        #expect(Set(classes.map(\.1)).count == 16 && classes.count == 16)

        func report(only filters: String...) throws -> ToolRun {
            try Lockstep.run(
                ["report", folder.path("runs"), "--output", folder.path("out")]
                    + filters.flatMap { ["--only", $0] })
        }
        let two = try report(only: "learning-rate=0.00003,0.00004", "seed=3")
        #expect(two.status == 0, "\(two.output)")
        #expect(try text("runs.csv").split(separator: "\n").count == 2)
        for (filter, words) in [
            ("learning_rate=7", "0.00001, 0.00002"), ("rate=1", "learning_rate"),
            ("rate", "setting=values"), ("rate=,", "setting=values"),
        ] {
            let none = try report(only: filter)
            #expect(none.status == 64, "\(none.output)")
            #expect(none.output.contains(words), "\(none.output)")
        }
    }

    @Test func aRunThatIsThereTwiceCountsOnce() throws {
        let folder = try TemporaryFolder()
        try Self.write(to: folder.path("one"))
        try Self.write(to: folder.path("two"))
        let run = try Lockstep.run(["report", folder.path, "--output", folder.path("out")])
        #expect(run.status == 0, "\(run.output)")
        #expect(run.standardError.contains("the same run as"))
        let markdown = try String(contentsOfFile: folder.path("out/report.md"), encoding: .utf8)
        #expect(markdown.contains("n = 1,"))
    }

    /// The log of a run of one epoch.
    private static func write(
        to path: String, seed: Int = 1, dataset: String = "mnist", hash: String = "a1",
        lines count: Int = 3, foreign: String? = nil, rate: Int = 1, accuracy: Double = 0.9
    ) throws {
        let stamp =
            "\"dataset\":\"\(dataset)\",\"dataset_sha256\":\"\(String(repeating: hash, count: 32))\","
            + "\"configuration_sha256\":\"\(String(repeating: "c\(seed)", count: 32))\"}"
        var lines = [
            "{\"event\":\"run\",\"configuration\":\"ce-softmax\",\"seed\":\(seed),\"placement\":"
                + "{\"workers\":0,\"threads\":1,\"servers\":1},\"settings\":{\"epochs\":\"1\","
                + "\"learning_rate\":\"\(String(format: "%.5f", Double(rate) / 100_000))\","
                + "\"seed\":\"\(seed)\"},"
                + "\"versions\":{},\"started\":\"2026-01-01T00:00:00Z\"," + stamp,
            "{\"event\":\"epoch\",\"epoch\":1,\"step\":10,\"examples\":320,\"seconds\":0.5,"
                + "\"train_loss\":1.5,\"train_accuracy\":0.5,\"test_loss\":1.25,"
                + "\"test_accuracy\":\(accuracy),\"weights_sha256\":\"ab\"," + stamp,
            "{\"event\":\"end\",\"status\":\"completed\",\"configuration\":\"ce-softmax\","
                + "\"seed\":\(seed),\"workers\":0,\"threads\":1,\"servers\":1,\"batch_size\":32,"
                + "\"steps\":10,\"epochs\":1,\"test_accuracy\":\(accuracy),\"test_loss\":1.25,"
                + "\"seconds\":0.5,\"examples_per_second\":640,\"weights_sha256\":\"ab\"," + stamp,
        ]
        lines = Array(lines.prefix(count))
        if let foreign { lines.insert(foreign, at: 1) }
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        try Data((lines.joined(separator: "\n") + "\n").utf8)
            .write(to: URL(fileURLWithPath: path + "/metrics.jsonl"))
    }
}
