import Foundation

/// What a ratio should be.
enum Goal: Sendable {
    case atLeast(Double)
    case atMost(Double)

    func isReached(by ratio: Double) -> Bool {
        switch self {
        case .atLeast(let bound): ratio >= bound
        case .atMost(let bound): ratio <= bound
        }
    }

    var text: String {
        switch self {
        case .atLeast(let bound): "≥ \(Self.shortest(bound))×"
        case .atMost(let bound): "≤ \(Self.shortest(bound))×"
        }
    }

    private static func shortest(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }
}

/// One thing measured, beside another of the same unit where there is one.
struct Figure: Sendable {
    var what: String
    /// Of one call or step, where `value` is not a time itself.
    var seconds: Double?
    var value: Double
    var unit: String
    /// What it is measured against: a name and its value.
    var against: (name: String, value: Double)?
    var goal: Goal?

    init(
        _ what: String, seconds: Double? = nil, _ value: Double, _ unit: String,
        against: (name: String, value: Double)? = nil, goal: Goal? = nil
    ) {
        self.what = what
        self.seconds = seconds
        self.value = value
        self.unit = unit
        self.against = against
        self.goal = goal
    }

    /// The value over what it is measured against, whichever of them should be larger.
    var ratio: Double? { against.map { value / $0.value } }

    /// Whether the goal is reached; nil where nothing can tell.
    var isGoalReached: Bool? {
        guard let ratio, let goal else { return nil }
        return goal.isReached(by: ratio)
    }
}

/// Figures that stand in one table.
struct Section: Sendable {
    var title: String
    /// The subcommand that measured them.
    var command: String
    /// What the rows differ in: the first column's head.
    var subject: String
    /// Who is measured: the head of the values.
    var side = "Lockstep"
    var figures: [Figure] = []
    /// How it was measured and what was left out.
    var notes: [String] = []
}
