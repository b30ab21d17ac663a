import Foundation

/// The standard normal distribution.
enum Normal {
    /// The probability of at most `z`.
    static func probability(below z: Double) -> Double { erfc(-z / 2.0.squareRoot()) / 2 }

    /// The z with `probability(below: z) = probability`, which lies between 0 and 1, both excluded.
    static func quantile(_ probability: Double) -> Double {
        precondition(probability > 0 && probability < 1, "a probability lies between 0 and 1")
        var (low, high) = (-40.0, 40.0)
        while true {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { return high }
            if self.probability(below: middle) < probability { low = middle } else { high = middle }
        }
    }

    /// With which an interval at 95 % reaches to both sides.
    static let quantile975 = quantile(0.975)
}
