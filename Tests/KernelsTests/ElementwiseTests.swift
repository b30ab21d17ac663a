import NeuralNetwork
import TestSupport
import Testing

struct ElementwiseTests {
    @Test(arguments: supportedVariants)
    func reluKeepsNaN(variant: KernelVariant) {
        var random = SeededRandom(seed: 1)
        let inputs = random.floatsWithSpecials(1000)
        let values = FloatBuffer(inputs)
        unsafe KernelSet(variant).reluForward(values.pointer, values.count)
        #expect(firstDifference(values.array, inputs.map { $0 < 0 ? 0 : $0 }) == nil)
    }

    @Test(arguments: supportedVariants)
    func derivatives(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 2)
        let y = random.floatsWithSpecials(1000)
        let deltas = random.floatsWithSpecials(1000)
        let activations = FloatBuffer(y)
        let check = { (kernel: KernelSet.Backward, twin: (Float, Float) -> Float) in
            let values = FloatBuffer(deltas)
            unsafe kernel(values.pointer, activations.pointer, values.count)
            #expect(firstDifference(values.array, zip(y, deltas).map(twin)) == nil)
        }
        unsafe check(kernels.tanhBackward) { $1 * Float(1).addingProduct(0 - $0, $0) }
        unsafe check(kernels.sigmoidBackward) { $1 * ($0 * (1 - $0)) }
        unsafe check(kernels.reluBackward) { $0 <= 0 ? 0 : $1 }
    }

    @Test(arguments: supportedVariants)
    func countOutsideSkipsPaddingAndNaN(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 3)
        for columns in 1...200 {
            let stride = (columns + 15) / 16 * 16
            let rows = columns % 7
            let values = random.floatsWithSpecials(rows * stride)
            let buffer = FloatBuffer(values)
            let expected = (0..<rows).reduce(0) { total, row in
                total
                    + values[row * stride..<row * stride + columns].count {
                        $0 <= -0.5 || $0 >= 0.75
                    }
            }
            let count = unsafe kernels.countOutside(
                buffer.pointer, rows, columns, stride, -0.5, 0.75)
            #expect(count == expected, "\(columns) columns")
        }
    }

    /// Rows that are measured together and the rest, at any alignment.
    @Test(arguments: supportedVariants)
    func squaredNormsEqualTheirTwin(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 5)
        for count in Array(0...130) + [2_048, 8_192] {
            let rows = count % 10
            let values = random.floats(rows * count)
            let expected = (0..<rows).map { row in
                var lanes = [Float](repeating: 0, count: 16)
                for index in 0..<count {
                    let value = values[row * count + index]
                    lanes[index % 16].addProduct(value, value)
                }
                var half = 8
                while half > 0 {
                    for lane in 0..<half { lanes[lane] += lanes[lane + half] }
                    half /= 2
                }
                return lanes[0]
            }
            let buffer = UnalignedFloats(values, offset: count % 4)
            let norms = UnalignedFloats([Float](repeating: 7, count: rows + 1), offset: 1)
            unsafe kernels.squaredNorms(buffer.pointer, rows, count, norms.pointer)
            #expect(firstDifference(norms.array, expected + [7]) == nil, "\(count) values")
        }
    }

    /// The children lie unaligned, as they came over the wire, and the parent may be either.
    @Test(arguments: supportedVariants)
    func foldPairAddsAtAnyLengthAndAlignment(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 4)
        for count in 0..<200 {
            let (left, right) = (random.floatsWithSpecials(count), random.floatsWithSpecials(count))
            let expected = zip(left, right).map { $0 + $1 } + [7]
            let (x, y) = (
                UnalignedFloats(left, offset: count % 5), UnalignedFloats(right, offset: 3)
            )
            let sum = UnalignedFloats([Float](repeating: 7, count: count + 1), offset: 1)
            unsafe kernels.foldPair(x.pointer, y.pointer, sum.pointer, count)
            #expect(firstDifference(sum.array, expected) == nil, "\(count) floats, apart")
            unsafe kernels.foldPair(x.pointer, y.pointer, x.pointer, count)
            #expect(
                firstDifference(x.array, expected.dropLast()) == nil, "\(count) floats, in place")
        }
    }

    @Test(arguments: supportedVariants)
    func copyFloatsMovesBitsAtAnyLengthAndAlignment(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 6)
        for count in 0..<200 {
            let floats = random.floatsWithSpecials(count)
            let source = UnalignedFloats(floats, offset: count % 5)
            let target = UnalignedFloats([Float](repeating: 7, count: count + 1), offset: 1)
            unsafe kernels.copyFloats(source.pointer, target.pointer, count)
            #expect(firstDifference(target.array, floats + [7]) == nil, "\(count) floats")
        }
    }

    @Test(arguments: supportedVariants)
    func checksumSeesEveryBitAndTheLength(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 5)
        for count in [0, 1, 3, 63, 64, 65, 127, 128, 200] {
            var bytes = random.pixels(count + 1, density: 1)
            let checksum = { (length: Int) in
                unsafe bytes.withUnsafeBytes { bytes -> UInt64 in
                    guard let base = bytes.baseAddress else { return 0 }
                    return unsafe kernels.checksum(base, length)
                }
            }
            let whole = checksum(count)
            #expect(whole == Twin.checksum(Array(bytes.prefix(count))), "\(count) bytes")
            #expect(checksum(count + 1) != whole)
            for bit in 0..<count * 8 {
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(checksum(count) != whole, "bit \(bit) of \(count) bytes")
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
        }
    }
}

