import RandomNumbers

/// The order in which an epoch visits the training examples: a pure function of (seed, epoch,
/// count).
package struct SampleOrder: Sendable {
    package let seed: UInt64
    /// Examples to train on.
    package let count: Int

    package init(seed: UInt64, count: Int) {
        precondition(count > 0 && count <= Int(UInt32.max), "an index is a UInt32")
        self.seed = seed
        self.count = count
    }

    /// The permutation of `0..<count` for an epoch.
    ///
    /// - Parameter epoch: counted from 0.
    package func order(epoch: Int) -> [UInt32] {
        var order = [UInt32](repeating: 0, count: count)
        fill(&order, epoch: epoch)
        return order
    }

    /// The same, into an array of `count` elements, without allocation.
    ///
    /// Source: the Fisher–Yates shuffle in Durstenfeld's form, from the last element down.
    package func fill(_ order: inout [UInt32], epoch: Int) {
        precondition(order.count == count, "one index an example")
        var random = Philox(seed: seed, purpose: .sampleOrder, index: UInt64(epoch))
        for index in order.indices { order[index] = UInt32(truncatingIfNeeded: index) }
        for last in stride(from: count - 1, to: 0, by: -1) {
            let chosen = Int(random.integer(below: UInt32(truncatingIfNeeded: last + 1)))
            order.swapAt(last, chosen)
        }
    }
}
