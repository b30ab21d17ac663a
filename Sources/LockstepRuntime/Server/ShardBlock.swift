import TrainingPlan

/// What a server folds and updates at a time: whole rows, short enough for their partial sums to
/// stay in the first cache.
struct ShardBlock {
    /// Counted from the range's start.
    let floats: Range<Int>
    /// The same, of the flat vector.
    let part: Range<Int>
    /// Counted from the range's first.
    let firstRow: Int
}

extension GradientRows {
    /// A shard's range in blocks.
    func blocks(of range: Range<Int>) -> [ShardBlock] {
        let start = range.lowerBound
        return parts(of: range).map { part in
            ShardBlock(
                floats: part.lowerBound - start..<part.upperBound - start, part: part,
                firstRow: rows(of: start..<part.lowerBound).count)
        }
    }
}
