/// The speeds to reach, each written here and nowhere else.
package enum Goals {
    /// Every goal, row by row, in the order of the summary.
    package static let table: [GoalEntry] =
        atBatches(.oneThreadJAX, [32: 2.5, 128: 2.5, 512: 2.5, 2048: 2.5])
        + atBatches(.oneThreadPyTorch, [32: 5, 128: 4, 512: 4, 2048: 4])
        + atBatches(.invertedJAX, [32: 1.2, 128: 1.2, 512: 1.2, 2048: 1.2])
        + atBatches(.invertedPyTorch, [32: 1.7, 128: 1.7, 512: 1.7, 2048: 1.7])
        + atBatches(.widePyTorch, [128: 1.2, 512: 1.2])
        + atBatches(.twoWorkersDDP, [32: 10, 128: 10, 512: 6, 2048: 6])
        + atBatches(.twoWorkersOneThread, [128: 1.2, 512: 1.6, 2048: 1.8])
        + [
            GoalEntry(row: .hostsDDP, place: place(hosts: 4), goal: .atLeast(2.5)),
            GoalEntry(row: .hostsDDP, place: place(hosts: 8), goal: .atLeast(4)),
            GoalEntry(row: .hostsLink, place: place(hosts: 4), goal: .atMost(1.1)),
            GoalEntry(row: .hostsLink, place: place(hosts: 8), goal: .atMost(1.1)),
            GoalEntry(row: .exchange, place: place(workers: 2), goal: .atMost(1.15)),
            GoalEntry(row: .exchange, place: place(workers: 8), goal: .atMost(1.15)),
        ]
        + ProductKind.allCases.map {
            GoalEntry(row: .productsOpenBLAS, place: $0.rawValue, goal: .atLeast(1))
        }
        + ProductKind.allCases.map {
            GoalEntry(row: .productsPeak, place: $0.rawValue, goal: .atLeast(0.85))
        }
        + atBatches(.twoThreads, [512: 1.8])
        + ["mse-tanh", "ce-softmax"].map {
            GoalEntry(row: .keras, place: $0, goal: .atLeast(8))
        }
        + [4, 8].map {
            GoalEntry(row: .encryption, place: place(hosts: $0), goal: .atMost(1.3))
        }
        + [32, 128, 512, 2048].map {
            GoalEntry(row: .tree, place: place(batch: $0), goal: .atMost(1.15))
        }

    /// The goal of a row at a place; nil where there is none.
    package static func find(_ row: GoalRow, _ place: String) -> GoalEntry? {
        table.first { $0.row == row && $0.place == place }
    }

    static func place(batch: Int) -> String { "batch \(batch)" }
    static func place(hosts: Int) -> String { "\(hosts) hosts" }
    static func place(workers: Int) -> String { "\(workers) workers" }

    private static func atBatches(_ row: GoalRow, _ bounds: [Int: Double]) -> [GoalEntry] {
        bounds.sorted { $0.key < $1.key }.map { batch, bound in
            GoalEntry(row: row, place: place(batch: batch), goal: .atLeast(bound))
        }
    }
}
