import Foundation
import RandomNumbers
import Statistics
import Testing

@Suite struct BootstrapTests {
    private static let sample = (0..<24).map { sin(Double($0) * 1.7) + 0.1 * Double($0 % 5) }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(values.count)
    }

    private static func ofMean(_ sample: [Double]) -> Bootstrap {
        Bootstrap(unitCount: sample.count) { places in mean(places.map { sample[$0] }) }
    }

    /// By the definition that the plan gives: stream k of seed 1, and ⌊u n / 2³²⌋ for its numbers.
    @Test func replicatesAreThoseOfTheDefinition() {
        let replicates = (0..<Bootstrap.replicateCount).map { replicate in
            var stream = Philox(seed: 1, purpose: .resampling, index: UInt64(replicate))
            return Self.mean(
                Self.sample.indices.map { _ in
                    let bits: UInt32 = stream.next()
                    return Self.sample[Int((UInt64(bits) * 24) >> 32)]
                })
        }.sorted()
        let bootstrap = Self.ofMean(Self.sample)
        #expect(bootstrap.replicates == replicates)
        #expect(bootstrap.estimate == Self.mean(Self.sample))
    }

    /// Of a mean, theory says what interval and test have to be: Student's.
    @Test(arguments: [10, 24]) func ofAMeanItIsStudents(count: Int) throws {
        let sample = Array(Self.sample.prefix(count))
        let summary = try #require(Summary(sample))
        let student = try #require(summary.confidenceInterval)
        let bootstrap = Self.ofMean(sample)
        let interval = try #require(bootstrap.interval)
        let width = student.upperBound - student.lowerBound
        #expect(abs(interval.lowerBound - student.lowerBound) < 0.05 * width)
        #expect(abs(interval.upperBound - student.upperBound) < 0.05 * width)
        for value in [student.lowerBound, student.upperBound] {
            #expect(0.03...0.07 ~= bootstrap.pValue(of: value))
        }
        #expect(bootstrap.pValue(of: summary.mean) > 0.9)
        #expect(bootstrap.pValue(of: summary.mean + width) < 0.01)
    }

    @Test func thereIsNoneAroundAConstantNorOfAFew() {
        #expect(Self.ofMean([Double](repeating: 3, count: 24)).interval == nil)
        #expect(Self.ofMean(Array(Self.sample.prefix(7))).interval == nil)
        #expect(Self.ofMean(Array(Self.sample.prefix(8))).interval != nil)
    }

    /// 10 seeds and 300 examples with known chances; the variance of the mean by its components.
    @Test func seedsAndExamplesScatterTogether() throws {
        var stream = Philox(seed: 5, purpose: .sampleOrder)
        let chances = (0..<300).map { _ in Double.random(in: 0..<0.4, using: &stream) }
        let rows = (0..<10).map { row in
            chances.map { chance -> Int8 in
                Double.random(in: 0..<1, using: &stream) < chance * (row < 5 ? 1 : 0.6) ? 1 : 0
            }
        }
        let bootstrap = Bootstrap(CrossedTable(rows))
        let all = rows.joined().reduce(0) { $0 + Int($1) }
        #expect(bootstrap.estimate == Double(all) / 3_000)

        // Mean squares of rows, columns and cells, each with its definition.
        let mean = bootstrap.estimate
        let rowMeans = rows.map { Double($0.reduce(0) { $0 + Int($1) }) / 300 }
        let columnMeans = (0..<300).map { column in
            rows.reduce(0) { $0 + Double($1[column]) } / 10
        }
        let ofRows = 300 * rowMeans.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9
        let ofColumns = 10 * columnMeans.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 299
        var ofCells = 0.0
        for (row, rowMean) in zip(rows, rowMeans) {
            for (cell, columnMean) in zip(row, columnMeans) {
                let rest = Double(cell) - rowMean - columnMean + mean
                ofCells += rest * rest / (9 * 299)
            }
        }
        let deviation = ((ofRows + ofColumns - ofCells) / 3_000).squareRoot()
        let degrees =
            pow(ofRows + ofColumns - ofCells, 2)
            / (ofRows * ofRows / 9 + ofColumns * ofColumns / 299 + ofCells * ofCells / (9 * 299))
        let half =
            deviation * StudentT.quantile(confidence: 0.95, degreesOfFreedom: Int(degrees))
        let interval = try #require(bootstrap.interval)
        #expect(abs(interval.lowerBound - (mean - half)) < 0.1 * half)
        #expect(abs(interval.upperBound - (mean + half)) < 0.1 * half)
    }

    /// An accuracy: no replicate leaves 0…1, and so no interval.
    @Test func accuraciesStayBelowOne() throws {
        let wrong = (0..<8).map { row in (0..<50).map { Int8($0 == row ? 1 : 0) } }
        let interval = try #require(Bootstrap(CrossedTable(wrong)).interval)
        #expect(interval.lowerBound >= 0 && interval.upperBound > 0.02)
        let student = try #require(Summary([0.999, 1, 1]))
        #expect(try #require(student.confidenceInterval).upperBound > 1)
        #expect(try #require(student.confidenceInterval(within: 0...1)).upperBound == 1)
    }
}
