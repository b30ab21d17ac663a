import RunRecords

/// Figures of each layer, means over a part of an epoch.
package struct LayerPoint: Equatable, Sendable {
    /// The last step of the part.
    package var step: Int
    /// NaN where nobody knows how long an epoch is.
    package var epoch: Double
    package var gradientNorms: [Double]
    package var saturation: [Double]
}

/// What the steps of a log say of the layers, in a few bytes a step: a long run has millions.
struct LayerFigures {
    private var steps: [Int] = []
    /// Step by step, a value for each layer.
    private var gradientNorms: [Float] = []
    private var saturation: [Float] = []
    private var layerCount = 0

    /// Parts that all epochs have together, about.
    private static let partCount = 60

    /// - Parameter record: of the same network as the records before.
    mutating func add(_ record: StepRecord) {
        let count = min(record.gradientNorms.count, record.saturation.count)
        if steps.isEmpty { layerCount = count }
        guard count == layerCount else { return }
        steps.append(record.step)
        gradientNorms += record.gradientNorms.prefix(count)
        saturation += record.saturation.prefix(count)
    }

    /// The same parts for all runs of a configuration, so that they can be laid upon each other.
    ///
    /// - Parameter stepsPerEpoch: nil where no record tells.
    func points(stepsPerEpoch: Int?, epochs: Int) -> [LayerPoint] {
        guard let last = steps.last else { return [] }
        let length = max(stepsPerEpoch ?? last, 1)
        let epochLength = stepsPerEpoch.map(Double.init) ?? .nan
        let parts = min(max(Self.partCount / max(epochs, 1), 1), length)
        func part(_ index: Int) -> Int {
            let (epoch, within) = (steps[index] - 1).quotientAndRemainder(dividingBy: length)
            return epoch * parts + within * parts / length
        }
        var points: [LayerPoint] = []
        // Steps ascend, so that those of a part stand together.
        var start = 0
        for end in 1..<steps.count + 1
        where end == steps.count || part(end) != part(start) {
            let step = steps[end - 1]
            points.append(
                LayerPoint(
                    step: step, epoch: Double(step) / epochLength,
                    gradientNorms: means(of: gradientNorms, start..<end),
                    saturation: means(of: saturation, start..<end)))
            start = end
        }
        return points
    }

    /// Layer by layer; NaN where one value is.
    private func means(of values: [Float], _ range: Range<Int>) -> [Double] {
        (0..<layerCount).map { layer in
            range.reduce(0) { $0 + Double(values[$1 * layerCount + layer]) } / Double(range.count)
        }
    }
}
