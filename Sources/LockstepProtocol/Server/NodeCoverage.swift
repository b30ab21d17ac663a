package import TrainingPlan

/// One instruction of a fold in tree order, for a machine with a stack of sums.
package enum FoldInstruction: Hashable, Sendable {
    /// Pushes the sum that lies in a slot.
    case load(slot: Int)
    /// Replaces the two topmost sums by their sum, the lower one being the left operand.
    case add
}

/// Which nodes of one step's reduction tree are held, and what follows for the next one that comes.
///
/// A node is *covered* if it or an ancestor is held, or both its children are covered. What is
/// covered is not needed; what is not is kept in the next slot. Each kept node covers at least one
/// leaf that was not covered before, so there are never more slots than leaves.
///
/// A node is *confirmed* when another worker has come to the same sum of it.
package struct NodeCoverage: Sendable {
    package enum Judgement: Hashable, Sendable {
        case kept(slot: Int)
        case covered
        /// Held already, and by this confirmed.
        case confirmed
        /// The same node is held in this slot, with other bits.
        case conflict(slot: Int)
        case notANode
    }

    private struct Held {
        var node: LeafRange
        var checksum: UInt64
        var sender: Incarnation
        /// The first other worker that came to the same.
        var confirmer: Incarnation?
        /// It was given up, and the slot is free.
        var isGivenUp = false

        var unconfirmed: UnconfirmedNode { UnconfirmedNode(node: node, sender: sender) }
    }

    private static let noSlot: Int32 = -1

    private var tree: ReductionTree
    /// By node, numbered as in ``number(of:)``.
    private var slots: [Int32]
    private var covered: [Bool]
    /// By slot.
    private var held: [Held]
    /// How to fold what is held, once the root is covered.
    package private(set) var foldSchedule: [FoldInstruction]

    /// Allocates for trees of up to `maximumLeafCount` leaves; nothing is allocated later.
    package init(maximumLeafCount: Int) {
        tree = ReductionTree(leafCount: maximumLeafCount)
        let nodeCount = 2 * maximumLeafCount - 1
        slots = Array(repeating: Self.noSlot, count: nodeCount)
        covered = Array(repeating: false, count: nodeCount)
        held = []
        held.reserveCapacity(maximumLeafCount)
        foldSchedule = []
        foldSchedule.reserveCapacity(nodeCount)
    }

    /// Forgets all that is held and starts on a tree of `leafCount` leaves.
    package mutating func begin(leafCount: Int) {
        precondition(2 * leafCount - 1 <= slots.count, "more leaves than room was made for")
        tree = ReductionTree(leafCount: leafCount)
        for number in 0..<(2 * leafCount - 1) {
            slots[number] = Self.noSlot
            covered[number] = false
        }
        held.removeAll(keepingCapacity: true)
        foldSchedule.removeAll(keepingCapacity: true)
    }

    package var heldCount: Int { held.count { !$0.isGivenUp } }

    package var maximumLeafCount: Int { (slots.count + 1) / 2 }

    package var isComplete: Bool { covered[number(of: tree.root)] }

    /// Whether all that is to be folded is confirmed.
    package var isConfirmed: Bool {
        isComplete
            && foldSchedule.allSatisfy {
                if case .load(let slot) = $0 { held[slot].confirmer != nil } else { true }
            }
    }

    /// Who came to the sum in a slot, the first one first.
    package func votes(slot: Int) -> [Conflict.Vote] {
        let held = held[slot]
        return [held.sender, held.confirmer].compactMap { worker in
            worker.map { Conflict.Vote(worker: $0, checksum: held.checksum) }
        }
    }

    /// Judges a node that has come; keeps it if it is needed. When that covers the root, the fold
    /// schedule is ready.
    ///
    /// - Parameter isAudited: whether nodes have to be confirmed. Then one that comes takes the
    ///   place of those that cover it and are not confirmed: they are of another view, in which
    ///   nobody else may compute them.
    package mutating func judge(
        _ node: LeafRange, checksum: UInt64, from sender: Incarnation, isAudited: Bool = false
    ) -> Judgement {
        guard tree.contains(node) else { return .notANode }
        let slot = slots[number(of: node)]
        if slot != Self.noSlot {
            let holder = held[Int(slot)]
            if holder.checksum != checksum { return .conflict(slot: Int(slot)) }
            if holder.sender == sender || holder.confirmer != nil { return .covered }
            held[Int(slot)].confirmer = sender
            return .confirmed
        }
        if isCovered(node), isAudited {
            giveUpUnconfirmed { $0.node.contains(node) || node.contains($0.node) }
        }
        if isCovered(node) { return .covered }
        let new = Held(node: node, checksum: checksum, sender: sender)
        let newSlot: Int
        if let free = held.firstIndex(where: \.isGivenUp) {
            newSlot = free
            held[free] = new
        } else {
            newSlot = held.count
            precondition(newSlot < maximumLeafCount, "more nodes than leaves")
            held.append(new)
        }
        slots[number(of: node)] = Int32(newSlot)
        cover(node, below: tree.root)
        if isComplete { appendFold(of: tree.root) }
        return .kept(slot: newSlot)
    }

    /// Gives up nodes that nobody has confirmed: they have to come again.
    ///
    /// - Parameter isChosen: which of them; all by default.
    package mutating func giveUpUnconfirmed(
        where isChosen: (UnconfirmedNode) -> Bool = { _ in true }
    ) {
        for number in slots.indices {
            slots[number] = Self.noSlot
            covered[number] = false
        }
        foldSchedule.removeAll(keepingCapacity: true)
        for slot in held.indices where !held[slot].isGivenUp {
            if held[slot].confirmer == nil, isChosen(held[slot].unconfirmed) {
                held[slot].isGivenUp = true
            } else {
                slots[number(of: held[slot].node)] = Int32(slot)
                cover(held[slot].node, below: tree.root)
            }
        }
        if isComplete { appendFold(of: tree.root) }
    }

    /// The first nodes that are held and not confirmed.
    package func unconfirmedNodes(atMost maximumCount: Int) -> [UnconfirmedNode] {
        Array(
            held.lazy.filter { !$0.isGivenUp && $0.confirmer == nil }
                .map(\.unconfirmed).prefix(maximumCount))
    }

    /// Which leaves of a range are covered. A node is covered if all its leaves are.
    ///
    /// - Parameter auditor: a worker whose sum may confirm others'; leaves that it may confirm
    ///   count as not covered.
    package func coveredLeaves(
        of leaves: LeafRange, from auditor: Incarnation? = nil
    ) -> LeafBits {
        LeafBits(count: leaves.leafCount) { index in
            let leaf = leaves.firstLeaf + index
            guard leaf < tree.leafCount else { return false }
            let node = LeafRange(firstLeaf: leaf, leafCount: 1)
            return isCovered(node) && !(auditor.map { isUnconfirmed(node, but: $0) } ?? false)
        }
    }

    /// Whether a covered leaf counts by a node that is not confirmed, and was sent by somebody else
    /// than `sender`.
    private func isUnconfirmed(_ leaf: LeafRange, but sender: Incarnation) -> Bool {
        var candidate = tree.root
        while true {
            let slot = slots[number(of: candidate)]
            if slot != Self.noSlot {
                let held = held[Int(slot)]
                return held.confirmer == nil && held.sender != sender
            }
            guard let (left, right) = ReductionTree.children(of: candidate) else { return false }
            candidate = leaf.firstLeaf < right.firstLeaf ? left : right
        }
    }

    /// The first leaves that are not covered, as ranges, ascending.
    package func missingLeaves(atMost maximumCount: Int) -> [LeafRange] {
        var missing: [LeafRange] = []
        for leaf in 0..<tree.leafCount
        where !isCovered(LeafRange(firstLeaf: leaf, leafCount: 1)) {
            if let last = missing.last, last.endLeaf == leaf {
                missing[missing.count - 1].leafCount += 1
            } else if missing.count == maximumCount {
                break
            } else {
                missing.append(LeafRange(firstLeaf: leaf, leafCount: 1))
            }
        }
        return missing
    }

    private func isCovered(_ node: LeafRange) -> Bool {
        var candidate = tree.root
        while !covered[number(of: candidate)] {
            guard candidate != node, let (left, right) = ReductionTree.children(of: candidate)
            else { return false }
            candidate = node.firstLeaf < right.firstLeaf ? left : right
        }
        return true
    }

    private mutating func cover(_ node: LeafRange, below ancestor: LeafRange) {
        guard ancestor != node, let (left, right) = ReductionTree.children(of: ancestor) else {
            covered[number(of: node)] = true
            return
        }
        cover(node, below: node.firstLeaf < right.firstLeaf ? left : right)
        if covered[number(of: left)] && covered[number(of: right)] {
            covered[number(of: ancestor)] = true
        }
    }

    private mutating func appendFold(of node: LeafRange) {
        let slot = slots[number(of: node)]
        if slot == Self.noSlot, let (left, right) = ReductionTree.children(of: node) {
            appendFold(of: left)
            appendFold(of: right)
            foldSchedule.append(.add)
        } else {
            foldSchedule.append(.load(slot: Int(slot)))
        }
    }

    /// Leaves have their own numbers; an inner node follows them, by the first leaf of its right
    /// child, which no other inner node shares.
    private func number(of node: LeafRange) -> Int {
        guard let (_, right) = ReductionTree.children(of: node) else { return node.firstLeaf }
        return tree.leafCount - 1 + right.firstLeaf
    }
}