extension ElementwiseTests {
    @Test(arguments: supportedVariants)
    func digestsOfPartsAddUpHoweverTheyAreCut(variant: KernelVariant) {
        let kernels = KernelSet(variant)
        var random = SeededRandom(seed: 6)
        for count in [1, 15, 16, 17, 100, 1_000] {
            let values = FloatBuffer(random.floats(count))
            func digest(_ part: Range<Int>) -> UInt64 {
                unsafe kernels.digest(
                    of: values.pointer + part.lowerBound, count: part.count, from: part.lowerBound)
            }
            let whole = digest(0..<count)
            #expect(whole == Twin.digest(values.array))
            for _ in 0..<20 {
                let cut = Int.random(in: 0...count, using: &random)
                #expect(digest(0..<cut) &+ digest(cut..<count) == whole)
            }
            // One bit, and two floats that change places; and the signs of two zeros.
            for place in 0..<count {
                let value = unsafe values.pointer[place]
                for bit in [0, 22, 31] as [UInt32] {
                    unsafe values.pointer[place] = Float(bitPattern: value.bitPattern ^ 1 << bit)
                    #expect(digest(0..<count) != whole, "bit \(bit) of \(place)")
                }
                unsafe values.pointer[place] = value
            }
            guard count > 2 else { continue }
            unsafe swap(&values.pointer[0], &values.pointer[2])
            #expect(digest(0..<count) != whole)
            unsafe (values.pointer[0], values.pointer[2]) = (0, 0)
            let zeros = digest(0..<count)
            unsafe (values.pointer[0], values.pointer[2]) = (-0.0, -0.0)
            #expect(digest(0..<count) != zeros)
        }
    }
}

extension Twin {
    /// The definition, float by float.
    static func digest(_ values: [Float]) -> UInt64 {
        values.enumerated().reduce(0) { sum, next in
            sum &+ UInt64(next.element.bitPattern)
                &* (1 &+ UInt64(next.offset) &* 0x9e37_79b9_7f4a_7c15)
        }
    }

    /// Sums and sums of sums of 16 little-endian words a line, mixed.
    static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var sums = [UInt32](repeating: 0, count: 16)
        var sumsOfSums = sums
        let lineCount = bytes.count / 64 + 1
        let padded = bytes + [UInt8](repeating: 0, count: lineCount * 64 - bytes.count)
        for line in 0..<lineCount {
            for lane in 0..<16 {
                let at = line * 64 + lane * 4
                for place in (0..<4) {
                    sums[lane] &+= UInt32(padded[at + place]) << UInt32(8 * place)
                }
                sumsOfSums[lane] &+= sums[lane]
            }
        }
        let high = sums.reduce(UInt32(bytes.count)) { ($0 &+ $1) &* 0x9e37_79b1 }
        let low = sumsOfSums.reduce(0x811c_9dc5 as UInt32) { ($0 &+ $1) &* 0x85eb_ca77 }
        return UInt64(high) << 32 | UInt64(low)
    }
}
