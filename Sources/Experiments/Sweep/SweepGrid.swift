import LockstepRuntime
package import TrainingPlan

/// What a sweep varies: each setting that is named takes each of its values, in every combination.
package struct SweepGrid: Equatable, Sendable {
    package typealias Key = RunConfiguration.Key

    /// A setting and its values, the way its flag takes them.
    package struct Axis: Equatable, Sendable {
        package let key: Key
        package fileprivate(set) var values: [String]
        /// Where it was given, for messages.
        let place: String
    }

    /// One combination: a value for each setting that is named.
    package struct Point: Equatable, Sendable {
        package let settings: [(key: Key, text: String)]

        package static func == (a: Point, b: Point) -> Bool {
            a.settings.elementsEqual(b.settings) { $0.key == $1.key && $0.text == $1.text }
        }

        /// As a person would write it: `loss=mse batch_size=32`.
        package var label: String {
            settings.map { "\($0.key.rawValue)=\(SweepGrid.shown($0.text, $0.key))" }
                .joined(separator: " ")
        }
    }

    /// In the order in which they were given; the last one varies fastest.
    package private(set) var axes: [Axis] = []
    /// Combinations that were spelled out; each is combined with all values of the axes.
    package private(set) var runs: [[(key: Key, text: String)]] = []
    private let maximumRuns: Int

    package static func == (a: SweepGrid, b: SweepGrid) -> Bool {
        a.axes == b.axes && a.maximumRuns == b.maximumRuns
            && a.runs.map(Point.init) == b.runs.map(Point.init)
    }

    /// - Parameter maximumRuns: larger grids are refused.
    package init(maximumRuns: Int) { self.maximumRuns = maximumRuns }

    // MARK: What is varied

    /// Adds `name=values` of the command line: values with commas between them, `1-5` for whole
    /// numbers from 1 to 5, and an `x` between the widths of a network.
    package mutating func add(argument: String) throws(SweepGridError) {
        guard let equals = argument.firstIndex(of: "=") else {
            throw SweepGridError(
                argument, "this varies nothing", "write name=values, for example batch_size=32,128")
        }
        let texts = argument[argument.index(after: equals)...]
            .split(separator: ",", omittingEmptySubsequences: false)
            .map { String($0) }
        try add(String(argument[..<equals]), values: texts, place: argument)
    }

    /// Adds a setting with its values; a value may be a range.
    ///
    /// - Parameter place: where it was given, for messages.
    package mutating func add(
        _ name: String, values texts: [String], place: String
    ) throws(SweepGridError) {
        let key = try Self.key(name, place)
        if axes.contains(where: { $0.key == key }) || isSpelledOut(key) {
            throw SweepGridError(place, "“\(key.rawValue)” is varied twice", "name it once")
        }
        var values: [String] = []
        for text in texts {
            values += try Self.values(text, key, place, maximumCount: maximumRuns)
        }
        if values.isEmpty || values == [""] {
            throw SweepGridError(place, "there is no value", "give one or more, or leave it out")
        }
        axes.append(Axis(key: key, values: values, place: place))
    }

    /// Adds one combination.
    package mutating func addRun(
        _ settings: [(name: String, text: String)], place: String
    ) throws(SweepGridError) {
        var run: [(key: Key, text: String)] = []
        for (name, text) in settings {
            let key = try Self.key(name, place)
            if run.contains(where: { $0.key == key }) || axes.contains(where: { $0.key == key }) {
                throw SweepGridError(
                    place, "“\(key.rawValue)” is given here and once more", "name it once")
            }
            run.append((key, try Self.value(text, key, place)))
        }
        runs.append(run)
    }

    /// Takes the axes and runs of a file, but for the settings that are varied here already.
    package mutating func merge(_ file: SweepGrid) {
        let own = axes.map(\.key)
        axes = file.axes.filter { !own.contains($0.key) } + axes
        runs = file.runs.map { run in run.filter { !own.contains($0.key) } } + runs
    }

    private func isSpelledOut(_ key: Key) -> Bool {
        runs.contains { $0.contains { $0.key == key } }
    }

    // MARK: Points

    /// All combinations, in order.
    ///
    /// - Throws: for none, and for more than the maximum.
    package func points() throws(SweepGridError) -> [Point] {
        guard !axes.isEmpty || !runs.isEmpty else {
            throw SweepGridError(
                "the grid", "it is empty",
                "name what is varied, for example loss=mse,cross-entropy seed=1-5")
        }
        var count = max(1, runs.count)
        for axis in axes {
            let (product, isTooLarge) = count.multipliedReportingOverflow(by: axis.values.count)
            count = isTooLarge ? Int.max : product
        }
        guard count <= maximumRuns else {
            let number = count == .max ? "more than can be counted" : "\(count)"
            throw SweepGridError(
                "the grid", "it has \(number) runs, and --max-runs is \(maximumRuns)",
                "vary less, or allow more with --max-runs")
        }
        var points = runs.isEmpty ? [[]] : runs
        for axis in axes {
            points = points.flatMap { point in
                axis.values.map { point + [(axis.key, $0)] }
            }
        }
        return points.map(Point.init)
    }

    /// The settings that a point names, in order, each once.
    package var keys: [Key] {
        var keys: [Key] = []
        for key in runs.flatMap({ $0.map(\.key) }) + axes.map(\.key) where !keys.contains(key) {
            keys.append(key)
        }
        return keys
    }

    /// Widths with an `x` between them, where commas have another meaning.
    package static func shown(_ text: String, _ key: Key) -> String {
        key == .layers ? text.replacing(",", with: "x") : text
    }
}

/// A grid that is none: what was given, why not, and what to do.
package struct SweepGridError: Error, Equatable, CustomStringConvertible {
    package let place: String
    package let reason: String
    package let remedy: String

    package init(_ place: String, _ reason: String, _ remedy: String) {
        self.place = place
        self.reason = reason
        self.remedy = remedy
    }

    package var description: String { "\(place): \(reason); \(remedy)" }
}
