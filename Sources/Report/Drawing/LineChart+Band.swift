import Statistics

extension LineChart.Series {
    /// The middle half of the runs at one place of the first x axis.
    package struct BandPoint: Equatable, Sendable {
        /// One for each x axis; the medians over the runs.
        package var x: [Double]
        package var lowerQuartile: Double
        package var median: Double
        package var upperQuartile: Double
        /// Runs that have a figure here.
        package var runCount: Int
        /// The median is a bound only.
        package var isCensored: Bool
    }

    /// The band of all runs, in order of the first x axis. A censored value ranks above all others,
    /// for where it really lies is not known. Runs that diverged are left out behind their end.
    package var band: [BandPoint] {
        let ends = runs.filter { !$0.isDiverged }.map { $0.points.last?.x.first ?? 0 }
        let end = isTraining ? ends.min() ?? .infinity : .infinity
        let points = runs.flatMap(\.points).filter {
            $0.y.isFinite && $0.x.allSatisfy(\.isFinite) && $0.x[0] <= end
        }
        return Dictionary(grouping: points) { $0.x[0] }.map { first, points in
            let ranked = points.sorted {
                $0.isCensored == $1.isCensored ? $0.y < $1.y : !$0.isCensored
            }
            let values = ranked.map(\.y)
            let axes = points[0].x.indices.map { axis in
                axis == 0 ? first : Quantiles.quantile(0.5, of: points.map { $0.x[axis] }.sorted())
            }
            return BandPoint(
                x: axes, lowerQuartile: Quantiles.quantile(0.25, of: values),
                median: Quantiles.quantile(0.5, of: values),
                upperQuartile: Quantiles.quantile(0.75, of: values), runCount: points.count,
                isCensored: ranked[points.count / 2].isCensored)
        }.sorted { $0.x[0] < $1.x[0] }
    }
}
