package import TrainingPlan

/// Which workers compute which leaves of a run's steps, from one change to the next. It moves no
/// bit.
package struct View: Sendable {
    package let number: ViewNumber
    package let since: Instant
    /// In the order of their leaves.
    package let workers: [Incarnation]
    private let places: [Incarnation: Int]
    private let leaves: [Range<Int>]
    private let lastLeaves: [Range<Int>]
    /// A node on which workers disagree, and who tells who is right.
    package let arbitration: Arbitration?

    /// - Parameters:
    ///   - leafCounts: of a full step, and of an epoch's last one.
    ///   - nodeCost: see ``LeafAssignment``.
    package init(
        _ number: ViewNumber, workers: [Incarnation], leafCounts: (full: Int, last: Int),
        nodeCost: Int = 0, arbitration: Arbitration? = nil, now: Instant
    ) {
        self.arbitration = arbitration
        self.number = number
        since = now
        self.workers = workers
        places = Dictionary(zip(workers, workers.indices), uniquingKeysWith: { first, _ in first })
        if workers.isEmpty {
            leaves = []
            lastLeaves = []
        } else {
            func deal(_ leafCount: Int) -> [Range<Int>] {
                LeafAssignment(
                    leafCount: leafCount, workerCount: workers.count, nodeCost: nodeCost
                ).ranges
            }
            leaves = deal(leafCounts.full)
            lastLeaves = deal(leafCounts.last)
        }
    }

    package func includes(_ worker: Incarnation) -> Bool { places[worker] != nil }

    /// None for a worker that is not in the view.
    package func leaves(of worker: Incarnation) -> (full: Range<Int>, last: Range<Int>) {
        places[worker].map { (leaves[$0], lastLeaves[$0]) } ?? (0..<0, 0..<0)
    }

    /// Whether the only worker has nobody to audit it. Where there is none, steps wait for two.
    package var isOneWorker: Bool { workers.count == 1 }

    /// The leaves that a worker audits: those of the next one.
    package func auditedLeaves(of worker: Incarnation) -> (full: Range<Int>, last: Range<Int>) {
        guard !isOneWorker, let place = places[worker] else { return (0..<0, 0..<0) }
        let next = (place + 1) % workers.count
        return (leaves[next], lastLeaves[next])
    }

    /// Who computes any of these leaves.
    ///
    /// - Parameter isLast: whether they are of an epoch's last step.
    package func owners(of wanted: [LeafRange], isLast: Bool) -> [Incarnation] {
        ownerPlaces(of: wanted, isLast: isLast).map { workers[$0] }
    }

    /// Who has to compute a node, too: those whose it is, and those who audit them, but for who has
    /// brought it.
    ///
    /// - Parameter isLast: whether it is of an epoch's last step.
    package func confirmers(of wanted: UnconfirmedNode, isLast: Bool) -> [Incarnation] {
        ownerPlaces(of: [wanted.node], isLast: isLast).flatMap { place in
            [workers[place], workers[(place + workers.count - 1) % workers.count]]
        }.filter { $0 != wanted.sender }
    }

    private func ownerPlaces(of wanted: [LeafRange], isLast: Bool) -> [Int] {
        let leaves = isLast ? lastLeaves : leaves
        return leaves.indices.filter { place in
            wanted.contains { leaves[place].overlaps($0.firstLeaf..<$0.endLeaf) }
        }
    }
}
