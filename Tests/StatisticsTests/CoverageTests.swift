import Foundation
import TestSupport
import Testing

/// Intervals and tests keep what they say on simulated runs whose truth is known: ties, runs that
/// are censored or diverge, easy and hard examples. `Scripts/coverage` is the long form, with 2,000
/// repetitions and 93 to 97 %.
@Suite struct CoverageTests {
    @Test func intervalsCoverAndTestsReject() throws {
        let tool = ToolRun.buildDirectory.appendingPathComponent("interval-coverage")
        let run = try ToolRun(tool, ["200"], seconds: 300)
        try #require(run.status == 0, "\(run.output)")
        let lines = run.output.split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(lines.count >= 18)
        for line in lines {
            try #require(line.count == 3)
            let rate = try #require(Double(line[2]))
            // Three standard deviations of a binomial around what the long form allows.
            let allowed = line[0] == "interval" ? 0.93 - 0.054...0.97 + 0.036 : 0...0.07 + 0.054
            #expect(allowed.contains(rate), "\(line)")
        }
    }
}
