import Datasets
import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The study in small: its report is a function of its runs, however often it was ended.
    @Suite struct StudyCommands {
        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private var arguments: [String] {
            ["study", "--quick", "--run-dir", lockstep.folder.path("study")]
        }

        private func report(_ name: String) throws -> String {
            String(
                decoding: try lockstep.folder.read("study/quick/report/\(name)"), as: UTF8.self)
        }

        @Test func aKilledStudyGoesOnToItsReport() throws {
            let killed = try lockstep.start(arguments)
            #expect(killed.says("ablation: "))
            killed.send(SIGKILL)
            _ = killed.end()
            #expect(
                !FileManager.default.fileExists(atPath: lockstep.folder.path("study/quick/report")))

            let whole = try lockstep.run(arguments)
            #expect(whole.status == 0, "\(whole.standardError)")
            let text = try report("report.md")
            let claims = try #require(
                text.split(separator: "\n## ").first { $0.hasPrefix("The claims") })
            let rows = claims.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst(2)
            #expect(rows.count == 7)
            let verdicts = ["supported", "refuted", "inconclusive", "not tested"]
            #expect(rows.allSatisfy { row in verdicts.contains { row.hasSuffix("| \($0) |") } })
            // One process, one worker and two come to one end.
            #expect(text.contains("the same bits") && !text.contains("DIFFERENT"))
            #expect(!text.lowercased().contains("nan"))
            // The plan that was followed, and the hash of its text.
            let plan = try #require(text.split(separator: "~~~~\n").dropFirst().first)
            #expect(plan.hasPrefix("# The plan of the study"))
            #expect(text.contains(/SHA-256 [0-9a-f]{64}/))

            let page = try report("report.html")
            let again = try lockstep.run(arguments)
            #expect(again.status == 0)
            #expect(try report("report.html") == page)
        }

        /// Before anything is trained: the runs of a sweep on other digits lie where those of a
        /// question would.
        @Test func otherDataIsNoticedAtOnce() throws {
            let other = try TemporaryFolder()
            try SmallDigits.write(
                SyntheticDigits(trainCount: 300, testCount: 100).dataset(), to: other)
            let question = lockstep.folder.path("study/quick/presets")
            let earlier = try lockstep.run([
                "sweep", "seed=1", "--epochs", "1", "--data", other.path, "--run-dir", question,
            ])
            try #require(earlier.status == 0, "\(earlier.standardError)")
            let run = try lockstep.run(arguments)
            #expect(run.status == 78, "\(run.standardError)")
            for word in [question, "other data", "--run-dir", "--data"] {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
            #expect(!run.message.contains("--dataset"))
            let names = try FileManager.default.contentsOfDirectory(
                atPath: lockstep.folder.path("study/quick"))
            #expect(names == ["presets"])
        }

        @Test func aReportThatCannotBeWrittenIsNoticedAtOnce() throws {
            let run = try lockstep.run(arguments + ["--output", "/proc/report"])
            #expect(run.status == 73 && run.message.contains("/proc/report"), "\(run.message)")
            #expect(!FileManager.default.fileExists(atPath: lockstep.folder.path("study")))
        }

        @Test func whatCannotBeStudiedIsNamed() throws {
            let both = try lockstep.run(["study", "--quick", "--full"])
            #expect(both.status == 64 && both.standardError.contains("--quick or --full"))
            try lockstep.folder.write("{}", "curves.json")
            let path = lockstep.folder.path("curves.json")
            let foreign = try lockstep.run(arguments + ["--reference", path])
            #expect(foreign.status == 65, "\(foreign.standardError)")
            for word in [path, "holds no curves", "--reference"] {
                #expect(foreign.standardError.contains(word), "\(foreign.standardError)")
            }
        }
    }
}
