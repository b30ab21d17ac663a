import Foundation

extension Section {
    /// One JSON object a figure.
    func jsonLines() throws -> [String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try figures.map { figure in
            String(decoding: try encoder.encode(Line(self, figure)), as: UTF8.self)
        }
    }

    private struct Line: Encodable {
        let command: String
        let section: String
        let what: String
        let side: String
        let value: Double
        let unit: String
        let microseconds: Double?
        let against: String?
        let againstValue: Double?
        let ratio: Double?
        let goal: String?
        let isGoalReached: Bool?

        enum CodingKeys: String, CodingKey {
            case command, section, what, side, value, unit, microseconds, against, ratio, goal
            case againstValue = "against_value"
            case isGoalReached = "reached"
        }

        init(_ section: Section, _ figure: Figure) {
            command = section.command
            self.section = section.title
            what = figure.what
            side = section.side
            value = figure.value
            unit = figure.unit
            microseconds = figure.seconds.map { $0 * 1e6 }
            against = figure.against?.name
            againstValue = figure.against?.value
            ratio = figure.ratio
            goal = figure.goal?.text
            isGoalReached = figure.isGoalReached
        }
    }
}
