/// A node of the reduction tree: the leaves `firstLeaf ..< firstLeaf + leafCount` of one step.
package struct LeafRange: Hashable, Sendable, CustomStringConvertible {
    package var firstLeaf: Int
    package var leafCount: Int

    package init(firstLeaf: Int, leafCount: Int) {
        self.firstLeaf = firstLeaf
        self.leafCount = leafCount
    }

    package static let none = LeafRange(firstLeaf: 0, leafCount: 0)

    package var endLeaf: Int { firstLeaf + leafCount }

    package func contains(_ other: LeafRange) -> Bool {
        firstLeaf <= other.firstLeaf && other.endLeaf <= endLeaf
    }

    package var description: String {
        leafCount == 1 ? "leaf \(firstLeaf)" : "leaves \(firstLeaf)–\(endLeaf - 1)"
    }
}

/// The fixed binary tree over the leaves (micro-batches) of a global batch.
///
/// A node of n leaves is the sum of its left child, which takes the largest power of two below n,
/// and its right child, which takes the rest. The shape depends on the leaf count alone.
package struct ReductionTree: Hashable, Sendable {
    package let leafCount: Int

    package init(leafCount: Int) {
        precondition(leafCount > 0, "a reduction tree has at least one leaf")
        self.leafCount = leafCount
    }

    package var root: LeafRange { LeafRange(firstLeaf: 0, leafCount: leafCount) }

    /// The two children of an inner node; nil for a leaf.
    package static func children(of node: LeafRange) -> (left: LeafRange, right: LeafRange)? {
        guard node.leafCount > 1 else { return nil }
        let left = 1 << (Int.bitWidth - 1 - (node.leafCount - 1).leadingZeroBitCount)
        return (
            LeafRange(firstLeaf: node.firstLeaf, leafCount: left),
            LeafRange(firstLeaf: node.firstLeaf + left, leafCount: node.leafCount - left)
        )
    }

    /// True if `node` is a node of this tree.
    package func contains(_ node: LeafRange) -> Bool {
        var candidate = root
        while candidate != node {
            guard candidate.contains(node), let (left, right) = Self.children(of: candidate) else {
                return false
            }
            candidate = node.firstLeaf < right.firstLeaf ? left : right
        }
        return node.leafCount > 0
    }

    /// The fewest nodes that cover exactly `leaves`, in ascending order: what a holder of them
    /// pushes.
    package func maximalNodes(covering leaves: Range<Int>) -> [LeafRange] {
        var nodes: [LeafRange] = []
        func visit(_ node: LeafRange) {
            if leaves.lowerBound <= node.firstLeaf && node.endLeaf <= leaves.upperBound {
                nodes.append(node)
            } else if node.firstLeaf < leaves.upperBound && leaves.lowerBound < node.endLeaf,
                let (left, right) = Self.children(of: node)
            {
                visit(left)
                visit(right)
            }
        }
        if !leaves.isEmpty { visit(root) }
        return nodes
    }

    /// How many ``maximalNodes(covering:)`` there are, in O(log n) and without allocating.
    ///
    /// A block of a power of two leaves that begins at a multiple of its size is a node, and so are
    /// the last leaves, those of some lowest bits of the leaf count. There are no others, so the
    /// next node is the largest that begins where the last one ends.
    package func maximalNodeCount(covering leaves: Range<Int>) -> Int {
        let leaves = leaves.clamped(to: root.firstLeaf..<root.endLeaf)
        var count = 0
        var start = leaves.lowerBound
        while start < leaves.upperBound {
            count += 1
            let rest = leaves.upperBound - start
            let alignment = start == 0 ? Int.max : start & -start
            if rest <= alignment && leaves.upperBound == leafCount { break }
            start += min(alignment, 1 << (Int.bitWidth - 1 - rest.leadingZeroBitCount))
        }
        return count
    }
}
