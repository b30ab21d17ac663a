import Testing
import TrainingPlan

@Suite struct GradientRowsTests {
    /// Narrow and wide layers: rows shorter than a part, and rows that count as several.
    static let widths: [[Int]] = [[784, 128, 10], [5, 1], [3, 5_000, 2, 2_048, 7]]

    @Test(arguments: widths, [1, 2, 3])
    func everyRowIsInOneShardAndOnePart(widths: [Int], shards: Int) throws {
        let layout = ParameterLayout(widths: widths)
        let rows = GradientRows(layout)
        let slices = try ShardPlan(layout: layout, shardCount: shards, headerByteCount: 0)
            .slices
        #expect(slices.flatMap { Array(rows.rows(of: $0)) } == Array(0..<rows.count))
        for slice in slices {
            let parts = rows.parts(of: slice)
            #expect(parts.flatMap { Array($0) } == Array(slice))
            #expect(parts.allSatisfy { $0.count <= GradientRows.longestRow })
            #expect(parts.flatMap { Array(rows.rows(of: $0)) } == Array(rows.rows(of: slice)))
            for part in parts {
                #expect(
                    layout.layers.contains {
                        $0.kernelOffset <= part.lowerBound && part.upperBound <= $0.endOffset
                    })
            }
        }
    }

    @Test func aLayersRowsAreItsKernelsAndItsBias() {
        let rows = GradientRows(ParameterLayout(widths: [2, 3, 1]))
        #expect(rows.count == 7)
        #expect(rows.layers.map(\.rows) == [0..<3, 3..<7])
        // A row of 5,000 floats counts as three.
        #expect(GradientRows(ParameterLayout(widths: [3, 5_000])).count == 4 * 3)
    }
}
