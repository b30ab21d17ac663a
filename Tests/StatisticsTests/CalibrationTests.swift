import Foundation
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
        // −ln of 0.8, 0.4 and 0.3 / 0.4
        let surprise = -(log(0.8) + log(0.4) + log(0.75)) / 3
        #expect(abs(calibration.negativeLogLikelihood - surprise) < 1e-6)
    }

    /// Parts added up are the whole.
    @Test func partsAddUp() {
        var random = SeededRandom(seed: 5)
        var (first, second, whole) = (Calibration(), Calibration(), Calibration())
        for index in 0..<40 {
            let outputs = random.floats(4)
            if index < 13 {
                first.add(outputs, label: index % 4)
            } else {
                second.add(outputs, label: index % 4)
            }
            whole.add(outputs, label: index % 4)
        }
        first.add(second)
        #expect(first.bins.map(\.count) == whole.bins.map(\.count) && first.count == 40)
        for figure in [
            \Calibration.expectedError, \.brierScore, \.negativeLogLikelihood, \.meanOutputSum,
            \.impossibleShare,
        ] { #expect(abs(first[keyPath: figure] - whole[keyPath: figure]) < 1e-12) }
    }

    @Test func noLikelihoodIsZero() {
        var calibration = Calibration()
        calibration.add([-0.5, 0.5], label: 0)
        let expected = -log(1e-7 / (0.5 + 1e-7))
        #expect(abs(calibration.negativeLogLikelihood - expected) < 1e-9)
    }

    /// Two classes a distance d apart, decided rightly with probability p: T = d / ln(p / (1 − p)).
    @Test(arguments: [0.6, 0.9, 0.999], [0.01, 1, 40])
    func temperatureOfAKnownMixture(rightness: Double, distance: Double) {
        let (count, classCount) = (1_000, 2)
        let labels = (0..<count).map { UInt8(Double($0) < rightness * Double(count) ? 0 : 1) }
        let scores = (0..<count).flatMap { _ -> [Double] in [5 + distance, 5] }
        let found = Temperature.fitted(
            scores: scores, labels: labels, classCount: classCount, examples: 0..<count)
        let expected = distance / log(rightness / (1 - rightness))
        #expect(abs(found / expected - 1) < 1e-9, "\(found) against \(expected)")
        let probabilities = Temperature.probabilities(scores[2..<4], temperature: found)
        #expect(abs(probabilities[0] - rightness) < 1e-9)
        #expect(abs(probabilities[0] + probabilities[1] - 1) < 1e-12)
    }

    /// All right: no temperature is the least. All wrong: none is the most.
    @Test func temperaturesAreBounded() {
        func fitted(_ label: UInt8) -> Double {
            Temperature.fitted(
                scores: [0, 1, 0, 1], labels: [label, label], classCount: 2, examples: 0..<2)
        }
        #expect(abs(fitted(1) / Temperature.range.lowerBound - 1) < 0.01)
        #expect(abs(fitted(0) / Temperature.range.upperBound - 1) < 0.01)
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
