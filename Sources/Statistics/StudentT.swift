import Foundation

/// Student's t distribution with a whole number of degrees of freedom.
package enum StudentT {
    /// The probability that |T| ≤ `t`, by the finite series of Abramowitz and Stegun, 26.7.3 and
    /// 26.7.4.
    package static func probability(within t: Double, degreesOfFreedom: Int) -> Double {
        precondition(degreesOfFreedom >= 1, "Student's t needs a degree of freedom")
        let angle = atan(t / Double(degreesOfFreedom).squareRoot())
        let cosine = cos(angle)
        let isOdd = !degreesOfFreedom.isMultiple(of: 2)
        var term = isOdd ? cosine : 1
        var sum = degreesOfFreedom == 1 ? 0 : term
        for k in stride(from: isOdd ? 3 : 2, to: degreesOfFreedom, by: 2) {
            term *= cosine * cosine * Double(k - 1) / Double(k)
            sum += term
        }
        return isOdd ? 2 / Double.pi * (angle + sin(angle) * sum) : sin(angle) * sum
    }

    /// The t with `probability(within: t) = confidence`, for a confidence between 0 and 1, both
    /// excluded.
    package static func quantile(confidence: Double, degreesOfFreedom: Int) -> Double {
        precondition(confidence > 0 && confidence < 1, "a confidence lies between 0 and 1")
        var low = 0.0
        var high = 1.0
        while probability(within: high, degreesOfFreedom: degreesOfFreedom) < confidence {
            low = high
            high *= 2
        }
        // Halving until the doubles are neighbours takes 53 rounds at most.
        while true {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { return high }
            if probability(within: middle, degreesOfFreedom: degreesOfFreedom) < confidence {
                low = middle
            } else {
                high = middle
            }
        }
    }
}
