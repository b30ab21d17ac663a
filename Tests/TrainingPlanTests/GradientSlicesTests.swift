import Testing
import TrainingPlan

@Suite struct GradientSlicesTests {
    @Test func bitsSayWhatAPayloadHolds() {
        let layout = ParameterLayout(widths: [10, 3, 2])
        // Rows 0 to 5, then rows 6 to 9 and all behind them.
        let slices = GradientSlices(
            layout, ranges: [0..<18, 18..<layout.parameterCount], headerByteCount: 64,
            isPacked: true)
        let metrics = slices.metrics
        #expect(metrics.wordCount == 6 && metrics.byteCount == 24)
        #expect(slices.presenceByteCount == 64)
        func byteCount(_ slice: Int, rows: [Int], of count: Int = 64) -> Int? {
            var payload = [UInt8](repeating: 0, count: count)
            for row in rows { payload[row / 8] |= 1 << UInt8(row % 8) }
            return unsafe payload.withUnsafeBytes { unsafe slices.byteCount(of: $0, slice) }
        }
        #expect(byteCount(0, rows: []) == 64 + metrics.byteCount)
        #expect(byteCount(0, rows: [0, 5]) == 64 + 24 + metrics.byteCount)
        #expect(byteCount(0, rows: [0, 1, 2, 3, 4, 5]) == slices.maximumByteCount(0))
        #expect(byteCount(1, rows: [6]) == 64 + (3 + 3 + 6 + 2) * 4)
        #expect(byteCount(1, rows: [6, 7, 8, 9]) == slices.maximumByteCount(1))
        // Rows of another slice, and of none.
        #expect(byteCount(0, rows: [0, 6]) == nil)
        #expect(byteCount(1, rows: [5]) == nil)
        #expect(byteCount(1, rows: [10]) == nil)
        #expect(byteCount(1, rows: [511]) == nil)
        #expect(byteCount(0, rows: [], of: 63) == nil)
    }

    @Test func aWholeGradientIsOneSliceWithAllRows() {
        let layout = ParameterLayout(widths: [10, 3, 2])
        let slices = GradientSlices(whole: layout)
        #expect(slices.ranges == [0..<layout.parameterCount] && !slices.isPacked)
        #expect(slices.headerByteCount == 0 && slices.presenceByteCount == 0)
        #expect(
            slices.maximumByteCount(0) == layout.parameterCount * 4 + slices.metrics.byteCount)
    }
}
