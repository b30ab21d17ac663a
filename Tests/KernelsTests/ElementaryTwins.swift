/// The kernels again, one scalar at a time in plain Swift: slow, short, and the same to the bit.
enum Twin {}

/// exp, log, tanh and sigmoid with the polynomials of Sources/Kernels/Elementary.swift.
extension Twin {
    static func exponential(_ input: Float) -> Float {
        let below = input > 89 ? 89 : input
        let x = below < -105 ? -105 : below
        let rounder: Float = 0x1.8p23
        let shifted = rounder.addingProduct(x, 1.442_695_04)
        let n = shifted - rounder
        let r = x.addingProduct(n, -0.693_359_375).addingProduct(n, 2.121_944_4e-4)
        let p = polynomial(
            r,
            [
                1.987_569_15e-4, 1.398_199_95e-3, 8.333_451_9e-3, 4.166_579_6e-2,
                1.666_666_55e-1, 5.000_000_1e-1,
            ])
        let y = r.addingProduct(p, r * r) + 1
        let biased = shifted.bitPattern &- rounder.bitPattern &+ 256
        let half = biased &>> 1
        let low = Float(bitPattern: (half &- 1) &<< 23)
        let high = Float(bitPattern: (biased &- half &- 1) &<< 23)
        return y * low * high
    }

    static func naturalLogarithm(_ x: Float) -> Float {
        if x < 0 { return .nan }
        if x == 0 { return -.infinity }
        if !(x < .infinity) { return x }
        let isTiny = x < 0x1p-126
        let bits = (isTiny ? x * 0x1p23 : x).bitPattern &- 0x3f35_04f3 &+ 128 << 23
        var exponent = Float(bits >> 23) - 128
        if isTiny { exponent -= 23 }
        let f = Float(bitPattern: bits & 0x007f_ffff &+ 0x3f35_04f3) - 1
        let z = f * f
        let p = polynomial(
            f,
            [
                7.037_683_63e-2, -1.151_461_03e-1, 1.167_699_87e-1, -1.242_014_08e-1,
                1.424_932_28e-1, -1.666_805_77e-1, 2.000_071_48e-1, -2.499_999_4e-1,
                3.333_333_12e-1,
            ])
        let y = (f * z * p).addingProduct(exponent, -2.121_944_4e-4).addingProduct(z, -0.5)
        return (f + y).addingProduct(exponent, 0.693_359_375)
    }

    static func logarithmOfOnePlus(_ x: Float) -> Float {
        let sum = 1 + x
        return naturalLogarithm(sum) + (x - (sum - 1)) / sum
    }

    static func hyperbolicTangent(_ x: Float) -> Float {
        if x.magnitude >= 0.625 {
            let far = 1 - 2 / (exponential(x.magnitude + x.magnitude) + 1)
            return Float(signOf: x, magnitudeOf: far)
        }
        let z = x * x
        let p = polynomial(
            z,
            [
                -5.704_988_7e-3, 2.063_908_9e-2, -5.373_971_6e-2, 1.333_144_22e-1,
                -3.333_328_19e-1,
            ])
        return Float(
            signOf: x, magnitudeOf: x.magnitude.addingProduct(p * z, x.magnitude))
    }

    static func logistic(_ x: Float) -> Float {
        let e = exponential(-x.magnitude)
        let numerator = x < 0 ? e : 1
        let divisor = 1 + e
        let lost = e - (divisor - 1)
        let quotient = numerator * (1 / divisor)
        let remainder = numerator.addingProduct(-quotient, divisor).addingProduct(-quotient, lost)
        return quotient.addingProduct(remainder, 1 / divisor)
    }

    /// Horner's rule, the highest coefficient first, each step one fused multiply-add.
    private static func polynomial(_ x: Float, _ coefficients: [Float]) -> Float {
        coefficients.dropFirst().reduce(coefficients[0]) { $1.addingProduct($0, x) }
    }
}
