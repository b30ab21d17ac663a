import CVector

// exp, log and tanh of 16 lanes, from + − × ÷, fma and integer steps only, so that every CPU gives
// the same bits; within 2 ulp of the true value over the whole range. Coefficients: Cephes
// (Moshier), single precision. A NaN goes in and comes out.

@inline(__always) func splat(_ value: Float) -> SIMD16<Float> { SIMD16(repeating: value) }

@inline(__always) func splatBits(_ bits: UInt32) -> SIMD16<UInt32> { SIMD16(repeating: bits) }

/// eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2. The power of two is multiplied in two halves, so that results
/// down to the smallest denormal and up to infinity are rounded once.
@inline(__always) func exponential(_ x: SIMD16<Float>) -> SIMD16<Float> {
    var x = x.replacing(with: splat(89), where: x .> splat(89))
    x = x.replacing(with: splat(-105), where: x .< splat(-105))
    // Adding 1.5 · 2²³ rounds to an integer, left in the low bits.
    let rounder = splat(0x1.8p23)
    let shifted = vector_fma(x, splat(1.442_695_04), rounder)
    let n = shifted - rounder
    var r = vector_fma(n, splat(-0.693_359_375), x)
    r = vector_fma(n, splat(2.121_944_4e-4), r)
    var p = splat(1.987_569_15e-4)
    p = vector_fma(p, r, splat(1.398_199_95e-3))
    p = vector_fma(p, r, splat(8.333_451_9e-3))
    p = vector_fma(p, r, splat(4.166_579_6e-2))
    p = vector_fma(p, r, splat(1.666_666_55e-1))
    p = vector_fma(p, r, splat(5.000_000_1e-1))
    let y = vector_fma(p, r * r, r) + splat(1)
    // n + 256 ≥ 0, so that plain shifts halve it.
    let biased = vector_bits(shifted) &- vector_bits(rounder) &+ splatBits(256)
    let half = biased &>> splatBits(1)
    let low = vector_from_bits((half &- splatBits(1)) &<< splatBits(23))
    let high = vector_from_bits((biased &- half &- splatBits(1)) &<< splatBits(23))
    return y * low * high
}

/// ln x; −∞ at zero, NaN below.
@inline(__always) func naturalLogarithm(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let tiny = x .< splat(0x1p-126)
    let scaled = x.replacing(with: x * splat(0x1p23), where: tiny)
    // x = 2ᵉ (1 + f) with 1 + f in [√½, √2); 128 keeps the exponent positive while it is shifted
    // down.
    let bits = vector_bits(scaled) &- splatBits(0x3f35_04f3) &+ splatBits(128 << 23)
    let exponentBits = (bits &>> splatBits(23)) &+ splatBits(0x4b00_0000)
    var exponent = vector_from_bits(exponentBits) - splat(0x1p23 + 128)
    exponent = exponent.replacing(with: exponent - splat(23), where: tiny)
    let f =
        vector_from_bits((bits & splatBits(0x007f_ffff)) &+ splatBits(0x3f35_04f3))
        - splat(1)
    let z = f * f
    var p = splat(7.037_683_63e-2)
    p = vector_fma(p, f, splat(-1.151_461_03e-1))
    p = vector_fma(p, f, splat(1.167_699_87e-1))
    p = vector_fma(p, f, splat(-1.242_014_08e-1))
    p = vector_fma(p, f, splat(1.424_932_28e-1))
    p = vector_fma(p, f, splat(-1.666_805_77e-1))
    p = vector_fma(p, f, splat(2.000_071_48e-1))
    p = vector_fma(p, f, splat(-2.499_999_4e-1))
    p = vector_fma(p, f, splat(3.333_333_12e-1))
    var y = f * z * p
    y = vector_fma(exponent, splat(-2.121_944_4e-4), y)
    y = vector_fma(z, splat(-0.5), y)
    y = vector_fma(exponent, splat(0.693_359_375), f + y)
    y = y.replacing(with: splat(-Float.infinity), where: x .== splat(0))
    // Infinity stays; a NaN stays; below zero there is no logarithm.
    y = y.replacing(with: x, where: .!(x .< splat(Float.infinity)))
    return y.replacing(with: splat(Float.nan), where: x .< splat(0))
}

/// ln(1 + x) for x in [0, 1]: the logarithm of the rounded sum, corrected by what rounding lost.
@inline(__always) func logarithmOfOnePlus(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let sum = splat(1) + x
    return naturalLogarithm(sum) + (x - (sum - splat(1))) / sum
}

/// tanh x: an odd polynomial near zero, 1 − 2 / (e²ˣ + 1) elsewhere.
@inline(__always) func hyperbolicTangent(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let sign = vector_bits(x) & splatBits(0x8000_0000)
    let magnitude = vector_from_bits(vector_bits(x) ^ sign)
    let z = x * x
    var p = splat(-5.704_988_7e-3)
    p = vector_fma(p, z, splat(2.063_908_9e-2))
    p = vector_fma(p, z, splat(-5.373_971_6e-2))
    p = vector_fma(p, z, splat(1.333_144_22e-1))
    p = vector_fma(p, z, splat(-3.333_328_19e-1))
    let near = vector_fma(p * z, magnitude, magnitude)
    let e = exponential(magnitude + magnitude)
    let far = splat(1) - splat(2) / (e + splat(1))
    let result = near.replacing(with: far, where: magnitude .>= splat(0.625))
    return vector_from_bits(vector_bits(result) | sign)
}

/// 1 / (1 + e⁻ˣ), from e^−|x| so that both tails keep their relative precision. The quotient is
/// corrected by its remainder, with what rounding the divisor lost: else it would be off by up to
/// 2.4 ulp.
@inline(__always) func logistic(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let negative = vector_from_bits(vector_bits(x) | splatBits(0x8000_0000))
    let e = exponential(negative)
    let numerator = splat(1).replacing(with: e, where: x .< splat(0))
    let divisor = splat(1) + e
    let lost = e - (divisor - splat(1))
    let reciprocal = splat(1) / divisor
    let quotient = numerator * reciprocal
    let minus = splat(0) - quotient
    let remainder = vector_fma(minus, lost, vector_fma(minus, divisor, numerator))
    return vector_fma(remainder, reciprocal, quotient)
}
