/// What the data say about a claim.
package enum Verdict: String, CaseIterable, Sendable {
    case supported
    case refuted
    /// Tested, and compatible with the claim as well as with its opposite.
    case inconclusive
    /// The runs that the test needs are not there, or are too few.
    case notTested = "not tested"

    /// Pairs of runs below which nothing is tested: one seed proves nothing, and the interval of
    /// two is wider than anything that it could exclude.
    package static let fewestPairs = 3
}
