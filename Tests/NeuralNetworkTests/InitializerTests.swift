import NeuralNetwork
import TestSupport
import Testing
import TrainingPlan

struct InitializerTests {
    private static let layout = ParameterLayout(widths: [784, 128, 10])

    @Test(arguments: [1 as UInt64, 2, 1 << 40])
    func kernelsFillGlorotsIntervalAndBiasesAreZero(seed: UInt64) throws {
        let weights = Self.layout.initialWeights(seed: seed).array
        for layer in Self.layout.layers {
            let kernel = weights[layer.kernelOffset..<layer.biasOffset]
            let limit = (6 / Float(layer.inputs + layer.outputs)).squareRoot()
            let (least, largest) = try (#require(kernel.min()), #require(kernel.max()))
            #expect(least >= -limit && least < -0.98 * limit)
            #expect(largest <= limit && largest > 0.98 * limit)
            let count = Double(kernel.count)
            let mean = kernel.reduce(0) { $0 + Double($1) } / count
            let variance = kernel.reduce(0) { $0 + Double($1) * Double($1) } / count
            // Uniform: variance limit² / 3; five standard errors of each.
            let expected = Double(limit * limit) / 3
            #expect(abs(mean) < 5 * (expected / count).squareRoot())
            #expect(abs(variance - expected) < 5 * expected * (0.8 / count).squareRoot())
            #expect(weights[layer.biasOffset..<layer.endOffset].allSatisfy { $0.bitPattern == 0 })
        }
    }

    @Test func seedsAndLayersDiffer() {
        let (first, second) = (
            Self.layout.initialWeights(seed: 1).array, Self.layout.initialWeights(seed: 2).array
        )
        #expect(zip(first, second).count { $0 == $1 && $0 != 0 } < 20)
        let twins = ParameterLayout(widths: [20, 20, 20])
        let weights = twins.initialWeights(seed: 1).array
        #expect(weights[0..<400] != weights[420..<820])
    }

    /// Every run's bits begin here.
    @Test func theWeightsOfSeedOneAreTheRecordedOnes() {
        let weights = Self.layout.initialWeights(seed: 1).array
        #expect(String(digest(weights), radix: 16) == "11db8d002413b7e2")
    }
}
