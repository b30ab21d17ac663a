import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

@Suite struct NodeCoverageTests {
    /// The definition of DESIGN, section 5, word for word.
    private struct NaiveCoverage {
        let tree: ReductionTree
        var held: [LeafRange: UInt64] = [:]
        var slots: [LeafRange: Int] = [:]

        func covers(_ node: LeafRange) -> Bool {
            held.keys.contains { $0.contains(node) } || bothChildrenCovered(node)
        }

        private func bothChildrenCovered(_ node: LeafRange) -> Bool {
            guard let (left, right) = ReductionTree.children(of: node) else { return false }
            return (held[left] != nil || bothChildrenCovered(left))
                && (held[right] != nil || bothChildrenCovered(right))
        }

        mutating func judge(_ node: LeafRange, checksum: UInt64) -> NodeCoverage.Judgement {
            guard tree.contains(node) else { return .notANode }
            if let other = held[node], let slot = slots[node] {
                return other == checksum ? .covered : .conflict(slot: slot)
            }
            if covers(node) { return .covered }
            slots[node] = held.count
            held[node] = checksum
            return .kept(slot: held.count - 1)
        }
    }

    @Test func agreesWithTheDefinitionInAnyOrderOfArrival() {
        var generator = SeededRandom(seed: 1)
        for _ in 0..<4_000 {
            let leafCount = Int.random(in: 1...20, using: &generator)
            let tree = ReductionTree(leafCount: leafCount)
            var coverage = NodeCoverage(maximumLeafCount: 20)
            coverage.begin(leafCount: leafCount)
            var naive = NaiveCoverage(tree: tree)
            var nodeOfSlot: [LeafRange] = []
            var pushes = 0
            while !coverage.isComplete, pushes < 2_000 {
                pushes += 1
                let first = Int.random(in: 0..<leafCount, using: &generator)
                let node = LeafRange(
                    firstLeaf: first,
                    leafCount: Int.random(in: 1...(leafCount - first), using: &generator))
                let checksum: UInt64 = Int.random(in: 0..<50, using: &generator) == 0 ? 8 : 7
                let judgement = coverage.judge(node, checksum: checksum, from: 1)
                #expect(judgement == naive.judge(node, checksum: checksum))
                if case .kept = judgement { nodeOfSlot.append(node) }
                #expect(coverage.isComplete == naive.covers(tree.root))
            }
            #expect(coverage.isComplete)
            #expect(coverage.heldCount <= leafCount)
            #expect(
                Self.fold(coverage.foldSchedule) { Self.expression(nodeOfSlot[$0]) }
                    == Self.expression(tree.root))
        }
    }

    @Test func threeWorkersWithUnevenLeaves() {
        // Seven leaves on three workers: 0–2, 3–4 and 5–6.
        var coverage = NodeCoverage(maximumLeafCount: 7)
        coverage.begin(leafCount: 7)
        func judge(_ first: Int, _ count: Int, from sender: Incarnation) -> NodeCoverage.Judgement {
            coverage.judge(
                LeafRange(firstLeaf: first, leafCount: count), checksum: UInt64(first),
                from: sender)
        }
        #expect(judge(6, 1, from: 5) == .kept(slot: 0))
        #expect(judge(3, 1, from: 4) == .kept(slot: 1))
        #expect(judge(0, 2, from: 3) == .kept(slot: 2))
        #expect(judge(0, 1, from: 4) == .covered)
        #expect(judge(5, 2, from: 5) == .notANode)
        #expect(judge(4, 1, from: 4) == .kept(slot: 3))
        #expect(judge(5, 1, from: 5) == .kept(slot: 4))
        #expect(judge(4, 2, from: 4) == .covered)
        #expect(!coverage.isComplete)
        #expect(judge(2, 1, from: 3) == .kept(slot: 5))
        #expect(coverage.isComplete)
        #expect(
            coverage.foldSchedule == [
                .load(slot: 2), .load(slot: 5), .load(slot: 1), .add, .add,
                .load(slot: 3), .load(slot: 4), .add, .load(slot: 0), .add, .add,
            ])
    }

    @Test func theSameNodeWithOtherBitsIsAConflict() {
        var coverage = NodeCoverage(maximumLeafCount: 2)
        let leaf = LeafRange(firstLeaf: 0, leafCount: 1)
        #expect(coverage.judge(leaf, checksum: 1, from: 8) == .kept(slot: 0))
        #expect(coverage.judge(leaf, checksum: 1, from: 8) == .covered)
        #expect(coverage.judge(leaf, checksum: 1, from: 9) == .confirmed)
        #expect(coverage.judge(leaf, checksum: 1, from: 10) == .covered)
        #expect(coverage.judge(leaf, checksum: 2, from: 10) == .conflict(slot: 0))
        #expect(
            coverage.votes(slot: 0) == [
                Conflict.Vote(worker: 8, checksum: 1), Conflict.Vote(worker: 9, checksum: 1),
            ])
    }

    /// Whatever is given up on the way: in the end each leaf counts once, and all by two workers.
    @Test func nodesThatAreGivenUpComeAgain() {
        var generator = SeededRandom(seed: 3)
        for _ in 0..<2_000 {
            let leafCount = Int.random(in: 1...13, using: &generator)
            let tree = ReductionTree(leafCount: leafCount)
            var coverage = NodeCoverage(maximumLeafCount: 13)
            coverage.begin(leafCount: leafCount)
            var nodeOfSlot: [Int: LeafRange] = [:]
            var pushes = 0
            while !coverage.isConfirmed, pushes < 5_000 {
                pushes += 1
                if Int.random(in: 0..<40, using: &generator) == 0 {
                    let gone = Incarnation(Int.random(in: 1...3, using: &generator))
                    coverage.giveUpUnconfirmed { pushes % 2 == 0 || $0.sender == gone }
                }
                let workerCount = Int.random(in: 1...3, using: &generator)
                let ranges = LeafAssignment(leafCount: leafCount, workerCount: workerCount).ranges
                let nodes = tree.maximalNodes(covering: ranges.randomElement(using: &generator)!)
                guard let node = nodes.randomElement(using: &generator) else { continue }
                let judgement = coverage.judge(
                    node, checksum: 7, from: Incarnation(Int.random(in: 1...3, using: &generator)),
                    isAudited: true)
                if case .kept(let slot) = judgement { nodeOfSlot[slot] = node }
                #expect(coverage.heldCount <= leafCount)
                if coverage.isComplete {
                    let all = coverage.coveredLeaves(of: tree.root)
                    #expect((0..<leafCount).allSatisfy { all[$0] })
                }
            }
            #expect(coverage.isConfirmed, "\(leafCount) leaves after \(pushes) pushes")
            #expect(
                Self.fold(coverage.foldSchedule) { Self.expression(nodeOfSlot[$0]!) }
                    == Self.expression(tree.root))
        }
    }

    /// Who could confirm is told that its sum is wanted, and who has brought it that it is held.
    @Test func leavesThatWaitForAnotherWorkerAreAskedOfIt() {
        var coverage = NodeCoverage(maximumLeafCount: 4)
        coverage.begin(leafCount: 4)
        _ = coverage.judge(LeafRange(0, 2), checksum: 1, from: 8)
        _ = coverage.judge(LeafRange(2, 2), checksum: 1, from: 9)
        _ = coverage.judge(LeafRange(2, 2), checksum: 1, from: 8)
        let all = LeafRange(0, 4)
        #expect(coverage.coveredLeaves(of: all) == LeafBits(1, 1, 1, 1))
        #expect(coverage.coveredLeaves(of: all, from: 8) == LeafBits(1, 1, 1, 1))
        #expect(coverage.coveredLeaves(of: all, from: 9) == LeafBits(0, 0, 1, 1))
        #expect(!coverage.isConfirmed)
        #expect(
            coverage.unconfirmedNodes(atMost: 9) == [
                UnconfirmedNode(node: LeafRange(0, 2), sender: 8)
            ])
    }

    /// A node of a newer view takes the place of those that nobody else computes any more.
    @Test func aNodeOfAnotherViewTakesThePlaceOfUnconfirmedOnes() {
        var coverage = NodeCoverage(maximumLeafCount: 4)
        coverage.begin(leafCount: 4)
        _ = coverage.judge(LeafRange(0, 2), checksum: 1, from: 8, isAudited: true)
        _ = coverage.judge(LeafRange(2, 2), checksum: 1, from: 8, isAudited: true)
        #expect(coverage.isComplete)
        #expect(
            coverage.judge(LeafRange(0, 4), checksum: 1, from: 9, isAudited: true)
                != .covered)
        #expect(
            coverage.judge(LeafRange(0, 4), checksum: 1, from: 8, isAudited: true) == .confirmed)
        #expect(coverage.isConfirmed)
        #expect(coverage.judge(LeafRange(0, 2), checksum: 1, from: 9, isAudited: true) == .covered)
    }

    /// The leaves that are covered are those whose node is, in the definition too.
    @Test func coveredLeavesAreThoseOfTheDefinition() {
        var generator = SeededRandom(seed: 2)
        for _ in 0..<500 {
            let leafCount = Int.random(in: 1...20, using: &generator)
            let tree = ReductionTree(leafCount: leafCount)
            var coverage = NodeCoverage(maximumLeafCount: 20)
            coverage.begin(leafCount: leafCount)
            var naive = NaiveCoverage(tree: tree)
            for _ in 0..<6 {
                let first = Int.random(in: 0..<leafCount, using: &generator)
                let end = Int.random(in: first...leafCount, using: &generator)
                for node in tree.maximalNodes(covering: first..<end).prefix(2) {
                    _ = coverage.judge(node, checksum: 7, from: 1)
                    _ = naive.judge(node, checksum: 7)
                }
                let leaves = LeafRange(
                    firstLeaf: Int.random(in: 0..<24, using: &generator),
                    leafCount: Int.random(in: 0...24, using: &generator))
                let bits = coverage.coveredLeaves(of: leaves)
                #expect(bits.bytes.count == LeafBits.byteCount(of: leaves.leafCount))
                for index in 0..<leaves.leafCount {
                    let leaf = LeafRange(firstLeaf: leaves.firstLeaf + index, leafCount: 1)
                    #expect(
                        bits[index] == (leaf.firstLeaf < leafCount && naive.covers(leaf)))
                }
            }
        }
    }

    /// What is missing is what is not covered, in as few ranges as that takes, the first ones
    /// first.
    @Test func missingLeavesAreThoseThatAreNotCovered() {
        var generator = SeededRandom(seed: 4)
        for _ in 0..<500 {
            let leafCount = Int.random(in: 1...20, using: &generator)
            var coverage = NodeCoverage(maximumLeafCount: 20)
            coverage.begin(leafCount: leafCount)
            #expect(coverage.missingLeaves(atMost: 1) == [LeafRange(0, leafCount)])
            let all = LeafRange(0, leafCount)
            while !coverage.isComplete {
                let first = Int.random(in: 0..<leafCount, using: &generator)
                let leaves = first..<Int.random(in: first...leafCount, using: &generator)
                for node in ReductionTree(leafCount: leafCount).maximalNodes(covering: leaves) {
                    _ = coverage.judge(node, checksum: 7, from: 1)
                }
                let bits = coverage.coveredLeaves(of: all)
                let missing = coverage.missingLeaves(atMost: leafCount)
                #expect(
                    missing.flatMap { Array($0.firstLeaf..<$0.endLeaf) }
                        == (0..<leafCount).filter { !bits[$0] })
                #expect(zip(missing, missing.dropFirst()).allSatisfy { $0.endLeaf < $1.firstLeaf })
                for count in 0...missing.count {
                    #expect(coverage.missingLeaves(atMost: count) == Array(missing.prefix(count)))
                }
            }
            #expect(coverage.missingLeaves(atMost: 9).isEmpty)
        }
    }

    @Test func everyStepBeginsEmpty() {
        var coverage = NodeCoverage(maximumLeafCount: 8)
        for leafCount in [8, 3, 8, 1] {
            coverage.begin(leafCount: leafCount)
            let root = LeafRange(firstLeaf: 0, leafCount: leafCount)
            #expect(!coverage.isComplete)
            #expect(coverage.judge(root, checksum: 0, from: 1) == .kept(slot: 0))
            #expect(coverage.foldSchedule == [.load(slot: 0)])
        }
    }

    /// A node as the sum that defines it, with every pair of brackets.
    static func expression(_ node: LeafRange) -> String {
        guard let (left, right) = ReductionTree.children(of: node) else {
            return "\(node.firstLeaf)"
        }
        return "(\(expression(left))+\(expression(right)))"
    }

    static func fold(_ schedule: [FoldInstruction], slot: (Int) -> String) -> String {
        var stack: [String] = []
        for instruction in schedule {
            switch instruction {
            case .load(let index): stack.append(slot(index))
            case .add:
                let right = stack.removeLast()
                let left = stack.removeLast()
                stack.append("(\(left)+\(right))")
            }
        }
        return stack.count == 1 ? stack[0] : "\(stack.count) sums are left"
    }
}
