import CVector

// The output layer: activation, loss and delta of each example of a leaf. `logits` is `[examples,
// outputs]`, rows `stride` floats apart, a multiple of 16, and becomes the outputs y. `deltas` has
// the same shape and receives ∂loss/∂z. The target t is 1 at the label and `offTarget` elsewhere.
// Sums over outputs are chains over j. `losses` receives each example's loss.

/// Softmax with cross-entropy: loss = ln Σ exp(z − max) − (z[label] − max), δ = y − t.
@inline(never)
package func softmaxCrossEntropy(
    _ logits: UnsafeMutablePointer<Float>, _ stride: Int, _ outputs: Int, _ examples: Int,
    _ labels: UnsafePointer<UInt8>, _ offTarget: Float, _ deltas: UnsafeMutablePointer<Float>,
    _ losses: UnsafeMutablePointer<Float>
) {
    for example in 0..<examples {
        let z = unsafe logits + example &* stride
        let delta = unsafe deltas + example &* stride
        let label = unsafe Int(labels[example])
        let labelLogit = unsafe z[label]
        let (maximum, sum) = unsafe softmax(z, outputs)
        unsafe losses[example] = naturalLogarithm(splat(sum))[0] - (labelLogit - maximum)
        for j in 0..<outputs { unsafe delta[j] = z[j] }
        unsafe delta[label] = z[label] - 1
    }
}

/// Softmax with the mean squared error: δ = y (g − Σ g y) with g = 2 (y − t) / outputs.
@inline(never)
package func softmaxMeanSquaredError(
    _ logits: UnsafeMutablePointer<Float>, _ stride: Int, _ outputs: Int, _ examples: Int,
    _ labels: UnsafePointer<UInt8>, _ offTarget: Float, _ deltas: UnsafeMutablePointer<Float>,
    _ losses: UnsafeMutablePointer<Float>
) {
    for example in 0..<examples {
        let y = unsafe logits + example &* stride
        let delta = unsafe deltas + example &* stride
        _ = unsafe softmax(y, outputs)
        unsafe losses[example] = squaredError(y, outputs, Int(labels[example]), offTarget, delta)
        var dot: Float = 0
        for j in 0..<outputs { dot = unsafe dot.addingProduct(delta[j], y[j]) }
        for j in 0..<outputs { unsafe delta[j] = y[j] * (delta[j] - dot) }
    }
}

/// Sigmoid with binary cross-entropy, from the logits:
/// loss = mean over j of max(z, 0) − z t + ln(1 + e^−|z|), δ = (y − t) / outputs.
@inline(never)
package func sigmoidCrossEntropy(
    _ logits: UnsafeMutablePointer<Float>, _ stride: Int, _ outputs: Int, _ examples: Int,
    _ labels: UnsafePointer<UInt8>, _ offTarget: Float, _ deltas: UnsafeMutablePointer<Float>,
    _ losses: UnsafeMutablePointer<Float>
) {
    let count = Float(outputs)
    for example in 0..<examples {
        let z = unsafe logits + example &* stride
        let delta = unsafe deltas + example &* stride
        let label = unsafe Int(labels[example])
        let labelLogit = unsafe z[label]
        var j = 0
        while j < outputs {
            let logit = unsafe vector_load(z + j)
            let negative = vector_from_bits(vector_bits(logit) | splatBits(0x8000_0000))
            let positivePart = logit.replacing(with: splat(0), where: logit .< splat(0))
            let loss = positivePart + logarithmOfOnePlus(exponential(negative))
            unsafe vector_store(delta + j, loss)
            unsafe vector_store(z + j, logistic(logit))
            j &+= 16
        }
        var loss: Float = 0
        for j in 0..<outputs {
            loss += unsafe j == label ? delta[j] - labelLogit : delta[j]
        }
        unsafe losses[example] = loss / count
        for j in 0..<outputs { unsafe delta[j] = (z[j] - (j == label ? 1 : offTarget)) / count }
    }
}

/// Mean squared error on outputs that an elementwise activation has made already: loss = mean over
/// j of (y − t)², δ = 2 (y − t) / outputs, to be multiplied by the activation's derivative.
@inline(never)
package func meanSquaredError(
    _ y: UnsafeMutablePointer<Float>, _ stride: Int, _ outputs: Int, _ examples: Int,
    _ labels: UnsafePointer<UInt8>, _ offTarget: Float, _ deltas: UnsafeMutablePointer<Float>,
    _ losses: UnsafeMutablePointer<Float>
) {
    for example in 0..<examples {
        unsafe losses[example] = squaredError(
            y + example &* stride, outputs, Int(labels[example]), offTarget,
            deltas + example &* stride)
    }
}

/// The first largest of an example's outputs, of y or, `rescaled`, of (y + 1) / 2.
@inline(never)
package func decide(
    _ outputs: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ examples: Int, _ rescaled: Bool,
    _ decisions: UnsafeMutablePointer<UInt8>
) {
    for example in 0..<examples {
        let y = unsafe outputs + example &* stride
        var best = 0
        var bestValue = unsafe rescaled ? (y[0] + 1) * 0.5 : y[0]
        for j in 1..<max(count, 1) {
            let value = unsafe rescaled ? (y[j] + 1) * 0.5 : y[j]
            if value > bestValue { (best, bestValue) = (j, value) }
        }
        unsafe decisions[example] = UInt8(truncatingIfNeeded: best)
    }
}

/// z ← exp(z − max) / Σ, with the chain's maximum and sum.
@inline(__always)
private func softmax(_ z: UnsafeMutablePointer<Float>, _ outputs: Int) -> (Float, Float) {
    var maximum = unsafe z[0]
    for j in 1..<max(outputs, 1) where unsafe z[j] > maximum { maximum = unsafe z[j] }
    var j = 0
    while j < outputs {
        unsafe vector_store(z + j, exponential(vector_load(z + j) - splat(maximum)))
        j &+= 16
    }
    var sum: Float = 0
    for j in 0..<outputs { sum += unsafe z[j] }
    j = 0
    while j < outputs {
        unsafe vector_store(z + j, vector_load(z + j) / splat(sum))
        j &+= 16
    }
    return (maximum, sum)
}

@inline(__always)
private func squaredError(
    _ y: UnsafePointer<Float>, _ outputs: Int, _ label: Int, _ offTarget: Float,
    _ delta: UnsafeMutablePointer<Float>
) -> Float {
    let count = Float(outputs)
    let factor = 2 / count
    var sum: Float = 0
    for j in 0..<outputs {
        let difference = unsafe y[j] - (j == label ? 1 : offTarget)
        sum.addProduct(difference, difference)
        unsafe delta[j] = difference * factor
    }
    return sum / count
}
