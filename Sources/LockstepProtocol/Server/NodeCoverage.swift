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
package struct NodeCoverage: Sendable {
    package enum Judgement: Hashable, Sendable {
        case kept(slot: Int)
        case covered
        /// The same node is held, with other bits, from this worker.
        case conflict(with: Incarnation)
        case notANode
    }

    private struct Held {
        var checksum: UInt64
        var sender: Incarnation
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

    package var heldCount: Int { held.count }

    package var maximumLeafCount: Int { (slots.count + 1) / 2 }

    package var isComplete: Bool { covered[number(of: tree.root)] }

    /// Judges a node that has come; keeps it if it is needed. When that covers the root, the fold
    /// schedule is ready.
    package mutating func judge(
        _ node: LeafRange, checksum: UInt64, from sender: Incarnation
    ) -> Judgement {
        guard tree.contains(node) else { return .notANode }
        let slot = slots[number(of: node)]
        if slot != Self.noSlot {
            let holder = held[Int(slot)]
            return holder.checksum == checksum ? .covered : .conflict(with: holder.sender)
        }
        if isCovered(node) { return .covered }
        let newSlot = held.count
        slots[number(of: node)] = Int32(newSlot)
        held.append(Held(checksum: checksum, sender: sender))
        cover(node, below: tree.root)
        if isComplete { appendFold(of: tree.root) }
        return .kept(slot: newSlot)
    }

    /// Which leaves of a range are covered. A node is covered if all its leaves are.
    package func coveredLeaves(of leaves: LeafRange) -> LeafBits {
        LeafBits(count: leaves.leafCount) { index in
            let leaf = leaves.firstLeaf + index
            return leaf < tree.leafCount && isCovered(LeafRange(firstLeaf: leaf, leafCount: 1))
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
        covered[number(of: ancestor)] = covered[number(of: left)] && covered[number(of: right)]
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
