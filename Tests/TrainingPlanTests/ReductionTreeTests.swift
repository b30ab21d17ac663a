import TestSupport
import Testing
import TrainingPlan

/// The tree against its definition, for every tree of up to 40 leaves.
struct ReductionTreeTests {
    private static func naiveNodes(_ node: LeafRange) -> [LeafRange] {
        guard node.leafCount > 1 else { return [node] }
        var left = 1
        while left * 2 < node.leafCount { left *= 2 }
        return [node]
            + naiveNodes(LeafRange(firstLeaf: node.firstLeaf, leafCount: left))
            + naiveNodes(
                LeafRange(firstLeaf: node.firstLeaf + left, leafCount: node.leafCount - left))
    }

    @Test(arguments: 1...40)
    func nodes(leafCount: Int) {
        let tree = ReductionTree(leafCount: leafCount)
        #expect(tree.root == LeafRange(firstLeaf: 0, leafCount: leafCount))
        let nodes = Set(Self.naiveNodes(tree.root))
        #expect(nodes.count == 2 * leafCount - 1)
        for first in 0...leafCount {
            for count in 0...leafCount + 1 {
                let candidate = LeafRange(firstLeaf: first, leafCount: count)
                #expect(tree.contains(candidate) == nodes.contains(candidate), "\(candidate)")
            }
        }
        for node in nodes {
            guard let (left, right) = ReductionTree.children(of: node) else {
                #expect(node.leafCount == 1)
                continue
            }
            #expect(nodes.contains(left) && nodes.contains(right))
            #expect(left.firstLeaf == node.firstLeaf && left.endLeaf == right.firstLeaf)
            #expect(right.endLeaf == node.endLeaf)
        }
    }

    /// The maximal nodes of leaves are those nodes within them whose parent is not within them.
    @Test(arguments: 1...40)
    func maximalNodes(leafCount: Int) {
        let tree = ReductionTree(leafCount: leafCount)
        let nodes = Self.naiveNodes(tree.root)
        for lower in 0...leafCount {
            for upper in lower...leafCount {
                let inside = nodes.filter { lower <= $0.firstLeaf && $0.endLeaf <= upper }
                let maximal = inside.filter { node in
                    !inside.contains { $0 != node && $0.contains(node) }
                }
                #expect(
                    tree.maximalNodes(covering: lower..<upper)
                        == maximal.sorted { $0.firstLeaf < $1.firstLeaf })
            }
        }
    }

    @Test(arguments: 1...70)
    func maximalNodesAreCounted(leafCount: Int) {
        let tree = ReductionTree(leafCount: leafCount)
        for lower in 0...leafCount {
            for upper in lower...leafCount {
                let leaves = lower..<upper
                #expect(
                    tree.maximalNodeCount(covering: leaves)
                        == tree.maximalNodes(covering: leaves).count)
            }
        }
    }

    @Test(arguments: 1...20)
    func maximalNodesOfLargeTreesAreCounted(seed: Int) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let leafCount = Int.random(in: 1...(1 << 20), using: &random)
            let tree = ReductionTree(leafCount: leafCount)
            let start = Int.random(in: 0..<leafCount, using: &random)
            // Ranges within the tree, up to its end, and beyond it.
            for leaves in [
                start..<Int.random(in: start...leafCount, using: &random), start..<leafCount,
                0..<start, start..<(leafCount + 5),
            ] {
                #expect(
                    tree.maximalNodeCount(covering: leaves)
                        == tree.maximalNodes(covering: leaves).count,
                    "\(leaves) of \(leafCount)")
            }
        }
    }

    @Test func aNodeIsDescribedByItsLeaves() {
        #expect("\(LeafRange(firstLeaf: 3, leafCount: 1))" == "leaf 3")
        #expect("\(LeafRange(firstLeaf: 3, leafCount: 4))" == "leaves 3–6")
    }
}
