/// Holm's correction for several tests: all that is found is right with 95 %, taken together.
///
/// Holm, “A Simple Sequentially Rejective Multiple Test Procedure” (1979).
package enum Holm {
    /// In the order of `pValues`: each times the number of those that are not smaller, and not
    /// below that of a smaller one.
    package static func adjusted(_ pValues: [Double]) -> [Double] {
        var result = pValues
        var largest = 0.0
        for (rank, index) in pValues.indices.sorted(by: { pValues[$0] < pValues[$1] }).enumerated()
        {
            largest = max(largest, min(1, pValues[index] * Double(pValues.count - rank)))
            result[index] = largest
        }
        return result
    }
}
