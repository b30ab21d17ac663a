import RandomNumbers

/// Which of the training examples are trained on, and which are held out for validation.
///
/// A stratified draw, a pure function of (labels, count, seed): each label gives its share, to one
/// example, so that a set that is sorted by label loses no class.
package struct TrainingSplit: Sendable {
    /// Places in the training set, ascending.
    package let trained: [UInt32]
    package let heldOut: [UInt32]
    /// Labels of the set that only one of the two has, ascending.
    package let oneSidedLabels: [UInt8]

    /// - Parameters:
    ///   - labels: of all training examples.
    ///   - count: examples to hold out.
    package init(labels: some Collection<UInt8>, holdingOut count: Int, seed: UInt64) {
        precondition(count >= 0 && count <= labels.count, "a part of the training set")
        guard count > 0 else {
            (trained, heldOut) = ((0..<labels.count).map { UInt32($0) }, [])
            oneSidedLabels = []
            return
        }
        var places = [[UInt32]](repeating: [], count: Int(UInt8.max) + 1)
        for (place, label) in labels.enumerated() { places[Int(label)].append(UInt32(place)) }
        let shares = Self.shares(of: count, among: places.map(\.count))
        var isHeldOut = [Bool](repeating: false, count: labels.count)
        for (label, share) in shares.enumerated() {
            var random = Philox(seed: seed, purpose: .heldOutExamples, index: UInt64(label))
            for chosen in 0..<share {
                let rest = UInt32(places[label].count - chosen)
                places[label].swapAt(chosen, chosen + Int(random.integer(below: rest)))
                isHeldOut[Int(places[label][chosen])] = true
            }
        }
        let all = isHeldOut.indices
        trained = all.filter { !isHeldOut[$0] }.map { UInt32($0) }
        heldOut = all.filter { isHeldOut[$0] }.map { UInt32($0) }
        oneSidedLabels = shares.indices.filter {
            !places[$0].isEmpty && (shares[$0] == 0 || shares[$0] == places[$0].count)
        }.map { UInt8($0) }
    }

    /// Cuts `count` in proportion to `sizes`: what is left over goes to the largest remainders, and
    /// among equal ones to the first.
    private static func shares(of count: Int, among sizes: [Int]) -> [Int] {
        let total = sizes.reduce(0, +)
        var shares = sizes.map { count * $0 / total }
        let byRemainder = sizes.indices.sorted {
            let (left, right) = (count * sizes[$0] % total, count * sizes[$1] % total)
            return left == right ? $0 < $1 : left > right
        }
        for index in byRemainder.prefix(count - shares.reduce(0, +)) { shares[index] += 1 }
        return shares
    }
}
