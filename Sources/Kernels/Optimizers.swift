import CVector

// Optimisers are elementwise over `count` parameters, with Keras 3's formulas. The mean gradient is
// sums[i] / examples. `newWeights` may be `weights`. `decay` is rate × weight decay (decoupled, as
// in Keras' AdamW), 0 for biases. Sums may lie unaligned, as they came over the wire.
//
// Each returns false if a mean, a state or a weight is not finite. The check is a sum of
// fma(x, 0, ·): once NaN, it stays NaN.

/// A moment below this is zero: decaying moments never reach the denormals, which cost a hundred
/// cycles each. Beside ε = 1e-7 such a moment moves no weight.
private let smallestMoment: Float = 0x1p-100

/// sum / examples. Where the count is a power of two its exact reciprocal gives the same bits,
/// sooner.
@inline(__always)
private func mean(
    _ sum: SIMD16<Float>, _ examples: SIMD16<Float>, _ reciprocal: SIMD16<Float>, _ exact: Bool
) -> SIMD16<Float> {
    exact ? sum * reciprocal : sum / examples
}

@inline(__always)
private func flushed(_ moment: SIMD16<Float>, _ magnitude: SIMD16<Float>) -> SIMD16<Float> {
    moment.replacing(with: splat(0), where: magnitude .< splat(smallestMoment))
}

@inline(__always)
private func magnitude(_ x: SIMD16<Float>) -> SIMD16<Float> {
    vector_from_bits(vector_bits(x) & splatBits(0x7fff_ffff))
}

/// Calls `update` for whole vectors, then for the padded rest.
@inline(__always)
private func eachVector(
    _ count: Int, _ update: (_ index: Int, _ lanes: Int) -> SIMD16<Float>
) -> Bool {
    var poison = splat(0)
    var i = 0
    while i &+ 16 <= count {
        poison = poison + update(i, 16)
        i &+= 16
    }
    if i < count { poison = poison + update(i, count &- i) }
    return vector_lane_sum(poison) == 0
}

/// What an update by Adam is made with.
private struct Adam {
    let examples: SIMD16<Float>
    let reciprocal: SIMD16<Float>
    let isExact: Bool
    let rate: SIMD16<Float>
    let shrink: SIMD16<Float>

    @inline(__always)
    init(_ examples: Float, _ rate: Float, _ decay: Float) {
        (self.examples, reciprocal) = (splat(examples), splat(1 / examples))
        isExact = examples.significandBitPattern == 0
        (self.rate, shrink) = (splat(rate), splat(-decay))
    }

    /// One vector of weights w and moments m and v.
    @inline(__always)
    func update(
        _ sum: SIMD16<Float>, _ w: inout SIMD16<Float>, _ m: inout SIMD16<Float>,
        _ v: inout SIMD16<Float>
    ) {
        let g = mean(sum, examples, reciprocal, isExact)
        // The root first: it and the division keep the divider busy, which takes longest.
        v = vector_fma(vector_fma(g, g, splat(0) - v), splat(0.001), v)
        v = flushed(v, v)
        let root = vector_square_root(v)
        m = vector_fma(g - m, splat(0.1), m)
        m = flushed(m, magnitude(m))
        w = vector_fma(shrink, w, w)
        w = w - (m * rate) / (root + splat(1e-7))
    }
}

/// Adam (Kingma & Ba 2015, as Keras 3: ε outside the root, both bias corrections in the rate).
///
/// m += (g − m)(1 − β₁); v += (g² − v)(1 − β₂); w −= rate · m / (√v + ε)
@inline(never)
package func adam(
    _ count: Int, _ sums: UnsafeRawPointer, _ examples: Float, _ rate: Float, _ decay: Float,
    _ weights: UnsafePointer<Float>, _ newWeights: UnsafeMutableRawPointer,
    _ firstMoment: UnsafeMutablePointer<Float>, _ secondMoment: UnsafeMutablePointer<Float>
) -> Bool {
    let adam = Adam(examples, rate, decay)
    return eachVector(count) { i, lanes in
        let sum = unsafe vector_load_first(sums + i &* 4, lanes)
        var w = unsafe vector_load_first(weights + i, lanes)
        var m = unsafe vector_load_first(firstMoment + i, lanes)
        var v = unsafe vector_load_first(secondMoment + i, lanes)
        adam.update(sum, &w, &m, &v)
        unsafe vector_store_first(firstMoment + i, m, lanes)
        unsafe vector_store_first(secondMoment + i, v, lanes)
        unsafe vector_store_first(newWeights + i &* 4, w, lanes)
        // A mean that is not finite leaves a second moment that is not.
        return vector_fma(w, splat(0), v * splat(0))
    }
}

