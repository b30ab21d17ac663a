import Testing
import TrainingPlan

@Suite struct LeafAssignmentTests {
    @Test func everyLeafOnceBalancedAndContiguous() {
        for leafCount in 1...40 {
            for workerCount in 1...12 {
                let assignment = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
                #expect(assignment.ranges.count == workerCount)
                var end = 0
                for range in assignment.ranges {
                    #expect(range.lowerBound == end)
                    end = range.upperBound
                    let even = leafCount / workerCount
                    #expect((even...(even + 1)).contains(range.count))
                }
                #expect(end == leafCount)
                #expect(
                    (0..<workerCount).flatMap { assignment.nodes(of: WorkerOrdinal($0)) }
                        .reduce(0) { $0 + $1.leafCount } == leafCount)
            }
        }
    }

    @Test func noBalancedAssignmentPushesFewerNodes() {
        for leafCount in 1...16 {
            for workerCount in 1...min(6, leafCount) {
                let tree = ReductionTree(leafCount: leafCount)
                func pushed(_ ranges: [Range<Int>]) -> Int {
                    ranges.reduce(0) { $0 + tree.maximalNodes(covering: $1).count }
                }
                let fewest = Self.balanced(leafCount, workerCount).map(pushed).min()
                let assignment = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
                #expect(pushed(assignment.ranges) == fewest, "\(leafCount) on \(workerCount)")
            }
        }
    }

    /// A view of the largest session is made between two steps.
    @Test func aLargeAssignmentIsMadeAtOnce() {
        let times = (0..<3).map { _ in
            ContinuousClock().measure {
                let assignment = LeafAssignment(
                    leafCount: 4_096, workerCount: 1_000, nodeCost: 30)
                #expect(assignment.ranges.last?.upperBound == 4_096)
            }
        }
        // Another process may hold up any one of them.
        #expect((times.min() ?? .zero) < .milliseconds(100), "\(times)")
    }

    @Test(arguments: [
        // Two workers of a power of two: a subtree each.
        (8, 2, [0..<4, 4..<8]),
        // Seven leaves split 4 + 3 in the tree, so the first worker has more.
        (7, 2, [0..<4, 4..<7]),
        (3, 3, [0..<1, 1..<2, 2..<3]),
        // Fewer leaves than workers: the rest idle.
        (2, 4, [0..<1, 1..<2, 2..<2, 2..<2]),
        (4, 3, [0..<2, 2..<3, 3..<4]),
    ])
    func known(leafCount: Int, workerCount: Int, ranges: [Range<Int>]) {
        #expect(
            LeafAssignment(leafCount: leafCount, workerCount: workerCount).ranges == ranges)
    }

    /// Whole subtrees, where a node takes longer on its link than some leaves more.
    @Test(arguments: [
        (64, 3, [0..<32, 32..<48, 48..<64]),
        // Seven of eight subtrees of 8: nobody idles, and each pushes one node.
        (64, 7, [0..<16, 16..<24, 24..<32, 32..<40, 40..<48, 48..<56, 56..<64]),
        (8, 3, [0..<4, 4..<6, 6..<8]),
        // The even deal, where it cuts through no subtree.
        (7, 3, [0..<2, 2..<4, 4..<7]),
        // The last block is short.
        (15, 3, [0..<8, 8..<12, 12..<15]),
        (8, 4, [0..<2, 2..<4, 4..<6, 6..<8]),
        (2, 4, [0..<1, 1..<2, 2..<2, 2..<2]),
    ])
    func overLinks(leafCount: Int, workerCount: Int, ranges: [Range<Int>]) {
        let assignment = LeafAssignment(
            leafCount: leafCount, workerCount: workerCount, nodeCost: 30)
        #expect(assignment.ranges == ranges)
        for worker in 0..<workerCount {
            #expect(assignment.nodes(of: WorkerOrdinal(worker)).count <= 1)
        }
    }

    @Test func overLinksNobodyIsSlowerThanInAnyDealOfBlocks() {
        for leafCount in 1...40 {
            for workerCount in 1...9 {
                let tree = ReductionTree(leafCount: leafCount)
                func slowest(_ ranges: [Range<Int>]) -> Int {
                    ranges.map { $0.count + 5 * tree.maximalNodes(covering: $0).count }.max()!
                }
                let dealt = LeafAssignment(
                    leafCount: leafCount, workerCount: workerCount, nodeCost: 5)
                let even = LeafAssignment(leafCount: leafCount, workerCount: workerCount)
                #expect(slowest(dealt.ranges) <= slowest(even.ranges))
                #expect(dealt.ranges.first?.lowerBound == 0)
                #expect(dealt.ranges.last?.upperBound == leafCount)
                for (range, next) in zip(dealt.ranges, dealt.ranges.dropFirst()) {
                    #expect(range.upperBound == next.lowerBound)
                }
            }
        }
    }

    /// Every way to give each worker ⌊n / w⌋ or ⌈n / w⌉ leaves, all of them in all.
    private static func balanced(_ leafCount: Int, _ workerCount: Int) -> [[Range<Int>]] {
        let (smaller, larger) = leafCount.quotientAndRemainder(dividingBy: workerCount)
        return (0..<(1 << workerCount)).filter { $0.nonzeroBitCount == larger }.map { mask in
            var start = 0
            return (0..<workerCount).map { worker in
                let count = smaller + (mask >> worker & 1)
                defer { start += count }
                return start..<(start + count)
            }
        }
    }
}
