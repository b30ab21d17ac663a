package import TrainingPlan

/// Which workers compute which leaves of a run's steps, from one change to the next. It moves no bit.
package struct View: Sendable {
    package let number: ViewNumber
    package let since: Instant
    /// In the order of their leaves.
    package let workers: [Incarnation]
    private let places: [Incarnation: Int]
    private let leaves: [Range<Int>]
    private let lastLeaves: [Range<Int>]

    /// - Parameter leafCounts: of a full step, and of an epoch's last one.
    package init(
        _ number: ViewNumber, workers: [Incarnation], leafCounts: (full: Int, last: Int),
        now: Instant
    ) {
        self.number = number
        since = now
        self.workers = workers
        places = Dictionary(zip(workers, workers.indices), uniquingKeysWith: { first, _ in first })
        if workers.isEmpty {
            leaves = []
            lastLeaves = []
        } else {
            leaves =
                LeafAssignment(leafCount: leafCounts.full, workerCount: workers.count).ranges
            lastLeaves =
                LeafAssignment(leafCount: leafCounts.last, workerCount: workers.count).ranges
        }
    }

    package func includes(_ worker: Incarnation) -> Bool { places[worker] != nil }

    /// None for a worker that is not in the view.
    package func leaves(of worker: Incarnation) -> (full: Range<Int>, last: Range<Int>) {
        places[worker].map { (leaves[$0], lastLeaves[$0]) } ?? (0..<0, 0..<0)
    }

    /// Who computes any of these leaves.
    ///
    /// - Parameter isLast: whether they are of an epoch's last step.
    package func owners(of wanted: [LeafRange], isLast: Bool) -> [Incarnation] {
        zip(workers, isLast ? lastLeaves : leaves).filter { _, own in
            wanted.contains { own.overlaps($0.firstLeaf..<$0.endLeaf) }
        }.map(\.0)
    }
}
