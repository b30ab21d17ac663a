package import Statistics
package import TerminalText

extension Figures {
    /// The mean, and where there are several values what they scatter by.
    package static func meanAndDeviation(_ summary: Summary?, _ digits: Int, scale: Double = 1)
        -> String
    {
        guard let summary else { return "—" }
        let mean = fixed(summary.mean * scale, digits)
        return summary.standardDeviation.map { "\(mean) ± \(fixed($0 * scale, digits))" } ?? mean
    }
}
