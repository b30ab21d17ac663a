import Experiments
import Foundation
import RunRecords
import TerminalText
import TestSupport
import Testing

@Suite struct SweepTableTests {
    private let style = TextStyle(width: 120)

    private func row(_ outcomes: [RunOutcome], failed: Int = 0) throws -> [String] {
        let table = SweepTable(
            settings: ["loss"],
            points: [SweepTable.Point(values: ["mse"], outcomes: outcomes, failedCount: failed)])
        let line = try #require(
            table.text(style).split(separator: "\n").first { $0.hasPrefix("mse") })
        return line.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func figuresAreOverTheRunsThatWereTrainedToTheirEnd() throws {
        let runs = [[0.94, 0.955, 0.96], [0.95, 0.95, 0.958], [0.93, 0.94, 0.956]].enumerated().map
        {
            Samples.outcome("mse-tanh", seed: UInt64($0), accuracies: $1)
        }
        // Means and deviations by hand: (0.96 + 0.958 + 0.956) / 3, ± 0.002.
        #expect(
            try row(runs) == [
                "mse", "3", "95.80 ± 0.20", "95.80", "3,750", "— (1/3)", "— (0/3)", "0", "0",
            ])
        let diverged = Samples.outcome(
            "mse-tanh", seed: 9, accuracies: [0.951, 0.1], status: .diverged, divergedStep: 3_751)
        // It had reached 95 % at step 1,875, but a run that diverges never does.
        #expect(
            try row(runs + [diverged], failed: 2) == [
                "mse", "3", "95.80 ± 0.20", "95.70", "4,688 (3/4)", "— (1/4)", "— (0/4)", "1", "2",
            ])
    }

    @Test func aPointWithoutAResultIsShown() throws {
        #expect(try row([], failed: 2) == ["mse", "0", "—", "—", "—", "—", "—", "0", "2"])
    }
}
