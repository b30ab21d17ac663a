import Foundation
import TestSupport
import Testing

/// Every figure of a study's report, computed again by scripts that share nothing with us.
@Suite(.serialized) struct StudyFiguresTests {
    /// The quick study on few digits.
    private struct StudiedRuns {
        let folder: TemporaryFolder
        var report: String { folder.path("report") }

        init() throws {
            folder = try TemporaryFolder()
            try SmallDigits.write(to: folder)
            try folder.write(
                """
                {"what": "made up", "configurations": {
                    "mse-tanh": {"runs": [
                        {"seed": 1, "epochs": [[1, 0.1, 0.5, 0.1, 0.5], [2, 0.1, 0.6, 0.1, 0.55]]},
                        {"seed": 2, "epochs": [[1, 0.1, 0.5, 0.1, 0.4], [2, 0.1, 0.6, 0.1, 0.65]]}]},
                    "ce-softmax": {"runs": [{"seed": 1, "epochs": [[1, 1, 0.5, 1, 0.7]]}]}}}
                """, "reference.json")
            let study = try ToolRun(
                ToolRun.buildDirectory.appendingPathComponent("lockstep"),
                [
                    "study", "--quick", "--data", folder.path, "--run-dir", folder.path("runs"),
                    "--output", folder.path("report"), "--reference",
                    folder.path("reference.json"),
                ], seconds: 240)
            try #require(study.status == 0, "\(study.output)")
        }

        /// - Parameter report: the folder of another report on these runs.
        func check(_ report: String, withWeights: Bool = true) throws {
            try Python.run(
                "study_figures.py",
                [
                    report, folder.path("runs/quick"), "--reference",
                    folder.path("reference.json"),
                ] + (withWeights ? ["--data", folder.path] : []))
        }

        /// A copy of the report with another text in a file.
        func altered(_ file: String, _ change: (String) throws -> String) throws -> String {
            let copy = folder.path("altered")
            try? FileManager.default.removeItem(atPath: copy)
            try FileManager.default.copyItem(atPath: report, toPath: copy)
            let text = try String(contentsOfFile: "\(copy)/\(file)", encoding: .utf8)
            let changed = try change(text)
            try #require(changed != text)
            try Data(changed.utf8).write(to: URL(fileURLWithPath: "\(copy)/\(file)"))
            return copy
        }

        /// A copy of the report with other data in its page.
        func alteredData(_ change: (inout [String: Any]) throws -> Void) throws -> String {
            try altered("report.html") { page in
                let start = "<script type=\"application/json\" id=\"data\">"
                let parts = page.split(separator: start)
                let rest = try #require(parts.last).split(separator: "</script>", maxSplits: 1)
                let object = try JSONSerialization.jsonObject(with: Data(rest[0].utf8))
                var data = try #require(object as? [String: Any])
                try change(&data)
                let json = try JSONSerialization.data(withJSONObject: data)
                let text = String(decoding: json, as: UTF8.self)
                return "\(parts[0])\(start)\(text)</script>\(rest[1])"
            }
        }
    }

    /// Tables with one of their columns; those that are computed from weights.
    private static let columns = [
        ("final", "standard_deviation", false), ("thresholds", "reached", false),
        ("hindrance", "gradient_passed", false), ("hindrance", "error_high", false),
        ("controls", "hidden_saturation", false), ("controls", "low", false),
        ("ablation", "learning_rate", false), ("ablation", "mean_test_accuracy", false),
        ("scale", "noise_last", false), ("scale", "reached", false),
        ("times", "restricted_mean_steps", false), ("time-ratios", "pairs", false),
        ("efficiency", "pairs", false), ("accuracy", "low", true), ("mcnemar", "p", true),
        ("workers", "efficiency", false), ("reference", "difference", false),
        ("calibration", "brier_score", true),
        ("calibration", "brier_score_low", true),
        ("calibration", "negative_log_likelihood_high", true),
        ("calibration", "temperature", true),
    ]

    @Test(.needs("numpy")) func theFiguresAreThoseOfTheLogsAndOnlyThese() throws {
        let study = try StudiedRuns()
        try study.check(study.report)
        func isFound(_ report: String, _ words: [String], withWeights: Bool = false) throws {
            let failure = #expect(throws: Python.Failure.self, "\(words)") {
                try study.check(report, withWeights: withWeights)
            }
            for word in words {
                #expect(
                    failure?.description.contains(word) == true,
                    "\(word): \(String(describing: failure))")
            }
        }
        for (table, column, isOfWeights) in Self.columns {
            let report = try study.alteredData { data in
                var tables = try #require(data["tables"] as? [[String: Any]])
                let index = try #require(tables.firstIndex { $0["name"] as? String == table })
                let names = try #require(tables[index]["columns"] as? [String])
                let place = try #require(names.firstIndex(of: column))
                var rows = try #require(tables[index]["rows"] as? [[Any]])
                let row = try #require(rows.lastIndex { $0[place] is NSNumber }, "\(column)")
                let value = try #require(rows[row][place] as? NSNumber).doubleValue
                rows[row][place] = value + max(abs(value), 1) * 1e-4
                tables[index]["rows"] = rows
                data["tables"] = tables
            }
            let word = column.prefix { $0 != "_" }.lowercased()
            try isFound(report, [word], withWeights: isOfWeights)
        }
        try isFound(
            study.alteredData { data in
                let tables = try #require(data["tables"] as? [[String: Any]])
                data["tables"] = tables + [["name": "news", "columns": [], "rows": []]]
            }, ["news"])
        try isFound(
            study.altered("report.md") {
                $0.replacing("mse-tanh: cannot be fitted", with: "mse-tanh: 700")
            }, ["critical batch of mse-tanh"])
        for claim in ["ends less accurate", "may help slightly", "saturate under"] {
            try isFound(
                study.altered("report.md") { text in
                    // The last figure but one of the claim's row.
                    let row = try #require(
                        text.split(separator: "\n").first {
                            $0.contains(claim) && $0.hasPrefix("| ")
                        })
                    let digits = row.ranges(of: /\d/)
                    let digit = try #require(digits.dropLast().last)
                    let other = row[digit] == "7" ? "8" : "7"
                    return text.replacing(
                        row, with: row.replacingCharacters(in: digit, with: other))
                }, [claim], withWeights: true)
        }
        try isFound(
            study.alteredData { data in
                var charts = try #require(data["charts"] as? [[String: Any]])
                let index = try #require(
                    charts.firstIndex { $0["name"] as? String == "confusion-mse-tanh" })
                var figures = try #require(charts[index]["figures"] as? [String: Any])
                var values = try #require(figures["values"] as? [Double])
                let from = try #require(values.firstIndex { $0 > 20 })
                values[from] -= 20
                values[(from + 1) % values.count] += 20
                figures["values"] = values
                charts[index]["figures"] = figures
                data["charts"] = charts
            }, ["confusions of mse-tanh"], withWeights: true)
    }
}
