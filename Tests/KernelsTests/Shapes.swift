/// Widths on both sides of every vector and block of 16, 64 and 128 columns.
let widths = [1, 2, 3, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 192, 200]

let leafSizes = [1, 3, 15, 16, 17, 33, 100]

/// Examples cut into leaves, the last of which may be shorter.
struct LeafShape: Sendable, CustomStringConvertible {
    let leafSize: Int
    let examples: Int
    let outputs: Int

    var leafCount: Int { (examples + leafSize - 1) / leafSize }

    /// Rows of a gradient: every rest of a tile, but few where the twin would take long.
    func rows(_ index: Int) -> Int {
        index % (examples * outputs > 10_000 ? 3 : 21) + 1
    }

    var description: String { "\(examples) examples in leaves of \(leafSize), \(outputs) outputs" }

    /// Every width to 200 and a larger one, every leaf size and leaf count up to 70, with last
    /// leaves of 1 to `leafSize` examples.
    static let all: [LeafShape] =
        (1...70).map { leafCount in
            let leafSize = leafSizes[leafCount % leafSizes.count]
            return LeafShape(
                leafSize: leafSize, examples: leafCount * leafSize - leafCount % leafSize,
                outputs: widths[leafCount * 7 % widths.count])
        }
        + (1...200).map { outputs in
            let leafSize = leafSizes[outputs % 6]
            return LeafShape(
                leafSize: leafSize, examples: outputs % (3 * leafSize) + 1, outputs: outputs)
        } + [LeafShape(leafSize: 16, examples: 83, outputs: 300)]
}

func roundUp(_ count: Int, to block: Int) -> Int { (count + block - 1) / block * block }

/// Rows laid out `stride` floats apart, with `filler` between them.
func padded(_ rows: [[Float]], stride: Int, filler: Float = 0) -> [Float] {
    rows.flatMap { $0 + [Float](repeating: filler, count: stride - $0.count) }
}

/// The first `width` floats of row `row`.
func row(_ row: Int, of values: [Float], stride: Int, width: Int) -> [Float] {
    Array(values[row * stride..<row * stride + width])
}