/// `adam` of `rows` rows of `width` floats, a multiple of 16, that also does what `squaredNorms` of
/// the sums and `digest` of the new weights would: while a division is waited for, they are free.
@inline(never)
package func measuredAdam(
    _ rows: Int, _ width: Int, _ sums: UnsafeRawPointer, _ examples: Float, _ rate: Float,
    _ decay: Float, _ weights: UnsafePointer<Float>, _ newWeights: UnsafeMutableRawPointer,
    _ firstMoment: UnsafeMutablePointer<Float>, _ secondMoment: UnsafeMutablePointer<Float>,
    _ squares: UnsafeMutableRawPointer, _ first: Int
) -> (isFinite: Bool, digest: UInt64) {
    let adam = Adam(examples, rate, decay)
    var digest = DigestSums()
    var poison = splat(0)
    for row in 0...rows {
        var square = splat(0)
        var i = row &* width
        let end = i &+ width
        while i < end {
            if row < rows {
                let sum = unsafe vector_load(sums + i &* 4)
                var w = unsafe vector_load(weights + i)
                var m = unsafe vector_load(firstMoment + i)
                var v = unsafe vector_load(secondMoment + i)
                addSquare(sum, &square)
                adam.update(sum, &w, &m, &v)
                unsafe vector_store(firstMoment + i, m)
                unsafe vector_store(secondMoment + i, v)
                unsafe vector_store(newWeights + i &* 4, w)
                poison = vector_fma(v, splat(0), poison)
            }
            // Of the row before, which is stored by now: nothing waits for the divisions.
            if row > 0 {
                let w = unsafe vector_load(newWeights + (i &- width) &* 4)
                digest.add(w)
                poison = vector_fma(w, splat(0), poison)
            }
            i &+= 16
        }
        if row < rows {
            unsafe squares.storeBytes(
                of: vector_lane_sum(square), toByteOffset: row &* 4, as: Float.self)
        }
    }
    return (vector_lane_sum(poison) == 0, digest.value(lines: rows &* width / 16, first))
}

/// Gradient descent: w −= rate · g
@inline(never)
package func gradientDescent(
    _ count: Int, _ sums: UnsafeRawPointer, _ examples: Float, _ rate: Float, _ decay: Float,
    _ weights: UnsafePointer<Float>, _ newWeights: UnsafeMutableRawPointer
) -> Bool {
    let (divisor, reciprocal) = (splat(examples), splat(1 / examples))
    let exact = examples.significandBitPattern == 0
    let (step, shrink) = (splat(-rate), splat(-decay))
    return eachVector(count) { i, lanes in
        let g = unsafe mean(vector_load_first(sums + i &* 4, lanes), divisor, reciprocal, exact)
        var w = unsafe vector_load_first(weights + i, lanes)
        w = vector_fma(shrink, w, w)
        w = vector_fma(step, g, w)
        unsafe vector_store_first(newWeights + i &* 4, w, lanes)
        return vector_fma(w, splat(0), g * splat(0))
    }
}

/// Momentum 0.9: u = 0.9 u − rate · g; w += u. With `nesterov`, w += 0.9 u − rate · g, of the new
/// u.
@inline(never)
package func momentum(
    _ count: Int, _ sums: UnsafeRawPointer, _ examples: Float, _ rate: Float, _ decay: Float,
    _ nesterov: Bool, _ weights: UnsafePointer<Float>, _ newWeights: UnsafeMutableRawPointer,
    _ velocity: UnsafeMutablePointer<Float>
) -> Bool {
    let (divisor, reciprocal) = (splat(examples), splat(1 / examples))
    let exact = examples.significandBitPattern == 0
    let (step, shrink, keep) = (splat(-rate), splat(-decay), splat(0.9))
    return eachVector(count) { i, lanes in
        let g = unsafe mean(vector_load_first(sums + i &* 4, lanes), divisor, reciprocal, exact)
        var w = unsafe vector_load_first(weights + i, lanes)
        var u = unsafe vector_load_first(velocity + i, lanes)
        let descent = step * g
        u = vector_fma(keep, u, descent)
        u = flushed(u, magnitude(u))
        w = vector_fma(shrink, w, w)
        w = nesterov ? w + vector_fma(keep, u, descent) : w + u
        unsafe vector_store_first(velocity + i, u, lanes)
        unsafe vector_store_first(newWeights + i &* 4, w, lanes)
        return vector_fma(w, splat(0), vector_fma(u, splat(0), g * splat(0)))
    }
}
