package import NeuralNetwork

/// The cut of the flat parameter vector into one contiguous slice for each server.
///
/// Cuts lie at row boundaries only, each at the boundary nearest to its even place (the lower of two
/// equally near) that leaves a row for every other shard. The plan moves no bit.
package struct ShardPlan: Hashable, Sendable {
    /// The slices in the flat vector, in floats, ascending and without holes.
    package let slices: [Range<Int>]

    package enum PlanError: Error, Hashable, CustomStringConvertible {
        case noServer
        case moreServersThanRows(servers: Int, rows: Int)
        case tooManyServers(Int)

        package var description: String {
            switch self {
            case .noServer: "--servers 0: a run needs a parameter server; give 1 or more"
            case .moreServersThanRows(let servers, let rows):
                "--servers \(servers): the parameters have only \(rows) rows to share out; "
                    + "give at most \(min(rows, Limits.maximumServers))"
            case .tooManyServers(let servers):
                "--servers \(servers): give at most \(Limits.maximumServers)"
            }
        }
    }

    package init(layout: ParameterLayout, shardCount: Int) throws(PlanError) {
        guard shardCount > 0 else { throw .noServer }
        guard shardCount <= Limits.maximumServers else { throw .tooManyServers(shardCount) }
        let boundaries = layout.rowBoundaries
        let rows = boundaries.count - 1
        guard shardCount <= rows else {
            throw .moreServersThanRows(servers: shardCount, rows: rows)
        }
        var slices: [Range<Int>] = []
        var first = 0
        for shard in 1...shardCount {
            let wanted = layout.parameterCount * shard / shardCount
            let candidates = (first + 1)...(rows - (shardCount - shard))
            var cut = candidates.lowerBound
            for row in candidates
            where abs(boundaries[row] - wanted) < abs(boundaries[cut] - wanted) {
                cut = row
            }
            slices.append(boundaries[first]..<boundaries[cut])
            first = cut
        }
        self.slices = slices
    }

    package var shardCount: Int { slices.count }

    package subscript(_ shard: ShardIndex) -> Range<Int> { slices[shard.index] }

    /// The payload of a `weights` or `snapshot` frame of this shard, in bytes.
    package func weightsByteCount(of shard: ShardIndex) -> Int { self[shard].count * 4 }
}
