import CVector

// Elementwise functions over `count` floats, in place unless said otherwise. `count` is rounded up
// to whole vectors of 16: the buffers are padded, and what padding holds is never read.

@inline(__always)
private func transform(
    _ values: UnsafeMutablePointer<Float>, _ count: Int,
    _ function: (SIMD16<Float>) -> SIMD16<Float>
) {
    var i = 0
    while i < count {
        unsafe vector_store(values + i, function(vector_load(values + i)))
        i &+= 16
    }
}

/// deltas ← function(activation, delta).
@inline(__always)
private func transform(
    _ deltas: UnsafeMutablePointer<Float>, _ activations: UnsafePointer<Float>, _ count: Int,
    _ function: (SIMD16<Float>, SIMD16<Float>) -> SIMD16<Float>
) {
    var i = 0
    while i < count {
        let delta = unsafe vector_load(deltas + i)
        unsafe vector_store(deltas + i, function(vector_load(activations + i), delta))
        i &+= 16
    }
}

@inline(never)
package func exponentialForward(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    unsafe transform(values, count) { exponential($0) }
}

@inline(never)
package func logarithmForward(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    unsafe transform(values, count) { naturalLogarithm($0) }
}

@inline(never)
package func tanhForward(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    unsafe transform(values, count) { hyperbolicTangent($0) }
}

@inline(never)
package func sigmoidForward(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    unsafe transform(values, count) { logistic($0) }
}

/// x < 0 ? 0 : x, so that a NaN survives.
@inline(never)
package func reluForward(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    unsafe transform(values, count) { $0.replacing(with: splat(0), where: $0 .< splat(0)) }
}

/// δ ← δ (1 − y²)
@inline(never)
package func tanhBackward(
    _ deltas: UnsafeMutablePointer<Float>, _ activations: UnsafePointer<Float>, _ count: Int
) {
    unsafe transform(deltas, activations, count) { y, delta in
        delta * vector_fma(splat(0) - y, y, splat(1))
    }
}

/// δ ← δ y (1 − y)
@inline(never)
package func sigmoidBackward(
    _ deltas: UnsafeMutablePointer<Float>, _ activations: UnsafePointer<Float>, _ count: Int
) {
    unsafe transform(deltas, activations, count) { y, delta in delta * (y * (splat(1) - y)) }
}

/// δ ← y ≤ 0 ? 0 : δ
@inline(never)
package func reluBackward(
    _ deltas: UnsafeMutablePointer<Float>, _ activations: UnsafePointer<Float>, _ count: Int
) {
    unsafe transform(deltas, activations, count) { y, delta in
        delta.replacing(with: splat(0), where: y .<= splat(0))
    }
}

/// How many of `values` (`[rows, columns]`, row `stride` floats apart) are at or beyond a bound: ≤
/// `lower` or ≥ `upper`.
@inline(never)
package func countOutside(
    _ values: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ stride: Int, _ lower: Float,
    _ upper: Float
) -> Int {
    let (lower, upper) = (splat(lower), splat(upper))
    let (zero, one) = (splatBits(0), splatBits(1))
    let lanes = SIMD16<UInt32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    var counts = zero
    for row in 0..<rows {
        var column = 0
        while column < columns {
            let x = unsafe vector_load(values + (row &* stride &+ column))
            let outside = (x .<= lower) .| (x .>= upper)
            let valid = lanes .< splatBits(UInt32(truncatingIfNeeded: columns &- column))
            counts = counts &+ zero.replacing(with: one, where: outside .& valid)
            column &+= 16
        }
    }
    return Int(counts.wrappedSum())
}
