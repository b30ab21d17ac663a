import LockstepProtocol
import TestSupport
import Testing
import TrainingPlan

@Suite struct ViewTests {
    private static func view(_ workers: [Incarnation], full: Int = 7, last: Int = 2) -> View {
        View(3, workers: workers, leafCounts: (full, last), now: 9)
    }

    /// Every leaf of both kinds of step belongs to one worker, in the order of the workers.
    @Test func everyLeafHasOneOwner() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<400 {
            let count = Int.random(in: 1...9, using: &random)
            let workers = (1...count).map { Incarnation(3 * $0) }.shuffled(using: &random)
            let (full, last) = (
                Int.random(in: 1...20, using: &random), Int.random(in: 1...20, using: &random)
            )
            let view = Self.view(workers, full: full, last: last)
            let leaves = workers.map { view.leaves(of: $0) }
            #expect(leaves.flatMap { Array($0.full) } == Array(0..<full))
            #expect(leaves.flatMap { Array($0.last) } == Array(0..<last))
            for (isLast, leafCount) in [(false, full), (true, last)] {
                for leaf in 0..<leafCount {
                    let owners = view.owners(of: [LeafRange(leaf, 1)], isLast: isLast)
                    #expect(owners.count == 1)
                    let own = owners.first.map { view.leaves(of: $0) }
                    #expect((isLast ? own?.last : own?.full)?.contains(leaf) == true)
                }
                #expect(
                    view.owners(of: [LeafRange(0, leafCount)], isLast: isLast).count
                        == min(count, leafCount))
            }
        }
    }

    @Test func ownersOfSeveralRanges() {
        let view = Self.view([4, 2, 9])
        let leaves = [4, 2, 9].map { view.leaves(of: $0).full }
        let (first, last) = (leaves[0].lowerBound, leaves[2].lowerBound)
        #expect(
            view.owners(of: [LeafRange(first, 1), LeafRange(last, 1)], isLast: false) == [4, 9])
        #expect(view.owners(of: [LeafRange(leaves[1].lowerBound, 1)], isLast: false) == [2])
        // Ranges that touch nothing: behind the tree, of no leaves, or none at all.
        #expect(view.owners(of: [LeafRange(7, 3)], isLast: false).isEmpty)
        #expect(view.owners(of: [], isLast: false).isEmpty)
        #expect(view.owners(of: [.none], isLast: false).isEmpty)
    }

    @Test func whoIsNotInItHasNoLeaves() {
        let view = Self.view([4, 2])
        #expect(view.includes(2) && !view.includes(3))
        #expect(view.leaves(of: 3).full.isEmpty && view.leaves(of: 3).last.isEmpty)
        let empty = Self.view([])
        #expect(empty.workers.isEmpty && !empty.includes(4))
        #expect(empty.leaves(of: 4).full.isEmpty)
        #expect(empty.owners(of: [LeafRange(0, 7)], isLast: false).isEmpty)
    }
}
