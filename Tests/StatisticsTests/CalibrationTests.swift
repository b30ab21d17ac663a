import RunRecords
import Statistics
import TestSupport
import Testing

@Suite struct CalibrationTests {
    @Test func figuresByHand() {
        var calibration = Calibration(binCount: 2)
        calibration.add([0.8, 0.2], label: 0)
        calibration.add([0.6, 0.4], label: 1)
        calibration.add([0.3, 0.1], label: 0)
        #expect(calibration.bins.map(\.count) == [1, 2])
        #expect(calibration.bins[1].accuracy == 0.5)
        #expect(abs(calibration.bins[1].meanConfidence - 0.7) < 1e-6)
        // 2/3 · |0.5 − 0.7| + 1/3 · |1 − 0.3|
        #expect(abs(calibration.expectedError - (0.4 / 3 + 0.7 / 3)) < 1e-6)
        // (0.04 + 0.04) + (0.36 + 0.36) + (0.49 + 0.01)
        #expect(abs(calibration.brierScore - 1.3 / 3) < 1e-6)
        #expect(abs(calibration.meanOutputSum - 2.4 / 3) < 1e-6)
        #expect(calibration.impossibleShare == 0)
    }

    @Test func whatIsNoProbabilityIsCounted() {
        var calibration = Calibration()
        calibration.add([-0.5, 1.5, 0.5], label: 1)
        #expect(calibration.impossibleCount == 2 && calibration.outputCount == 3)
        #expect(calibration.bins.last?.count == 1 && calibration.bins.last?.meanConfidence == 1)
        #expect(Calibration().expectedError == 0)
    }

    /// Gradients drawn from a known signal and noise give the scale back.
    @Test func noiseScaleOfAKnownMixture() throws {
        var random = SeededRandom(seed: 3)
        let (dimension, leaves, leafSize) = (50, 8, 16)
        let mean = (0..<dimension).map { _ in Double(random.floats(1)[0]) * 0.1 }
        // Uniform on ±limit has variance limit²/3.
        let limit = 2.0
        var noise = GradientNoise()
        for _ in 0..<400 {
            var total = [Double](repeating: 0, count: dimension)
            var small = 0.0
            for _ in 0..<leaves {
                var leaf = mean
                for _ in 0..<leafSize {
                    for (i, draw) in random.floats(dimension, limit: Float(limit)).enumerated() {
                        leaf[i] += Double(draw) / Double(leafSize)
                    }
                }
                small += leaf.reduce(0) { $0 + $1 * $1 } / Double(leaves)
                for i in 0..<dimension { total[i] += leaf[i] / Double(leaves) }
            }
            noise.add(
                small: small, large: total.reduce(0) { $0 + $1 * $1 },
                examples: leaves * leafSize, microBatch: leafSize)
        }
        let exact =
            Double(dimension) * limit * limit / 3 / mean.reduce(0) { $0 + $1 * $1 }
        let scale = try #require(noise.scale)
        #expect(abs(scale / exact - 1) < 0.15, "\(scale) against \(exact)")
    }

    /// Numpy's least squares of the relative errors; those of the steps themselves would give 106.
    @Test func criticalBatchOfStepsThatNoCurveFits() throws {
        let fit = try #require(CriticalBatch([(10, 120), (20, 50), (40, 45)]))
        #expect(abs(fit.fewestSteps - 19.2) < 1e-9 && abs(fit.fewestExamples - 816) < 1e-9)
        #expect(abs(fit.batchSize - 42.5) < 1e-9)
    }

    @Test func criticalBatchOfAKnownCurve() throws {
        let points = (4...14).map { exponent in
            let batch = Double(1 << exponent)
            return (batchSize: batch, steps: 300 + 90_000 / batch)
        }
        let fit = try #require(CriticalBatch(points))
        #expect(abs(fit.batchSize - 300) < 1e-6)
        #expect(abs(fit.fewestSteps - 300) < 1e-6 && abs(fit.fewestExamples - 90_000) < 1e-3)
        #expect(CriticalBatch(Array(points.prefix(2))) == nil)
        // Steps that fall faster than in proportion have no floor.
        #expect(CriticalBatch(points.map { ($0.batchSize, 1e6 / $0.batchSize - 50) }) == nil)
    }

    @Test func noSignalIsNoScale() {
        var noise = GradientNoise()
        #expect(noise.scale == nil)
        noise.add(small: 10, large: 1, examples: 10, microBatch: 1)
        #expect(noise.scale == nil)
    }
}
