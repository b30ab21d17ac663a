import Datasets
import RandomNumbers
import Testing

@Suite struct SampleOrderTests {
    @Test(arguments: [1, 2, 3, 100, 60_000])
    func isAPermutation(count: Int) {
        let order = SampleOrder(seed: 1, count: count).order(epoch: 0)
        #expect(order.sorted() == (0..<UInt32(count)).map(\.self))
    }

    @Test func dependsOnSeedAndEpochOnly() {
        let order = SampleOrder(seed: 1, count: 1000)
        #expect(order.order(epoch: 3) == SampleOrder(seed: 1, count: 1000).order(epoch: 3))
        #expect(order.order(epoch: 3) != order.order(epoch: 4))
        #expect(order.order(epoch: 3) != SampleOrder(seed: 2, count: 1000).order(epoch: 3))
    }

    @Test func fillingAnArrayGivesTheSame() {
        let order = SampleOrder(seed: 5, count: 1000)
        var buffer = order.order(epoch: 0)
        order.fill(&buffer, epoch: 1)
        #expect(buffer == order.order(epoch: 1))
    }

    /// All 24 orders of four examples are about equally frequent.
    @Test func isUniform() {
        let order = SampleOrder(seed: 9, count: 4)
        var counts: [[UInt32]: Int] = [:]
        for epoch in 0..<24_000 { counts[order.order(epoch: epoch), default: 0] += 1 }
        #expect(counts.count == 24)
        #expect(counts.values.allSatisfy { abs($0 - 1000) < 160 }, "five standard deviations")
    }

    /// Every run ever recorded rests on this order.
    @Test func recordedOrder() {
        #expect(SampleOrder(seed: 1, count: 10).order(epoch: 0) == [7, 0, 1, 3, 5, 6, 2, 9, 8, 4])
    }
}
