import Foundation
import TestSupport
import Testing

/// The table of goals, and that all of it is measured.
struct GoalTests {
    private struct Line: Decodable, Hashable {
        let row: String
        let place: String
        let goal: String
        let measuredBy: String?

        enum CodingKeys: String, CodingKey {
            case row, place, goal
            case measuredBy = "measured_by"
        }
    }

    private static func goals(_ arguments: [String] = []) throws -> [Line] {
        let run = try ToolRun(BenchRun.program, ["goals", "--json"] + arguments)
        try #require(run.status == 0, "\(run.output)")
        return try run.standardOutput.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    /// Written here a second time on purpose: what the design asks for.
    private static let expected: [(row: String, goals: [(place: String, goal: String)])] = [
        ("one-thread-jax", at([32, 128, 512, 2048], "≥ 2.5×")),
        ("one-thread-pytorch", at([32], "≥ 5×") + at([128, 512, 2048], "≥ 4×")),
        ("inverted-jax", at([32, 128, 512, 2048], "≥ 1.2×")),
        ("inverted-pytorch", at([32, 128, 512, 2048], "≥ 1.7×")),
        ("wide-pytorch", at([128, 512], "≥ 1.2×")),
        ("two-workers-ddp", at([32, 128], "≥ 10×") + at([512, 2048], "≥ 6×")),
        (
            "two-workers-one-thread",
            at([128], "≥ 1.2×") + at([512], "≥ 1.6×") + at([2048], "≥ 1.8×")
        ),
        ("hosts-ddp", [("4 hosts", "≥ 2.5×"), ("8 hosts", "≥ 4×")]),
        ("hosts-link", [("4 hosts", "≤ 1.1×"), ("8 hosts", "≤ 1.1×")]),
        ("exchange", [("2 workers", "≤ 1.15×"), ("8 workers", "≤ 1.15×")]),
        ("products-openblas", products("≥ 1×")), ("products-peak", products("≥ 0.85×")),
        ("two-threads", at([512], "≥ 1.8×")),
        ("keras", [("mse-tanh", "≥ 8×"), ("ce-softmax", "≥ 8×")]),
        ("encryption", [("4 hosts", "≤ 1.3×"), ("8 hosts", "≤ 1.3×")]),
        ("tree", at([32, 128, 512, 2048], "≤ 1.15×")),
    ]

    private static func at(_ batches: [Int], _ goal: String) -> [(place: String, goal: String)] {
        batches.map { ("batch \($0)", goal) }
    }

    private static func products(_ goal: String) -> [(place: String, goal: String)] {
        ["forward product", "input gradient", "weight gradient"].map { ($0, goal) }
    }

    @Test func theGoalsAreThoseOfTheDesign() throws {
        let expected = Self.expected.flatMap { row, goals in
            goals.map { "\(row), \($0.place): \($0.goal)" }
        }
        let found = try Self.goals().map { "\($0.row), \($0.place): \($0.goal)" }
        #expect(found == expected)
    }

    @Test func allMeasuresEveryGoal() throws {
        for line in try Self.goals() {
            #expect(line.measuredBy != nil, "\(line.row), \(line.place)")
        }
    }

    /// Every row is measured by `all`, and with --quick just what the plan says: a section that
    /// promises a figure and gives none is seen.
    @Test func allGivesAFigureForWhatItPromises() throws {
        let promised = try Self.goals(["--quick"]).filter { $0.measuredBy != nil }
        #expect(Set(promised.map(\.row)) == Set(Self.expected.map(\.row)))
        let data = try BenchDigits()
        let run = try BenchRun(["all"], data: data.path, command: nil, seconds: 300)
        let canMakeHosts = NetworkNamespaces.obstacle == nil
        let wanted = promised.filter { canMakeHosts || $0.measuredBy != "hosts" }
            // Generated digits are few: a batch of 2,048 is more than all of them.
            .filter { $0.place != "batch 2048" }
        func key(_ row: String, _ place: String) -> String { "\(row), \(place)" }
        var measured: Set<String> = []
        for line in run.lines {
            if let row = line.row, let place = line.place { measured.insert(key(row, place)) }
        }
        #expect(measured == Set(wanted.map { key($0.row, $0.place) }))
        // The summary has every goal of the plan, once.
        struct Verdict: Decodable {
            let section: String
            let row: String
            let place: String
            let verdict: String
        }
        let verdicts = run.texts.compactMap {
            try? JSONDecoder().decode(Verdict.self, from: Data($0.utf8))
        }
        #expect(
            verdicts.map { key($0.row, $0.place) }
                == promised.map { key($0.row, $0.place) })
        for verdict in verdicts {
            let isMeasured = measured.contains(key(verdict.row, verdict.place))
            #expect((verdict.verdict == "not measured") == !isMeasured, "\(verdict)")
        }
    }
}
