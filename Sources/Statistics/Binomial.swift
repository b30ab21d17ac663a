import Foundation

/// Tests of whether two things happen equally often.
package enum SignTest {
    /// Exact and two-sided: the probability that a fair coin is at least as uneven.
    package static func pValue(_ first: Int, _ second: Int) -> Double {
        precondition(first >= 0 && second >= 0, "a count is not below zero")
        let count = first + second
        guard first != second else { return 1 }
        func logChoose(_ k: Int) -> Double {
            lgamma(Double(count + 1)) - lgamma(Double(k + 1)) - lgamma(Double(count - k + 1))
        }
        let tail = (0...min(first, second)).reduce(0.0) {
            $0 + exp(logChoose($1) - Double(count) * log(2))
        }
        return min(1, 2 * tail)
    }
}

/// McNemar's test that two networks are equally often right on the same examples, exact for every
/// count: the examples that both get right, or both wrong, say nothing about which one is better.
///
/// McNemar, “Note on the Sampling Error of the Difference between Correlated Proportions” (1947).
package struct McNemar: Equatable, Sendable {
    package let onlyFirstCount: Int
    package let onlySecondCount: Int

    package init(onlyFirst: Int, onlySecond: Int) {
        onlyFirstCount = onlyFirst
        onlySecondCount = onlySecond
    }

    package var pValue: Double { SignTest.pValue(onlyFirstCount, onlySecondCount) }
}
