import Report
import RunRecords
import TestSupport

/// Comparisons and matrices whose texts are tested.
enum ReportSamples {
    static let oneSeed = Comparison([
        Samples.outcome("mse-tanh", accuracies: Samples.mseAccuracies),
        Samples.outcome(
            "mse-tanh-rescaled", accuracies: Samples.mseAccuracies, changed: 0, compared: 10_000),
        Samples.outcome("ce-softmax", accuracies: Samples.crossEntropyAccuracies),
    ])

    /// One of the nine runs diverged, and rescaling changed decisions.
    static let threeSeeds = Comparison(
        (1...3).flatMap { seed in
            let shift = Double(seed) * 0.0007
            return [
                seed == 2
                    ? Samples.outcome(
                        "mse-tanh", seed: 2, accuracies: [0.94, 0.95], status: .diverged,
                        cause: "non-finite mean gradient in shard 0", divergedStep: 4000)
                    : Samples.outcome(
                        "mse-tanh", seed: UInt64(seed),
                        accuracies: Samples.mseAccuracies.map { $0 + 3 * shift }),
                Samples.outcome(
                    "mse-tanh-rescaled", seed: UInt64(seed),
                    accuracies: Samples.mseAccuracies.map { $0 + 2 * shift }, changed: 1,
                    compared: 10_000),
                Samples.outcome(
                    "ce-softmax", seed: UInt64(seed),
                    accuracies: Samples.crossEntropyAccuracies.map { $0 - shift }),
            ]
        })

    static let threeClearSeeds = Comparison(
        (1...3).flatMap { seed in
            let shift = Double(seed) * 0.0003
            return [
                Samples.outcome(
                    "mse-tanh", seed: UInt64(seed),
                    accuracies: Samples.mseAccuracies.map { $0 + shift },
                    saturation: [0.001, 0.002]),
                Samples.outcome(
                    "mse-tanh-rescaled", seed: UInt64(seed),
                    accuracies: Samples.mseAccuracies.map { $0 + (seed == 2 ? 0.9 : 1.1) * shift }),
                Samples.outcome(
                    "ce-softmax", seed: UInt64(seed),
                    accuracies: Samples.crossEntropyAccuracies.map { $0 - shift }),
            ]
        })

    static let confusion: ConfusionMatrix = {
        var matrix = ConfusionMatrix()
        for label in 0..<9 { matrix.add(actual: label, decided: label, count: 900 + 20 * label) }
        matrix.add(actual: 4, decided: 8, count: 12)
        matrix.add(actual: 8, decided: 3, count: 5)
        matrix.add(actual: 1, decided: 7)
        return matrix
    }()
}
