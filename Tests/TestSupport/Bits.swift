/// Whether two floats are the same to the bit; a NaN is a NaN, whatever its payload.
package func sameBits(_ x: Float, _ y: Float) -> Bool {
    x.bitPattern == y.bitPattern || (x.isNaN && y.isNaN)
}

/// The first place where two vectors differ in bits, in words; nil where they are the same.
package func firstDifference(_ actual: [Float], _ expected: [Float]) -> String? {
    guard actual.count == expected.count else {
        return "\(actual.count) floats where \(expected.count) are expected"
    }
    guard let index = actual.indices.first(where: { !sameBits(actual[$0], expected[$0]) }) else {
        return nil
    }
    return "[\(index)] is \(actual[index]), expected \(expected[index])"
}

/// ‖actual − expected‖ / ‖expected‖.
package func relativeError(_ actual: some Sequence<Double>, _ expected: some Sequence<Double>)
    -> Double
{
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(actual, expected) {
        difference += (x - y) * (x - y)
        norm += y * y
    }
    return difference == 0 ? 0 : (difference / norm).squareRoot()
}

/// FNV-1a over bytes: tells whether two results are the same, nothing more.
package func digest(_ values: [Float]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for value in values {
        for shift in stride(from: 0 as UInt32, to: 32, by: 8) {
            hash = (hash ^ UInt64(value.bitPattern >> shift & 0xff)) &* 0x100_0000_01b3
        }
    }
    return hash
}
