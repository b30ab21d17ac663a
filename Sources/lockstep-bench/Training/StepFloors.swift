import NeuralNetwork
import TerminalText

/// What the parts of a step take at least on this machine, measured by themselves.
struct StepFloors {
    /// Operations a second of one core; nil where they could not be measured.
    let peak: Double?
    let exchange: ExchangeFloor?

    /// The best ratio to a peer's rate that one core can reach: all multiply-adds at its peak, and
    /// nothing else.
    func oneThread(_ shape: TrainingShape, density: Double, against rate: Double) -> Floor? {
        guard let peak else { return nil }
        let operations = shape.operationsPerExample(inputDensity: density)
        let most = peak / operations
        return Floor(
            ratio: most / rate,
            text: "\(Figures.fixed(operations * 1e-6, 2)) MFLOP an example at one core's measured "
                + "peak, \(Figures.fixed(peak * 1e-9, 0)) GFLOP/s, are "
                + "\(Figures.fixed(most, 0)) examples/s")
    }

    /// Microseconds of a step of two workers on two cores: half of the one-thread step, then the
    /// exchange.
    func twoWorkers(_ batch: Int, alone rate: Double) -> Double? {
        exchange.map { Double(batch) / (2 * rate) * 1e6 + $0.microseconds }
    }

    /// The best ratio to another rate that two workers can reach.
    func twoWorkers(_ batch: Int, alone: Double, against rate: Double) -> Floor? {
        guard let exchange, let floor = twoWorkers(batch, alone: alone) else { return nil }
        let half = Double(batch) / (2 * alone) * 1e6
        return Floor(
            ratio: Double(batch) / floor * 1e6 / rate,
            text:
                "half of the one-thread step, \(Figures.fixed(half, 0)) µs, and \(exchange.name), "
                + "\(Figures.fixed(exchange.microseconds, 0)) µs")
    }
}
