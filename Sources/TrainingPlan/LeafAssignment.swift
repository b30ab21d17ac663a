/// Which worker computes which leaves of a step: contiguous ranges in worker order.
///
/// Balanced: no two workers differ by more than one leaf. Among the balanced assignments it takes
/// one that cuts through the fewest subtrees, so that the fewest nodes are pushed, and among those
/// the one whose earlier workers have more. Where nodes are pushed over links, whole subtrees are
/// dealt instead, as large as makes the slowest worker fastest. A pure function of its parameters;
/// it does not change any result.
package struct LeafAssignment: Hashable, Sendable {
    /// The leaves of each worker, by ordinal; empty for those that a short step leaves idle.
    package let ranges: [Range<Int>]
    package let leafCount: Int

    /// - Parameter nodeCost: how many leaves a worker computes in the time in which a node crosses
    ///   its link; 0 where there is none.
    package init(leafCount: Int, workerCount: Int, nodeCost: Int = 0) {
        precondition(leafCount > 0 && workerCount > 0, "a step has leaves and workers")
        self.leafCount = leafCount
        var fastest = Self.balanced(leafCount, workerCount)
        if nodeCost > 0 {
            let tree = ReductionTree(leafCount: leafCount)
            func slowest(_ ranges: [Range<Int>]) -> Int {
                ranges.map { $0.count + nodeCost * tree.maximalNodeCount(covering: $0) }.max() ?? 0
            }
            var block = 2
            while block < leafCount {
                // A tree over blocks of a power of two has the shape of the tree's top.
                let blocks = Self.balanced((leafCount + block - 1) / block, workerCount).map {
                    min($0.lowerBound * block, leafCount)..<min($0.upperBound * block, leafCount)
                }
                if slowest(blocks) < slowest(fastest) { fastest = blocks }
                block *= 2
            }
        }
        ranges = fastest
    }

    private static func balanced(_ leafCount: Int, _ workerCount: Int) -> [Range<Int>] {
        let smaller = leafCount / workerCount
        let larger = leafCount % workerCount
        if smaller == 0 {
            return (0..<workerCount).map { min($0, leafCount)..<min($0 + 1, leafCount) }
        }
        let takesMore = cheapestChoice(
            tree: ReductionTree(leafCount: leafCount), workerCount: workerCount, smaller: smaller,
            larger: larger)
        var start = 0
        return takesMore.map { more in
            defer { start += smaller + (more ? 1 : 0) }
            return start..<(start + smaller + (more ? 1 : 0))
        }
    }

    package subscript(_ worker: WorkerOrdinal) -> Range<Int> { ranges[worker.index] }

    /// The nodes that a worker pushes: the fewest that cover its leaves, ascending.
    package func nodes(of worker: WorkerOrdinal) -> [LeafRange] {
        ReductionTree(leafCount: leafCount).maximalNodes(covering: self[worker])
    }

    /// Decides which `larger` of the workers take one leaf more than `smaller`, by dynamic
    /// programming over (workers before the cut, larger ones among them): these two numbers give
    /// the place of the cut.
    private static func cheapestChoice(
        tree: ReductionTree, workerCount: Int, smaller: Int, larger: Int
    ) -> [Bool] {
        if larger == 0 { return Array(repeating: false, count: workerCount) }
        // pushed[worker][taken]: the fewest nodes that the workers from `worker` on push, when
        // `taken` larger shares lie before them.
        var pushed = Array(
            repeating: Array(repeating: Int.max, count: larger + 1), count: workerCount + 1)
        var takesMore = Array(
            repeating: Array(repeating: false, count: larger + 1), count: workerCount)
        pushed[workerCount][larger] = 0
        for worker in stride(from: workerCount - 1, through: 0, by: -1) {
            let fewest = max(0, larger - (workerCount - worker))
            for taken in fewest...min(worker, larger) {
                let start = worker * smaller + taken
                func cost(share: Int, then rest: Int) -> Int {
                    rest == Int.max
                        ? rest : rest + tree.maximalNodeCount(covering: start..<(start + share))
                }
                let less = cost(share: smaller, then: pushed[worker + 1][taken])
                let more =
                    taken == larger
                    ? Int.max : cost(share: smaller + 1, then: pushed[worker + 1][taken + 1])
                pushed[worker][taken] = min(less, more)
                takesMore[worker][taken] = more <= less && more != Int.max
            }
        }
        var taken = 0
        return (0..<workerCount).map { worker in
            defer { taken += takesMore[worker][taken] ? 1 : 0 }
            return takesMore[worker][taken]
        }
    }
}
