import Foundation
import NeuralNetwork
import TestSupport
import Testing

/// The variants that this CPU can run.
let supportedVariants = KernelVariant.allCases.filter(\.isSupported)

/// exp, log, tanh and sigmoid against libm in Double, over all magnitudes.
struct ElementaryTests {
    enum Function: String, CaseIterable, Sendable {
        case exponential, logarithm, tanh, sigmoid

        func apply(_ kernels: KernelSet, _ values: FloatBuffer, count: Int) {
            switch self {
            case .exponential: unsafe kernels.exponentialForward(values.pointer, count)
            case .logarithm: unsafe kernels.logarithmForward(values.pointer, count)
            case .tanh: unsafe kernels.tanhForward(values.pointer, count)
            case .sigmoid: unsafe kernels.sigmoidForward(values.pointer, count)
            }
        }

        func exact(_ x: Double) -> Double {
            switch self {
            case .exponential: Foundation.exp(x)
            case .logarithm: Foundation.log(x)
            case .tanh: Foundation.tanh(x)
            case .sigmoid: 1 / (1 + Foundation.exp(-x))
            }
        }

        func twin(_ x: Float) -> Float {
            switch self {
            case .exponential: Twin.exponential(x)
            case .logarithm: Twin.naturalLogarithm(x)
            case .tanh: Twin.hyperbolicTangent(x)
            case .sigmoid: Twin.logistic(x)
            }
        }
    }

    /// All floats with LOCKSTEP_EXHAUSTIVE=1, else one in 257, a prime.
    private static let stride =
        ProcessInfo.processInfo.environment["LOCKSTEP_EXHAUSTIVE"] == "1" ? 1 : 257

    /// How far a result is from the exact one, in units of the exact one's last place.
    private static func distance(_ actual: Float, _ exact: Double) -> Double {
        if exact.isNaN { return actual.isNaN ? 0 : .infinity }
        if actual.isNaN { return .infinity }
        let rounded = Float(exact)
        // What rounds to infinity is as far from the largest float as its distance in units of
        // that.
        let reference = min(exact.magnitude, 0x1p128)
        let found = min(Double(actual.magnitude), 0x1p128)
        let unit = rounded.isFinite ? rounded.ulp : Float.greatestFiniteMagnitude.ulp
        let sameSign = actual == 0 || rounded == 0 || (actual < 0) == (exact < 0)
        return sameSign ? abs(found - reference) / Double(unit) : .infinity
    }

    @Test(arguments: Function.allCases, supportedVariants)
    func isWithinTwoUnitsInTheLastPlace(function: Function, variant: KernelVariant) {
        let kernels = KernelSet(variant)
        let block = 4096
        let values = FloatBuffer(count: block)
        var worst = (distance: 0.0, input: 0 as Float)
        for start in Swift.stride(from: 0, to: 1 << 32, by: block * Self.stride) {
            for i in 0..<block {
                let bits = UInt32(truncatingIfNeeded: start + i * Self.stride)
                unsafe values.pointer[i] = Float(bitPattern: bits)
            }
            function.apply(kernels, values, count: block)
            for i in 0..<block {
                let bits = UInt32(truncatingIfNeeded: start + i * Self.stride)
                let input = Float(bitPattern: bits)
                let exact = function.exact(Double(input))
                let distance = Self.distance(unsafe values.pointer[i], exact)
                if distance > worst.distance { worst = (distance, input) }
            }
        }
        #expect(
            worst.distance <= 2,
            "\(function.rawValue)(\(worst.input)) is off by \(worst.distance) ulp")
    }

    /// Around every threshold of the code, and at the ends of the number line.
    private static let specials: [Float] = {
        let magnitudes: [Float] = [
            0, .leastNonzeroMagnitude, .leastNormalMagnitude, 0x1p-140, 1e-20, 0.5, 0.625, 1,
            Float(2).squareRoot() / 2, Float(2).squareRoot(), 9, 44, 87.3, 88.722_839, 89, 103.97,
            105, .greatestFiniteMagnitude, .infinity, .nan,
        ]
        return magnitudes.flatMap { [$0.nextDown, $0, $0.nextUp] }.flatMap { [$0, -$0] }
    }()

    @Test(arguments: Function.allCases, supportedVariants)
    func equalsItsTwin(function: Function, variant: KernelVariant) {
        var random = SeededRandom(seed: 1)
        let inputs =
            Self.specials
            + (0..<100_000).map { _ in
                Float(bitPattern: UInt32.random(in: 0...(.max), using: &random))
            }
            + random.floats(50_000, limit: 100) + random.floats(50_000, limit: 2)
        let values = FloatBuffer(inputs)
        function.apply(KernelSet(variant), values, count: values.count)
        #expect(firstDifference(values.array, inputs.map(function.twin)) == nil)
    }

    @Test(arguments: Function.allCases, supportedVariants)
    func specialValues(function: Function, variant: KernelVariant) {
        let inputs: [Float] = [0, -0.0, .infinity, -.infinity, .nan]
        let expected: [Float] =
            switch function {
            case .exponential: [1, 1, .infinity, 0, .nan]
            case .logarithm: [-.infinity, -.infinity, .infinity, .nan, .nan]
            case .tanh: [0, -0.0, 1, -1, .nan]
            case .sigmoid: [0.5, 0.5, 1, 0, .nan]
            }
        let values = FloatBuffer(inputs)
        function.apply(KernelSet(variant), values, count: values.count)
        #expect(firstDifference(values.array, expected) == nil)
    }
}
