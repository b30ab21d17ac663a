package import RunRecords
package import TerminalText

extension EpochRecord {
    /// One line an epoch, for logs and pipes.
    ///
    /// - Parameters:
    ///   - epochs: those of the whole run.
    ///   - examplesPerSecond: of this epoch, training time only.
    package func line(epochs: Int, examplesPerSecond: Double, _ style: TextStyle = TextStyle())
        -> String
    {
        let digits = String(epochs).count
        let number =
            String(repeating: " ", count: max(0, digits - String(epoch).count)) + "\(epoch)"
        return style.adapted(
            "epoch \(number)/\(epochs)"
                + "  train loss \(Figures.fixed(trainLoss, 5)) acc \(percent(trainAccuracy)) %"
                + "  test loss \(Figures.fixed(testLoss, 5)) acc \(percent(testAccuracy)) %"
                + "  \(Figures.fixed(examplesPerSecond, 0)) ex/s")
    }

    private func percent(_ share: Double) -> String { Figures.fixed(share * 100, 2) }
}
