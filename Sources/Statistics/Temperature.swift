import Foundation

/// Temperature scaling after Guo et al., “On Calibration of Modern Neural Networks” (2017): the
/// probabilities are the softmax of the scores divided by one temperature.
package enum Temperature {
    /// Where every fitted temperature lies. Without a bound it would fall to 0 where all examples
    /// are classified correctly.
    package static let range = 1e-3...1e3

    /// The temperature with the least negative log-likelihood.
    ///
    /// The likelihood is convex in the inverse temperature, so that Newton's steps, kept within the
    /// bracket that the slopes leave, come to its one minimum.
    ///
    /// - Parameters:
    ///   - scores: `[examples, classes]`, row-major.
    ///   - labels: of all examples.
    ///   - examples: the places of those to fit to.
    package static func fitted(
        scores: [Double], labels: [UInt8], classCount: Int, examples: some Sequence<Int>
    ) -> Double {
        let examples = Array(examples)
        var (low, high) = (1 / range.upperBound, 1 / range.lowerBound)
        var inverse = 1.0
        for _ in 0..<100 {
            var (slope, curvature) = (0.0, 0.0)
            for example in examples {
                let own = scores[example * classCount..<(example + 1) * classCount]
                let powers = weights(own, inverse)
                let sum = powers.reduce(0, +)
                var (mean, square) = (0.0, 0.0)
                for (score, power) in zip(own, powers) {
                    mean += power / sum * score
                    square += power / sum * score * score
                }
                slope += mean - own[own.startIndex + Int(labels[example])]
                curvature += square - mean * mean
            }
            if slope > 0 { high = inverse } else { low = inverse }
            let step = inverse - slope / curvature
            let next = low < step && step < high ? step : (low * high).squareRoot()
            let isThere = abs(next - inverse) <= 1e-12 * inverse
            inverse = next
            if isThere { break }
        }
        return 1 / inverse
    }

    /// The softmax of the scores over the temperature.
    package static func probabilities(
        _ scores: ArraySlice<Double>, temperature: Double
    ) -> [Double] {
        let powers = weights(scores, 1 / temperature)
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    private static func weights(_ scores: ArraySlice<Double>, _ inverse: Double) -> [Double] {
        let most = scores.max() ?? 0
        return scores.map { exp(($0 - most) * inverse) }
    }
}
