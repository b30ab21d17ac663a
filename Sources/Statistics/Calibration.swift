import Foundation

/// How far outputs can be trusted as probabilities: bins of confidence against accuracy.
///
/// Confidence is the probability of the decision; the expected calibration error after Guo et al.,
/// “On Calibration of Modern Neural Networks” (2017), with bins of equal width.
package struct Calibration: Equatable, Sendable {
    package struct Bin: Equatable, Sendable {
        package fileprivate(set) var count = 0
        fileprivate var confidenceSum = 0.0
        fileprivate var correctCount = 0

        package var meanConfidence: Double { count == 0 ? .nan : confidenceSum / Double(count) }
        package var accuracy: Double { count == 0 ? .nan : Double(correctCount) / Double(count) }
    }

    package private(set) var bins: [Bin]
    package private(set) var count = 0
    /// Outputs outside 0…1, of all outputs.
    package private(set) var impossibleCount = 0
    package private(set) var outputCount = 0
    private var brierSum = 0.0
    private var surpriseSum = 0.0
    private var outputSum = 0.0

    package init(binCount: Int = 15) {
        precondition(binCount > 0, "at least one bin")
        bins = Array(repeating: Bin(), count: binCount)
    }

    /// Adds an example's outputs, taken as probabilities. For the bins, a confidence outside 0…1
    /// counts as the nearest end.
    package mutating func add(
        _ outputs: some Collection<some BinaryFloatingPoint>, label: Int
    ) {
        var decision = 0
        var confidence = -Double.infinity
        var (likelihood, likelihoods) = (0.0, 0.0)
        for (digit, output) in outputs.enumerated() {
            let output = Double(output)
            let possible = max(output, Self.leastProbability)
            likelihoods += possible
            if digit == label { likelihood = possible }
            if output > confidence { (decision, confidence) = (digit, output) }
            let difference = output - (digit == label ? 1 : 0)
            brierSum += difference * difference
            outputSum += output
            outputCount += 1
            if output < 0 || output > 1 { impossibleCount += 1 }
        }
        surpriseSum -= log(likelihood / likelihoods)
        confidence = min(max(confidence, 0), 1)
        let bin = min(Int(confidence * Double(bins.count)), bins.count - 1)
        bins[bin].count += 1
        bins[bin].confidenceSum += confidence
        bins[bin].correctCount += decision == label ? 1 : 0
        count += 1
    }

    /// The mean distance of confidence from accuracy over the examples of each bin.
    package var expectedError: Double {
        bins.reduce(0) { sum, bin in
            bin.count == 0
                ? sum
                : sum + Double(bin.count) / Double(count) * abs(bin.accuracy - bin.meanConfidence)
        }
    }

    /// The Brier score: the mean over examples of the summed squared distances, 0 at best.
    package var brierScore: Double { brierSum / Double(count) }

    /// The mean over examples of −ln of the label's probability, the outputs being cut off below at
    /// ``leastProbability`` and divided by their sum.
    package var negativeLogLikelihood: Double { surpriseSum / Double(count) }

    package static let leastProbability = 1e-7

    /// Adds the examples of another one with as many bins.
    package mutating func add(_ other: Calibration) {
        precondition(bins.count == other.bins.count, "the same bins")
        for (place, bin) in other.bins.enumerated() {
            bins[place].count += bin.count
            bins[place].confidenceSum += bin.confidenceSum
            bins[place].correctCount += bin.correctCount
        }
        count += other.count
        impossibleCount += other.impossibleCount
        outputCount += other.outputCount
        brierSum += other.brierSum
        surpriseSum += other.surpriseSum
        outputSum += other.outputSum
    }

    /// What an example's outputs add up to, in the mean; probabilities add up to 1.
    package var meanOutputSum: Double { outputSum / Double(count) }

    package var impossibleShare: Double { Double(impossibleCount) / Double(max(outputCount, 1)) }
}
