import Foundation
import TerminalText

/// An axis: what it counts, how its figures are written, and how they are spread.
package struct ChartAxis: Equatable, Sendable {
    package enum Unit: String, Equatable, Sendable {
        /// Whole numbers: 1,875.
        case count
        /// Shares, written as 96.8 %.
        case percent
        case seconds
        /// Numbers of any size.
        case plain
    }

    package enum Scale: Equatable, Sendable {
        case linear
        /// Values that are not positive have no place on it.
        case logarithmic
        /// With ticks at powers of two, for batch sizes and workers.
        case binary
    }

    package var label: String
    package var unit: Unit
    package var scale: Scale
    /// What the axis covers at least; nil: what the data needs.
    package var range: ClosedRange<Double>?

    package init(
        label: String, unit: Unit = .plain, scale: Scale = .linear,
        range: ClosedRange<Double>? = nil
    ) {
        self.label = label
        self.unit = unit
        self.scale = scale
        self.range = range
    }

    package static let steps = ChartAxis(label: "steps", unit: .count, range: 0...0)
    package static let epochs = ChartAxis(label: "epochs", range: 0...0)
    package static let examples = ChartAxis(label: "examples", unit: .count, range: 0...0)
    /// Training time; evaluations are left out.
    package static let seconds = ChartAxis(label: "seconds", unit: .seconds, range: 0...0)

    /// Whether a value has a place on the axis.
    func holds(_ value: Double) -> Bool {
        switch scale {
        case .linear: value.isFinite
        case .logarithmic, .binary: value.isFinite && value > 0
        }
    }

    /// The axis as far as `values` need it, with its ticks.
    package func scaled(to values: [Double], maximumTicks: Int) -> ScaledAxis {
        let held = (values + (range.map { [$0.lowerBound, $0.upperBound] } ?? [])).filter(holds)
        guard var low = held.min(), var high = held.max() else {
            return scaled(to: scale == .linear ? [0, 1] : [1, 10], maximumTicks: maximumTicks)
        }
        switch scale {
        case .linear:
            if low == high {
                let half = max(abs(low) * 0.05, unit == .count ? 1 : 1e-6)
                (low, high) = (low - half, high + half)
            }
            return linear(low, high, maximumTicks)
        case .logarithmic, .binary:
            if low == high { (low, high) = (low / 1.5, high * 1.5) }
            return logarithmic(low, high, maximumTicks)
        }
    }

    private func linear(_ low: Double, _ high: Double, _ maximumTicks: Int) -> ScaledAxis {
        let least = unit == .count ? 1.0 : 0
        let step = max(
            Self.niceStep(atLeast: (high - low) / Double(max(maximumTicks - 1, 1))), least)
        let first = (low / step).rounded(.up)
        let last = (high / step + 1e-9).rounded(.down)
        var ticks: [Double] = []
        for index in stride(from: first, through: last, by: 1) { ticks.append(index * step) }
        // Digits after the point that tell two ticks apart.
        let shownStep = unit == .percent ? step * 100 : step
        let digits = shownStep >= 1 ? 0 : Int((-log10(shownStep) - 1e-9).rounded(.up))
        return ScaledAxis(
            axis: self, range: low...high,
            ticks: ticks.map { ScaledAxis.Tick(value: $0, label: text($0, digits: digits)) })
    }

    /// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
    static func niceStep(atLeast step: Double) -> Double {
        let power = pow(10, floor(log10(step)))
        for factor in [1.0, 2, 5] where factor * power >= step * (1 - 1e-9) {
            return factor * power
        }
        return 10 * power
    }

    private func logarithmic(_ low: Double, _ high: Double, _ maximumTicks: Int) -> ScaledAxis {
        let base = scale == .binary ? 2.0 : 10.0
        let first = Int(floor(log(low) / log(base) + 1e-9))
        let last = Int(ceil(log(high) / log(base) - 1e-9))
        func ticks(_ factors: [Double], every stride: Int = 1) -> [Double] {
            var ticks: [Double] = []
            for exponent in Swift.stride(from: first, through: max(first, last), by: stride) {
                let power = pow(base, Double(exponent))
                ticks += factors.map { $0 * power }
            }
            return ticks.filter { $0 >= low * (1 - 1e-9) && $0 <= high * (1 + 1e-9) }
        }
        let factors: [[Double]] = scale == .binary ? [] : [[1, 2, 5], [1, 3]]
        let fitting = factors.map { ticks($0) }.first { $0.count <= maximumTicks }
        // Less than a decade may hold but one of these.
        if let fitting, fitting.count < 3, high / low < 10 {
            var axis = linear(low, high, maximumTicks)
            axis.ticks.removeAll { $0.value <= 0 }
            return axis
        }
        let stride = max(1, Int((Double(last - first + 1) / Double(maximumTicks)).rounded(.up)))
        let ticks = fitting ?? ticks([1], every: stride)
        return ScaledAxis(
            axis: self, range: low...high,
            ticks: ticks.map { ScaledAxis.Tick(value: $0, label: text($0)) })
    }

    /// A value as a person reads it, with as many digits as it needs.
    package func text(_ value: Double) -> String {
        let shown = unit == .percent ? value * 100 : value
        var digits = 0
        while digits < 6, abs(shown) < 1e15,
            abs((shown * pow(10, Double(digits))).rounded() / pow(10, Double(digits)) - shown)
                > abs(shown) * 1e-6
        {
            digits += 1
        }
        if shown != 0, abs(shown) < 1e-3 { return Self.scientific(shown) }
        return text(value, digits: digits)
    }

    private func text(_ value: Double, digits: Int) -> String {
        switch unit {
        case .percent: Figures.fixed(value * 100, digits) + " %"
        case .seconds: Figures.fixed(value, digits) + " s"
        case .count, .plain: Figures.fixed(value, digits)
        }
    }

    private static let superscripts: [Character: Character] = [
        "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷",
        "8": "⁸", "9": "⁹",
    ]

    /// “10⁻⁵”, “3.2 × 10⁻⁷”.
    private static func scientific(_ value: Double) -> String {
        let exponent = Int(floor(log10(abs(value)) + 1e-12))
        let mantissa = value / pow(10, Double(exponent))
        let power = "10" + String(String(exponent).compactMap { superscripts[$0] })
        if abs(mantissa - 1) < 1e-6 { return power }
        let isWhole = abs(mantissa - mantissa.rounded()) < 1e-6
        return "\(Figures.fixed(mantissa, isWhole ? 0 : 1)) × \(power)"
    }
}

/// An axis with the range that it covers and the ticks on it.
package struct ScaledAxis: Equatable, Sendable {
    package struct Tick: Equatable, Sendable {
        package var value: Double
        package var label: String
    }

    package var axis: ChartAxis
    package var range: ClosedRange<Double>
    package var ticks: [Tick]

    /// Where a value lies between the ends, 0 and 1.
    package func position(_ value: Double) -> Double {
        switch axis.scale {
        case .linear:
            (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        case .logarithmic, .binary:
            log(value / range.lowerBound) / log(range.upperBound / range.lowerBound)
        }
    }
}
