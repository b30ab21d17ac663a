import TestSupport
import Testing
import TrainingPlan

/// Gradients whose empty rows are left out, as workers push them.
@Suite struct PackedGradientTests {
    private static let architecture = NetworkArchitecture(
        layers: [150, 9, 5], hidden: .relu, output: .tanh, loss: .mse)

    /// Cuts within the first kernel, between it and its bias, and behind the first layer.
    static let cuts: [[Int]] = [[], [63 * 9], [150 * 9], [9, 70 * 9, 151 * 9 + 5]]

    private static func ranges(_ cuts: [Int], _ problem: Problem) -> [Range<Int>] {
        let ends = [0] + cuts + [problem.layout.parameterCount]
        return zip(ends, ends.dropFirst()).map { $0..<$1 }
    }

    @Test(arguments: cuts, [1, 3])
    func onlyUsedRowsAreThereAndNoBitIsLost(cuts: [Int], threads: Int) {
        // Nodes in turn with few and many used inputs, and one that takes two passes.
        let problem = Problem(Self.architecture, examples: 600, seed: 1, density: 0.01)
        let nodes = [0..<32, 32..<33, 100..<400, 0..<600, 400..<416]
        let ranges = Self.ranges(cuts, problem)
        let whole = problem.compute(nodes, leafSize: 16, sliceRanges: ranges)
        let packed = problem.compute(
            nodes, leafSize: 16, threads: threads, sliceRanges: ranges, headerByteCount: 64,
            isPacked: true)
        for (node, (packed, whole)) in zip(nodes, zip(packed, whole)) {
            #expect(packed.difference(from: whole) == nil, "\(node)")
            let isUsed = (0..<150).map { input in
                node.contains { problem.pixels[$0][input] != 0 }
            }
            for (slice, range) in ranges.enumerated() {
                // A node of several passes has all rows.
                let absent = (0..<150).filter { row in
                    range.contains(row * 9) && !isUsed[row] && node.count <= 512
                }
                #expect(
                    packed.payloadByteCounts[slice]
                        == 64 + whole.payloadByteCounts[slice] - absent.count * 36)
            }
        }
    }

    /// A server folds blocks of rows, and pieces of rows that are longer than a block.
    @Test(arguments: [1, 2, 3, 7, 12])
    func partsAreReadInOrder(length: Int) {
        let layout = ParameterLayout(widths: [8, 3])
        let slices = GradientSlices(
            layout, ranges: [0..<27], headerByteCount: 0, isPacked: true)
        let present: Set = [1, 2, 5, 7]
        var payload = [UInt8](repeating: 0, count: 64)
        payload[0] = present.reduce(0) { $0 | 1 << UInt8($1) }
        let whole: [Float] = (0..<27).map { index in
            present.union([8]).contains(index / 3) ? Float(1 + index) : 0
        }
        for value in whole where value != 0 {
            unsafe withUnsafeBytes(of: value) { unsafe payload.append(contentsOf: $0) }
        }
        var offset = 64
        var read: [Float] = []
        unsafe payload.withUnsafeBytes { payload in
            for start in stride(from: 0, to: 27, by: length) {
                unsafe read += slices.floatArray(
                    of: start..<min(start + length, 27), in: payload, at: &offset)
            }
        }
        #expect(read == whole)
        #expect(offset == payload.count)
    }
}
