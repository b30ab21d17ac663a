/// The best ratio that this machine is known to leave: what the parts of the work take by
/// themselves, measured without the program.
package struct Floor: Sendable {
    package let ratio: Double
    /// What the floor is made of, with its figures.
    package let text: String

    package init(ratio: Double, text: String) {
        (self.ratio, self.text) = (ratio, text)
    }
}

/// One thing measured, beside another of the same unit where there is one.
package struct Figure: Sendable {
    package var what: String
    /// Of one call or step, where `value` is not a time itself.
    var seconds: Double?
    var value: Double
    var unit: String
    /// What it is measured against: a name and its value.
    var against: (name: String, value: Double)?
    /// Lowest and highest ratio of the rounds, each round's two sides one after the other.
    package var spread: ClosedRange<Double>?
    /// How many rounds the spread is over.
    var roundCount: Int?
    /// The goal that this figure is measured for.
    package var entry: GoalEntry?
    package var floor: Floor?

    init(_ what: String, seconds: Double? = nil, _ value: Double, _ unit: String) {
        self.what = what
        self.seconds = seconds
        self.value = value
        self.unit = unit
    }

    /// The best rounds of both sides, with the spread of their ratios.
    package init(
        _ what: String, _ own: Rounds, _ unit: String, against: (name: String, rounds: Rounds)?,
        entry: GoalEntry? = nil
    ) {
        self.init(what, own.best ?? .nan, unit)
        self.entry = entry
        guard let against, let best = against.rounds.best else { return }
        self.against = (against.name, best)
        spread = Rounds.spread(own, against.rounds)
        roundCount = min(own.values.count, against.rounds.values.count)
    }

    /// The value over what it is measured against, whichever of them should be larger.
    package var ratio: Double? { against.map { value / $0.value } }

    /// Whether the goal is reached; nil where nothing can tell.
    package var isGoalReached: Bool? {
        guard let ratio, let entry else { return nil }
        return entry.goal.isReached(by: ratio)
    }

    /// Whether the goal asks for more than the floor leaves. Whoever comes below a floor has shown
    /// that it is none.
    package var isGoalBeyondFloor: Bool {
        guard let floor, let ratio, let goal = entry?.goal, !goal.isReached(by: ratio),
            goal.attainment(of: ratio) <= goal.attainment(of: floor.ratio)
        else { return false }
        return !goal.isReached(by: floor.ratio)
    }
}

/// Figures that stand in one table.
package struct Section: Sendable {
    var title: String
    /// The subcommand that measured them.
    var command: String
    /// What the rows differ in: the first column's head.
    var subject: String
    /// Who is measured: the head of the values.
    var side = "Lockstep"
    package var figures: [Figure] = []
    /// How it was measured and what was left out.
    package var notes: [String] = []

    package init(title: String, command: String, subject: String) {
        (self.title, self.command, self.subject) = (title, command, subject)
    }
}
