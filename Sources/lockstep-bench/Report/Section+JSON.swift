import Foundation

extension Section {
    /// One JSON object a figure.
    package func jsonLines() throws -> [String] {
        try figures.map { try Self.json(Line(self, $0)) }
    }

    /// An object on one line, with its keys in a fixed order.
    static func json(_ line: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(line), as: UTF8.self)
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
        let ratioLowest: Double?
        let ratioHighest: Double?
        let rounds: Int?
        let row: String?
        let place: String?
        let goal: String?
        let isGoalReached: Bool?
        let floorRatio: Double?
        let floor: String?

        enum CodingKeys: String, CodingKey {
            case command, section, what, side, value, unit, microseconds, against, ratio, rounds
            case row, place, goal, floor
            case againstValue = "against_value"
            case ratioLowest = "ratio_lowest"
            case ratioHighest = "ratio_highest"
            case isGoalReached = "reached"
            case floorRatio = "floor_ratio"
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
            ratioLowest = figure.spread?.lowerBound
            ratioHighest = figure.spread?.upperBound
            rounds = figure.roundCount
            row = figure.entry?.row.rawValue
            place = figure.entry?.place
            goal = figure.entry?.goal.text
            isGoalReached = figure.isGoalReached
            floorRatio = figure.floor?.ratio
            floor = figure.floor?.text
        }
    }
}
