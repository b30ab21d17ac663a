package import TrainingPlan

/// Which share of a run's steps is audited: of these every node is computed by two workers, and the
/// step is committed only when both came to the same bits.
package struct AuditRate: Hashable, Sendable {
    /// 0 to 1,000,000.
    package let millionths: UInt32

    package static let none = AuditRate(millionths: 0)

    package init(millionths: UInt32) {
        precondition(millionths <= Self.all, "a share of one at most")
        self.millionths = millionths
    }

    static let all: UInt32 = 1_000_000

    /// Everyone comes to the same answer without asking.
    package func covers(_ step: Step) -> Bool {
        if millionths == 0 { return false }
        // MurmurHash3's finaliser: steps that are audited follow no rhythm of the epochs.
        var hash = step.rawValue &+ 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        hash ^= hash >> 33
        return ((hash >> 32) * UInt64(Self.all)) >> 32 < UInt64(millionths)
    }
}

/// A node that two workers disagree on, and a third computes.
package struct Arbitration: Hashable, Sendable {
    package var worker: Incarnation
    package var step: Step
    package var node: LeafRange

    package init(worker: Incarnation, step: Step, node: LeafRange) {
        self.worker = worker
        self.step = step
        self.node = node
    }
}

/// Workers came to different sums of a node of the current step.
package struct Conflict: Hashable, Sendable {
    /// What a worker's sum of the shard's slice comes to.
    package struct Vote: Hashable, Sendable {
        package var worker: Incarnation
        package var checksum: UInt64

        package init(worker: Incarnation, checksum: UInt64) {
            self.worker = worker
            self.checksum = checksum
        }
    }

    package var node: LeafRange
    /// That of the sum which was kept is the first.
    package var votes: [Vote]
    /// Between the first vote and the first that differs from it, once they have been compared.
    package var difference: BitDifference?

    package init(node: LeafRange, votes: [Vote], difference: BitDifference? = nil) {
        self.node = node
        self.votes = votes
        self.difference = difference
    }

    /// The workers that computed wrongly: those that contradict themselves, else those that a
    /// majority contradicts. Nil while nobody can tell.
    package var wrongWorkers: [Incarnation]? {
        let sums = Dictionary(grouping: votes, by: \.worker)
        let inconsistent = sums.filter { $0.value.count > 1 }.keys
        if !inconsistent.isEmpty { return inconsistent.sorted() }
        let voters = Dictionary(grouping: votes, by: \.checksum).values
        let most = voters.map(\.count).max() ?? 0
        let majorities = voters.filter { $0.count == most }
        guard most > 1, majorities.count == 1, let right = majorities.first else { return nil }
        return votes.filter { !right.contains($0) }.map(\.worker).sorted()
    }

    /// Those who came to the first sum, and the others.
    package var sides: (first: [Incarnation], others: [Incarnation]) {
        let first = votes.first?.checksum
        return (
            votes.filter { $0.checksum == first }.map(\.worker),
            votes.filter { $0.checksum != first }.map(\.worker)
        )
    }
}

/// The first element in which two sums of a node differ.
package struct BitDifference: Hashable, Sendable {
    /// For a person, e.g. `layers.0.kernel[3, 17]`.
    package var element: String
    /// As a float's bits.
    package var first: UInt32
    package var other: UInt32

    package init(element: String, first: UInt32, other: UInt32) {
        self.element = element
        self.first = first
        self.other = other
    }
}
