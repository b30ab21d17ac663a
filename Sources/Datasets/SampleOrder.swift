import RandomNumbers

/// The order in which an epoch visits the training examples: a pure function of (seed, epoch, the
/// examples).
package struct SampleOrder: Sendable {
    package let seed: UInt64
    /// Where in the set the examples lie that are trained on.
    private let examples: [UInt32]

    package init(seed: UInt64, examples: [UInt32]) {
        precondition(!examples.isEmpty, "examples to train on")
        self.seed = seed
        self.examples = examples
    }

    /// Of a whole set of `count` examples.
    package init(seed: UInt64, count: Int) {
        precondition(count > 0 && count <= Int(UInt32.max), "an index is a UInt32")
        self.init(seed: seed, examples: (0..<UInt32(count)).map(\.self))
    }

    package var count: Int { examples.count }

    /// The permutation of the examples for an epoch.
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
        for index in order.indices { order[index] = examples[index] }
        for last in stride(from: count - 1, to: 0, by: -1) {
            let chosen = Int(random.integer(below: UInt32(truncatingIfNeeded: last + 1)))
            order.swapAt(last, chosen)
        }
    }
}
