import Foundation

/// Where a run stands, for the line that a terminal redraws.
package struct RunProgress: Equatable, Sendable {
    /// Counted from 1.
    package var epoch: Int
    package var epochs: Int
    /// Updates done in this epoch.
    package var step: Int
    /// Updates of a whole epoch.
    package var steps: Int
    package var examplesPerSecond: Double
    /// Running means over the epoch.
    package var loss: Double
    package var accuracy: Double
    /// Of the whole run; nil while there is no rate to tell from.
    package var secondsLeft: Double?

    package init(
        epoch: Int, epochs: Int, step: Int, steps: Int, examplesPerSecond: Double, loss: Double,
        accuracy: Double, secondsLeft: Double?
    ) {
        self.epoch = epoch
        self.epochs = epochs
        self.step = step
        self.steps = steps
        self.examplesPerSecond = examplesPerSecond
        self.loss = loss
        self.accuracy = accuracy
        self.secondsLeft = secondsLeft
    }

    /// One line, never wider than the style allows: where it is narrow the bar shrinks, then the
    /// last figures go, and at the very end the line. All figures have fixed places, so that
    /// nothing jumps from step to step.
    package func line(_ style: TextStyle = TextStyle()) -> String {
        let epochDigits = String(epochs).count
        let stepDigits = String(steps).count
        let head = "epoch \(ProgressLine.padded(String(epoch), epochDigits))/\(epochs)"
        let figures = [
            "\(ProgressLine.padded(String(step), stepDigits))/\(steps)",
            "\(ProgressLine.padded(Self.rate(examplesPerSecond), 5)) ex/s",
            "loss \(ProgressLine.padded(Figures.fixed(loss, 4), 6))",
            "acc \(ProgressLine.padded(Figures.fixed(accuracy * 100, 2), 6)) %",
            "\(ProgressLine.padded(Self.duration(secondsLeft), 5)) left",
        ]
        return ProgressLine(
            head: head, share: steps > 0 ? Double(step) / Double(steps) : 0, figures: figures
        ).text(style)
    }

    /// Four figures at most: 950, 12.3k, 412k, 1.25M.
    private static func rate(_ value: Double) -> String {
        switch value {
        case ..<999.5: Figures.fixed(value, 0)
        case ..<99_950: Figures.fixed(value / 1000, 1) + "k"
        case ..<999_500: Figures.fixed(value / 1000, 0) + "k"
        default: value.isFinite ? Figures.fixed(value / 1_000_000, 2) + "M" : "—"
        }
    }

    /// 0:07, 12:34, 3:04:05; rounded up, so that 0:00 means done.
    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, seconds >= 0, seconds < 3_600_000 else { return "—" }
        let whole = Int(seconds.rounded(.up))
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, rest)
            : String(format: "%d:%02d", minutes, rest)
    }
}
