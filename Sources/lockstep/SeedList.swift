/// Seeds as `--seeds` takes them: numbers and ranges, `1-5,9` for example; none twice.
struct SeedList: Hashable, Sendable {
    /// In the order in which they were given.
    let ranges: [ClosedRange<UInt64>]

    /// A text that is not such a list: why, and what to do.
    struct Problem: Error {
        let reason: String
        let remedy: String
    }

    /// One by one; see ``count`` first.
    var seeds: [UInt64] { ranges.flatMap { Array($0) } }

    /// `Int.max` for more than that.
    var count: Int {
        ranges.reduce(0) { sum, range in
            let (width, _) = (range.upperBound - range.lowerBound).addingReportingOverflow(1)
            return width == 0 || width > UInt64(Int.max - sum) ? Int.max : sum + Int(width)
        }
    }

    init(ranges: [ClosedRange<UInt64>]) { self.ranges = ranges }

    init(_ text: String) throws(Problem) {
        var ranges: [ClosedRange<UInt64>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                .map { UInt64($0.filter { $0 != " " }) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else {
                throw Problem(
                    reason: "“\(part)” is not a seed or a range of seeds",
                    remedy: "give whole numbers from 0, for example 1-5,9")
            }
            ranges.append(first...last)
        }
        let ascending = ranges.sorted { $0.lowerBound < $1.lowerBound }
        for (range, next) in zip(ascending, ascending.dropFirst()) where range.overlaps(next) {
            throw Problem(
                reason: "duplicate seed \(next.lowerBound)", remedy: "give each seed once")
        }
        self.ranges = ranges
    }
}
