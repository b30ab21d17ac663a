package import TerminalText

/// How often each class was taken for each other.
package struct ConfusionMatrix: Equatable, Sendable {
    package let classCount: Int
    /// `[true class, decided class]`, row-major.
    package private(set) var counts: [Int]

    package init(classCount: Int = 10) {
        precondition(classCount > 0, "a confusion matrix needs a class")
        self.classCount = classCount
        counts = [Int](repeating: 0, count: classCount * classCount)
    }

    /// - Parameters: both classes count from 0.
    package mutating func add(actual: Int, decided: Int, count: Int = 1) {
        counts[actual * classCount + decided] += count
    }

    package subscript(actual: Int, decided: Int) -> Int {
        counts[actual * classCount + decided]
    }

    package var total: Int { counts.reduce(0, +) }

    package var correct: Int { (0..<classCount).reduce(0) { $0 + self[$1, $1] } }

    /// Share of the examples of `label` that were found; nil without examples.
    package func recall(of label: Int) -> Double? {
        share(self[label, label], of: (0..<classCount).reduce(0) { $0 + self[label, $1] })
    }

    /// Share of the decisions for `label` that were right; nil without decisions.
    package func precision(of label: Int) -> Double? {
        share(self[label, label], of: (0..<classCount).reduce(0) { $0 + self[$1, label] })
    }

    private func share(_ part: Int, of whole: Int) -> Double? {
        whole == 0 ? nil : Double(part) / Double(whole)
    }

    /// Rows are true classes with their recall, columns decided ones with their precision.
    package func text(_ style: TextStyle = TextStyle()) -> String {
        func percent(_ value: Double?) -> String { Figures.fixed((value ?? .nan) * 100, 1) }
        let labels = Array(0..<classCount)
        var table = TextTable()
        table.add([""] + labels.map(String.init) + ["recall"])
        table.addRule()
        for actual in labels {
            table.add(
                [String(actual)]
                    + labels.map { self[actual, $0] == 0 ? "·" : String(self[actual, $0]) }
                    + [percent(recall(of: actual))])
        }
        table.addRule()
        table.add(
            ["precision"] + labels.map { percent(precision(of: $0)) }
                + [percent(share(correct, of: total))])
        let title = style.bold(
            "\(Figures.count(correct)) of \(Figures.count(total)) classified correctly")
        let key = "rows: true class, columns: decision; recall and precision in %"
        return [title, key, "", table.text(style)].joined(separator: "\n")
    }
}
