/// Curves of several runs a series: the median with the band between the quartiles, and each run as
/// a faint line.
package struct LineChart: Equatable, Sendable {
    /// One run of a series.
    package struct Run: Equatable, Sendable {
        package var label: String
        /// In order of x.
        package var points: [Point]
        package var ending: Ending

        /// What its last point was.
        package enum Ending: Equatable, Sendable {
            /// The end that it was meant to come to.
            case whole
            /// Drawn as a cross.
            case diverged
            /// Drawn as a ring: it was interrupted or killed, or is still in progress.
            case cutShort
        }

        package init(label: String, points: [Point], ending: Ending = .whole) {
            self.label = label
            self.points = points
            self.ending = ending
        }
    }

    package struct Point: Equatable, Sendable {
        /// One value for each of the chart's x axes. Points of a series with one value on the first
        /// axis belong together: the median is over them.
        package var x: [Double]
        package var y: Double
        /// Not reached: it lies further up, and ranks above all values. `y` is not looked at.
        package var isCensored: Bool

        package init(x: [Double], y: Double, isCensored: Bool = false) {
            self.x = x
            self.y = y
            self.isCensored = isCensored
        }
    }

    package struct Series: Equatable, Sendable {
        package var label: String
        package var runs: [Run]
        /// Which colour of the palette; series of one configuration bear one in all drawings. Those
        /// of another program have it plus ``dashed``.
        package var colour: Int
        /// Added to a colour, it gives the same colour to a dashed line.
        package static let dashed = ChartStyle.colourCount
        /// Dots at the medians: for few, distant points.
        package var hasMarkers: Bool
        /// The first x axis is how far a run has come. Where one has ended, the others are no
        /// longer the group: those that reach a target late, for instance. So the median ends
        /// there; not so where one diverged or was cut short.
        package var isTraining: Bool
        /// How a run that diverged ranks behind its end: below all others (−∞) where much is good,
        /// as accuracy; nil where it is left out there.
        package var rankOfDiverged: Double?

        /// The line and its band where they are no quartiles of ``runs``.
        package var estimate: [BandPoint]?

        package init(
            label: String, runs: [Run], colour: Int, hasMarkers: Bool = false,
            isTraining: Bool = false, rankOfDiverged: Double? = nil,
            estimate: [BandPoint]? = nil
        ) {
            self.label = label
            self.runs = runs
            self.colour = colour
            self.hasMarkers = hasMarkers
            self.isTraining = isTraining
            self.rankOfDiverged = rankOfDiverged
            self.estimate = estimate
        }
    }

    /// A level on the y axis.
    package struct Threshold: Equatable, Sendable {
        package var value: Double
        package var label: String

        package init(value: Double, label: String) {
            self.value = value
            self.label = label
        }
    }

    /// A dashed line that no run made: perfect scaling for instance.
    package struct Ideal: Equatable, Sendable {
        package var label: String
        package var points: [Point]

        package init(label: String, points: [Point]) {
            self.label = label
            self.points = points
        }
    }

    /// A place worth a word: a critical batch for instance.
    package struct Marker: Equatable, Sendable {
        package var label: String
        package var point: Point
        package var colour: Int?

        package init(label: String, point: Point, colour: Int? = nil) {
            self.label = label
            self.point = point
            self.colour = colour
        }
    }

    /// The first is shown; where there are more, the page can switch between them.
    package var xAxes: [ChartAxis]
    package var yAxis: ChartAxis
    package var series: [Series]
    package var thresholds: [Threshold]
    package var ideals: [Ideal]
    package var markers: [Marker]
    /// Where the middle of a series is never: “not reached within 18,750 steps” for instance.
    package var never: String?

    package init(
        xAxes: [ChartAxis], yAxis: ChartAxis, series: [Series], thresholds: [Threshold] = [],
        ideals: [Ideal] = [], markers: [Marker] = [], never: String? = nil
    ) {
        let points =
            series.flatMap(\.runs).flatMap(\.points) + ideals.flatMap(\.points)
            + markers.map(\.point)
        precondition(
            !xAxes.isEmpty && points.allSatisfy { $0.x.count == xAxes.count },
            "a point needs a value for each x axis")
        self.xAxes = xAxes
        self.yAxis = yAxis
        self.series = series
        self.thresholds = thresholds
        self.ideals = ideals
        self.markers = markers
        self.never = never
    }
}

