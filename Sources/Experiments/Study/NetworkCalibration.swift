import Foundation
import Statistics

/// What one network's outputs are worth as probabilities, on all test digits.
struct NetworkCalibration {
    /// The outputs as they are.
    private(set) var plain = Calibration()
    /// After (y + 1) / 2.
    private(set) var rescaled = Calibration()
    /// After temperature scaling. Each half of the digits, those in even and those in odd places,
    /// has the temperature that fits the other half.
    private(set) var tempered = Calibration()
    /// The mean of the two.
    let temperature: Double

    /// Below it a probability has no logarithm worth the name.
    private static let leastProbability = 1e-30

    /// - Parameters:
    ///   - outputs: `[labels, classes]`, row-major.
    ///   - isSoftmax: whether they have logarithms, which are the scores; else they are themselves.
    init(_ outputs: [Float], labels: [UInt8], isSoftmax: Bool) {
        let classCount = StudyOutputs.classCount
        let scores = outputs.map {
            isSoftmax ? log(max(Double($0), Self.leastProbability)) : Double($0)
        }
        let temperatures = (0..<2).map { half in
            Temperature.fitted(
                scores: scores, labels: labels, classCount: classCount,
                examples: stride(from: 1 - half, to: labels.count, by: 2))
        }
        temperature = (temperatures[0] + temperatures[1]) / 2
        for (digit, label) in labels.enumerated() {
            let place = digit * classCount..<(digit + 1) * classCount
            plain.add(outputs[place], label: Int(label))
            rescaled.add(outputs[place].map { ($0 + 1) * 0.5 }, label: Int(label))
            tempered.add(
                Temperature.probabilities(scores[place], temperature: temperatures[digit % 2]),
                label: Int(label))
        }
    }
}

/// The outputs of one kind, of the networks of all seeds.
struct OutputCalibration {
    let label: String
    /// By seed.
    let networks: [Calibration]
    /// By seed; none where there is no temperature.
    let temperatures: [Double]
    /// All digits of all seeds.
    let pooled: Calibration

    init(
        _ label: String, _ networks: [NetworkCalibration],
        _ kind: KeyPath<NetworkCalibration, Calibration>
    ) {
        self.label = label
        self.networks = networks.map { $0[keyPath: kind] }
        temperatures = kind == \.tempered ? networks.map(\.temperature) : []
        pooled = self.networks.reduce(into: Calibration()) { $0.add($1) }
    }

    /// A figure's mean over the seeds and, from ``Verdict/fewestPairs`` on, Student's interval.
    func figure(
        _ value: (Calibration) -> Double
    ) -> (mean: Double, interval: ClosedRange<Double>?)? {
        Summary(networks.map(value)).map { summary in
            (summary.mean, StudyReport.interval(summary, within: 0...Double.infinity))
        }
    }
}
