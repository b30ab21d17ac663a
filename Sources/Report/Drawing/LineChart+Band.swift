package import Statistics

extension LineChart.Series {
    /// A line with what lies around it, at one place of the first x axis.
    package struct BandPoint: Equatable, Sendable {
        /// One for each x axis; the medians over the runs.
        package var x: [Double]
        /// The lower quartile; infinite where it falls on a run that never gets there, or diverged.
        /// So are the others.
        package var lower: Double
        /// The median.
        package var middle: Double
        /// The upper quartile.
        package var upper: Double
        /// Runs that have a figure here, or never get one.
        package var runCount: Int

        /// The middle is never.
        package var isCensored: Bool { middle == .infinity }
    }

    /// The middle half of the runs, in order of the first x axis. A censored value ranks above all
    /// others: where it really lies is not known. Runs that diverged have ``rankOfDiverged`` behind
    /// their end, or are left out there, as those that were cut short are.
    package var band: [BandPoint] { band(atMost: .max) }

    /// - Parameter count: points that it has at most, evenly chosen.
    func band(atMost count: Int) -> [BandPoint] {
        if let estimate { return estimate.thinned(to: count) }
        let points = runs.flatMap(\.points).filter {
            ($0.y.isFinite || $0.isCensored) && $0.x[0].isFinite
        }
        let places = Set(places.thinned(to: count))
        let diverged = runs.filter { $0.ending == .diverged }.map { run in
            run.points.last { $0.y.isFinite }?.x[0] ?? -.infinity
        }
        return Dictionary(grouping: points) { $0.x[0] }.filter { places.contains($0.key) }.map {
            first, points in
            let lost = rankOfDiverged.map { rank in
                diverged.filter { $0 < first }.map { _ in rank }
            }
            let values =
                (points.map { $0.isCensored ? .infinity : $0.y } + (lost ?? [])).sorted()
            let axes = points[0].x.indices.map { axis in
                let known = points.map { $0.x[axis] }.filter(\.isFinite).sorted()
                return known.isEmpty ? .nan : Quantiles.quantile(0.5, of: known)
            }
            return BandPoint(
                x: axes, lower: Quantiles.quantile(0.25, of: values),
                middle: Quantiles.quantile(0.5, of: values),
                upper: Quantiles.quantile(0.75, of: values), runCount: values.count)
        }.sorted { $0.x[0] < $1.x[0] }
    }

    /// Where the line has points. Over training they are those of the runs that were not cut short,
    /// if there are any: at the end of such a run alone the line would jump to its figure.
    private var places: [Double] {
        let whole = isTraining ? runs.filter { $0.ending == .whole } : []
        let end = whole.map { $0.points.last?.x[0] ?? 0 }.min() ?? .infinity
        let places = (whole.isEmpty ? runs : whole).flatMap(\.points).map { $0.x[0] }
        return Set(places.filter { $0 <= end }).sorted()
    }

    /// The fraction that has got there, with its pointwise band at 95 %, as stairs up to `end`.
    package static func reached(
        _ curve: KaplanMeier, label: String, until end: Double, colour: Int
    ) -> Self {
        func point(_ time: Double, _ survival: Double, _ band: ClosedRange<Double>) -> BandPoint {
            BandPoint(
                x: [time], lower: 1 - band.upperBound, middle: 1 - survival,
                upper: 1 - band.lowerBound, runCount: curve.count)
        }
        var (survival, band) = curve.survival(at: -.infinity)
        var points = [point(0, survival, band)]
        for step in curve.steps where step.time <= end {
            points.append(point(step.time, survival, band))
            (survival, band) = (step.survival, step.band)
            points.append(point(step.time, survival, band))
        }
        points.append(point(end, survival, band))
        return Self(label: label, runs: [], colour: colour, estimate: points)
    }
}

extension LineChart {
    /// The bands of all series, which have at most `pointCount` points together: more than a screen
    /// can show make a file large, and nothing clearer.
    func bands(pointCount: Int) -> [[Series.BandPoint]] {
        let count = max(pointCount / max(series.count, 1), Self.fewestPoints)
        return series.map { $0.band(atMost: count) }
    }

    /// With fewer a curve has corners.
    private static let fewestPoints = 40
}
