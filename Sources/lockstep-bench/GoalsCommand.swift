import ArgumentParser
import TerminalText

/// `lockstep-bench goals`
struct GoalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "goals", abstract: "The goals, and which subcommand measures each.",
        discussion: """
            With --quick, those that 'all --quick' measures have a subcommand.

            Examples:
              lockstep-bench goals
              lockstep-bench goals --json
            """)

    @OptionGroup var options: BenchOptions

    func run() throws {
        let measured = AllPlan(isQuick: options.quick).entries
        func command(_ entry: GoalEntry) -> String? {
            measured.first { $0.entry == entry }?.command
        }
        if options.json {
            for entry in Goals.table {
                print(try Section.json(Line(entry, command(entry))))
            }
            return
        }
        var table = TextTable()
        table.addRule()
        table.add(["what, and against what", "at", "goal", "measured by"])
        table.addRule()
        table.addGoals(Goals.table) { [command(Goals.table[$0]) ?? "—"] }
        print(table.text(.of(1)))
    }

    private struct Line: Encodable {
        let row: String
        let what: String
        let against: String
        let place: String
        let goal: String
        let measuredBy: String?

        enum CodingKeys: String, CodingKey {
            case row, what, against, place, goal
            case measuredBy = "measured_by"
        }

        init(_ entry: GoalEntry, _ command: String?) {
            row = entry.row.rawValue
            what = entry.row.what
            against = entry.row.beat
            place = entry.place
            goal = entry.goal.text
            measuredBy = command
        }
    }
}
