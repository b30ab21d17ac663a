/// An example's outputs, deltas and loss.
struct OutputTwin {
    var outputs: [Float]
    var deltas: [Float]
    var loss: Float
}

/// The output layers, one example at a time.
extension Twin {
    static func softmaxCrossEntropy(_ z: [Float], label: Int, offTarget: Float) -> OutputTwin {
        let (y, maximum, sum) = softmax(z)
        var deltas = y
        deltas[label] -= 1
        let loss = naturalLogarithm(sum) - (z[label] - maximum)
        return OutputTwin(outputs: y, deltas: deltas, loss: loss)
    }

    static func softmaxMeanSquaredError(_ z: [Float], label: Int, offTarget: Float) -> OutputTwin {
        var result = meanSquaredError(softmax(z).y, label: label, offTarget: offTarget)
        var dot: Float = 0
        for (delta, y) in zip(result.deltas, result.outputs) { dot.addProduct(delta, y) }
        result.deltas = zip(result.deltas, result.outputs).map { delta, y in y * (delta - dot) }
        return result
    }

    static func sigmoidCrossEntropy(_ z: [Float], label: Int, offTarget: Float) -> OutputTwin {
        let y = z.map(logistic)
        let count = Float(z.count)
        var sum: Float = 0
        for (j, logit) in z.enumerated() {
            let positivePart = logit < 0 ? 0 : logit
            let loss = positivePart + logarithmOfOnePlus(exponential(-logit.magnitude))
            sum += j == label ? loss - logit : loss
        }
        let deltas = y.enumerated().map { ($1 - ($0 == label ? 1 : offTarget)) / count }
        return OutputTwin(outputs: y, deltas: deltas, loss: sum / count)
    }

    static func meanSquaredError(_ y: [Float], label: Int, offTarget: Float) -> OutputTwin {
        let count = Float(y.count)
        let factor = 2 / count
        var sum: Float = 0
        let differences = y.enumerated().map { $1 - ($0 == label ? 1 : offTarget) }
        for difference in differences { sum.addProduct(difference, difference) }
        return OutputTwin(outputs: y, deltas: differences.map { $0 * factor }, loss: sum / count)
    }

    /// The first largest.
    static func decision(_ outputs: [Float], isRescaled: Bool) -> UInt8 {
        let values = isRescaled ? outputs.map { ($0 + 1) * 0.5 } : outputs
        var best = 0
        for (j, value) in values.enumerated() where value > values[best] { best = j }
        return UInt8(best)
    }

    private static func softmax(_ z: [Float]) -> (y: [Float], maximum: Float, sum: Float) {
        var maximum = z[0]
        for value in z where value > maximum { maximum = value }
        let powers = z.map { exponential($0 - maximum) }
        var sum: Float = 0
        for power in powers { sum += power }
        return (powers.map { $0 / sum }, maximum, sum)
    }
}