/// Values with the whiskers of their intervals, one a row.
package struct BarChart: Equatable, Sendable {
    package struct Bar: Equatable, Sendable {
        package var label: String
        /// NaN where no run gave one; the row stays, and says so.
        package var value: Double
        /// Missing where one run alone cannot tell.
        package var interval: ClosedRange<Double>?
        /// The single runs, as faint dots.
        package var runs: [Double]
        package var colour: Int

        package init(
            label: String, value: Double, interval: ClosedRange<Double>? = nil, runs: [Double] = [],
            colour: Int
        ) {
            self.label = label
            self.value = value
            self.interval = interval
            self.runs = runs
            self.colour = colour
        }
    }

    package var axis: ChartAxis
    package var bars: [Bar]
    /// Where bars start. Without one there are dots instead: a bar that does not start at a true
    /// zero misleads.
    package var baseline: Double?
    /// What value and interval are: “mean with its 95 % interval”.
    package var legend: String

    package init(axis: ChartAxis, bars: [Bar], baseline: Double? = nil, legend: String) {
        self.axis = axis
        self.bars = bars
        self.baseline = baseline
        self.legend = legend
    }
}

/// A table whose cells are shaded by their values: a confusion matrix for instance.
package struct HeatTable: Equatable, Sendable {
    package var rowTitle: String
    package var columnTitle: String
    package var rows: [String]
    package var columns: [String]
    /// `[rows, columns]`, row-major. Zero and NaN stay blank.
    package var values: [Double]
    package var unit: ChartAxis.Unit
    /// The diagonal is written but not shaded, so that what lies beside it can be seen.
    package var leavesDiagonalBlank: Bool

    package init(
        rowTitle: String, columnTitle: String, rows: [String], columns: [String], values: [Double],
        unit: ChartAxis.Unit = .count, leavesDiagonalBlank: Bool = false
    ) {
        precondition(values.count == rows.count * columns.count, "a cell needs a value")
        self.rowTitle = rowTitle
        self.columnTitle = columnTitle
        self.rows = rows
        self.columns = columns
        self.values = values
        self.unit = unit
        self.leavesDiagonalBlank = leavesDiagonalBlank
    }

    package init(_ matrix: ConfusionMatrix) {
        let labels = (0..<matrix.classCount).map(String.init)
        self.init(
            rowTitle: "true digit", columnTitle: "decision", rows: labels, columns: labels,
            values: matrix.counts.map(Double.init), leavesDiagonalBlank: true)
    }
}

/// How often decisions are right that are made with a certain confidence, with the count of each
/// bin.
package struct ReliabilityDiagram: Equatable, Sendable {
    package struct Bin: Equatable, Sendable {
        /// Of confidence.
        package var range: ClosedRange<Double>
        package var count: Int
        /// Both are NaN for an empty bin.
        package var meanConfidence: Double
        package var accuracy: Double

        package init(
            range: ClosedRange<Double>, count: Int, meanConfidence: Double, accuracy: Double
        ) {
            self.range = range
            self.count = count
            self.meanConfidence = meanConfidence
            self.accuracy = accuracy
        }
    }

    package struct Series: Equatable, Sendable {
        package var label: String
        package var bins: [Bin]
        package var colour: Int

        package init(label: String, bins: [Bin], colour: Int) {
            self.label = label
            self.bins = bins
            self.colour = colour
        }
    }

    package var series: [Series]

    package init(series: [Series]) {
        self.series = series
    }
}

/// Images of digits, each with a line or two below.
package struct DigitGallery: Equatable, Sendable {
    package struct Digit: Equatable, Sendable {
        /// `[28, 28]`, row-major, 0 is paper and 255 is ink.
        package var pixels: [UInt8]
        package var caption: String

        package init(pixels: [UInt8], caption: String) {
            precondition(pixels.count == 784, "a digit is 28 × 28 pixels")
            self.pixels = pixels
            self.caption = caption
        }
    }

    package var digits: [Digit]

    package init(digits: [Digit]) {
        self.digits = digits
    }
}
