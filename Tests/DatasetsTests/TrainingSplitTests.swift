import Datasets
import Testing

@Suite struct TrainingSplitTests {
    /// Six hundred examples, sorted by label, of unequal frequency.
    static let sorted = (0..<10).flatMap { label in
        [UInt8](repeating: UInt8(label), count: 15 + 10 * label)
    }

    @Test(arguments: [1, 10, 100, 137, 599])
    func eachExampleIsOnOneSideAndEachLabelHasItsShare(count: Int) {
        let split = TrainingSplit(labels: Self.sorted, holdingOut: count, seed: 1)
        #expect(split.heldOut.count == count)
        #expect(split.heldOut == split.heldOut.sorted() && split.trained == split.trained.sorted())
        let all = (split.trained + split.heldOut).sorted()
        #expect(all == Self.sorted.indices.map { UInt32($0) })
        for label in 0..<10 {
            let found = split.heldOut.count { Self.sorted[Int($0)] == label }
            let share = Double(count * (15 + 10 * label)) / Double(Self.sorted.count)
            #expect(abs(Double(found) - share) < 1, "label \(label)")
        }
    }

    @Test func isDrawnAnewForEachSeed() {
        let split = TrainingSplit(labels: Self.sorted, holdingOut: 100, seed: 1)
        #expect(
            split.heldOut == TrainingSplit(labels: Self.sorted, holdingOut: 100, seed: 1).heldOut)
        #expect(
            split.heldOut != TrainingSplit(labels: Self.sorted, holdingOut: 100, seed: 2).heldOut)
        let last = Self.sorted.indices.suffix(100).map { UInt32($0) }
        #expect(split.heldOut != last)
    }

    /// Of five equal examples each is held out about equally often.
    @Test func isUniform() {
        var counts = [Int](repeating: 0, count: 5)
        for seed in 0..<5_000 {
            let split = TrainingSplit(
                labels: [UInt8](repeating: 3, count: 5), holdingOut: 1, seed: UInt64(seed))
            counts[Int(split.heldOut[0])] += 1
        }
        #expect(counts.allSatisfy { abs($0 - 1_000) < 142 }, "five standard deviations")
    }

    @Test func labelsOnOneSideAreTold() {
        let labels: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 7]
        #expect(TrainingSplit(labels: labels, holdingOut: 4, seed: 1).oneSidedLabels == [7])
        #expect(TrainingSplit(labels: labels, holdingOut: 16, seed: 1).oneSidedLabels.contains(7))
        #expect(TrainingSplit(labels: labels, holdingOut: 1, seed: 1).oneSidedLabels.count == 2)
        #expect(TrainingSplit(labels: labels, holdingOut: 0, seed: 1).oneSidedLabels.isEmpty)
    }

    @Test func holdingNothingOutIsTheWholeSetInOrder() {
        let split = TrainingSplit(labels: Self.sorted, holdingOut: 0, seed: 1)
        #expect(split.trained == Self.sorted.indices.map { UInt32($0) } && split.heldOut.isEmpty)
    }

    /// Every run ever recorded that holds examples out rests on this draw.
    @Test func recordedDraw() {
        let labels = (0..<20).map { UInt8($0 % 2) }
        let split = TrainingSplit(labels: labels, holdingOut: 6, seed: 1)
        #expect(split.heldOut == [2, 3, 7, 15, 16, 18])
    }

    @Test func anOrderVisitsWhatIsTrainedOn() {
        let split = TrainingSplit(labels: Self.sorted, holdingOut: 100, seed: 4)
        let order = SampleOrder(seed: 4, examples: split.trained).order(epoch: 2)
        #expect(order.sorted() == split.trained && order != split.trained)
    }
}
