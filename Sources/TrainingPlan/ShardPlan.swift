/// The cut of the flat parameter vector into one contiguous slice for each server, and what follows
/// from it: the rows of a shard, the slices that are pushed to it, and the size of each of its
/// payloads.
///
/// Cuts lie at row boundaries only, each at the boundary nearest to its even place (the lower of
/// two equally near) that leaves a row for every other shard. The plan does not change any result.
package struct ShardPlan: Hashable, Sendable {
    package let layout: ParameterLayout
    /// The slices in the flat vector, in floats, ascending and without holes.
    package let slices: [Range<Int>]
    /// The rows of the whole vector, by which gradients are measured.
    package let gradientRows: GradientRows
    /// As workers push a node's gradient, a slice to each server.
    package let pushedSlices: GradientSlices

    package enum PlanError: Error, Hashable, CustomStringConvertible {
        case noServer
        case moreServersThanRows(servers: Int, rows: Int)
        case tooManyServers(Int)

        package var description: String {
            switch self {
            case .noServer: "--servers 0: a run needs a parameter server; give 1 or more"
            case .moreServersThanRows(let servers, let rows):
                "--servers \(servers): the parameters have only \(rows) rows to share out; "
                    + "give at most \(min(rows, SettingLimits.maximumServers))"
            case .tooManyServers(let servers):
                "--servers \(servers): give at most \(SettingLimits.maximumServers)"
            }
        }
    }

    /// - Parameter headerByteCount: room before each payload, in bytes; a multiple of 4.
    package init(
        layout: ParameterLayout, shardCount: Int, headerByteCount: Int
    ) throws(PlanError) {
        guard shardCount > 0 else { throw .noServer }
        guard shardCount <= SettingLimits.maximumServers else { throw .tooManyServers(shardCount) }
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
        self.init(layout, slices: slices, headerByteCount: headerByteCount)
    }

    /// The plan of one shard.
    ///
    /// - Parameter headerByteCount: room before each payload, in bytes; a multiple of 4.
    package init(whole layout: ParameterLayout, headerByteCount: Int) {
        self.init(
            layout, slices: [0..<layout.parameterCount], headerByteCount: headerByteCount)
    }

    private init(_ layout: ParameterLayout, slices: [Range<Int>], headerByteCount: Int) {
        self.layout = layout
        self.slices = slices
        gradientRows = GradientRows(layout)
        pushedSlices = GradientSlices(
            layout, ranges: slices, headerByteCount: headerByteCount, isPacked: true)
    }

    package var shardCount: Int { slices.count }

    /// Room before each payload, in bytes.
    package var headerByteCount: Int { pushedSlices.headerByteCount }

    /// The metrics that travel with shard 0.
    package var metrics: StepMetricsLayout { pushedSlices.metrics }

    package subscript(_ shard: ShardIndex) -> Range<Int> { slices[shard.index] }

    /// The places of the shard's rows among ``gradientRows``.
    package func rows(of shard: ShardIndex) -> Range<Int> { gradientRows.rows(of: self[shard]) }
}

extension ShardPlan {
    /// The payload of a `weights` or `snapshot` frame of this shard, in bytes.
    package func weightsByteCount(of shard: ShardIndex) -> Int { self[shard].count * 4 }

    /// The payload of a `push` frame to this shard that leaves out no row, in bytes.
    package func maximumPushByteCount(of shard: ShardIndex) -> Int {
        pushedSlices.maximumByteCount(shard.index)
    }

    /// The payload of a shard's `stepReport`, in bytes: the metrics behind shard 0's pushes, then
    /// the squared norm of each of the shard's rows, then the digest of the shard's new weights.
    package func reportByteCount(of shard: ShardIndex) -> Int {
        metricsByteCount(of: shard) + rows(of: shard).count * 4 + Self.digestByteCount
    }

    package static let digestByteCount = 8

    /// The part of a push or a report that is metrics, in bytes: 0 for all shards but the first.
    package func metricsByteCount(of shard: ShardIndex) -> Int {
        pushedSlices.metricsByteCount(shard.index)
    }

    /// The largest `weights` or `snapshot` frame of any shard, in bytes.
    package var largestWeightsFrameByteCount: Int { largestFrame(weightsByteCount) }

    /// The largest `push` frame to any shard, in bytes.
    package var largestPushFrameByteCount: Int { largestFrame(maximumPushByteCount) }

    /// The largest `stepReport` frame of any shard, in bytes.
    package var largestReportFrameByteCount: Int { largestFrame(reportByteCount) }

    private func largestFrame(_ payloadByteCount: (ShardIndex) -> Int) -> Int {
        headerByteCount + (slices.indices.map { payloadByteCount(ShardIndex($0)) }.max() ?? 0)
    }
}
