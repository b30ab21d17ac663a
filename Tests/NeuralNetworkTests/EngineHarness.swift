import NeuralNetwork
import TestSupport
import TrainingPlan

/// Small random data for a network, and the engine's answer on it.
struct Problem {
    let architecture: NetworkArchitecture
    let layout: ParameterLayout
    /// `[example][pixel]`
    let pixels: [[UInt8]]
    let labels: [UInt8]
    let weights: [Float]

    init(
        _ architecture: NetworkArchitecture, examples: Int, seed: Int, weightLimit: Float = 0.7,
        density: Double = 0.5
    ) {
        self.architecture = architecture
        layout = ParameterLayout(widths: architecture.layers)
        var random = SeededRandom(seed: seed)
        var pixels: [[UInt8]] = []
        for _ in 0..<examples {
            pixels.append(random.pixels(architecture.layers[0], density: density))
        }
        self.pixels = pixels
        labels = random.labels(examples, classes: min(architecture.layers.last ?? 1, 256))
        weights = random.floats(layout.parameterCount, limit: weightLimit)
    }

    /// The same data with other pixels or weights, or among other examples.
    init(
        _ other: Problem, pixels: [[UInt8]]? = nil, weights: [Float]? = nil, blankExamples: Int = 0
    ) {
        architecture = other.architecture
        layout = other.layout
        let blank = [UInt8](repeating: 0, count: other.architecture.layers[0])
        self.pixels =
            (pixels ?? other.pixels) + [[UInt8]](repeating: blank, count: blankExamples)
        labels = other.labels + [UInt8](repeating: 0, count: blankExamples)
        self.weights = weights ?? other.weights
    }

    var examples: SparseExamples {
        SparseExamples(
            pixels: pixels.flatMap { $0 }[...], labels: labels[...],
            width: architecture.layers[0])
    }

    var reference: ReferenceNetwork {
        ReferenceNetwork(architecture, parameters: weights.map(Double.init))
    }

    /// The gradient sums and metrics of nodes, each a range of the examples.
    func compute(
        _ nodes: [Range<Int>], leafSize: Int, threads: Int = 1, sliceRanges: [Range<Int>]? = nil,
        headerByteCount: Int = 0, isPacked: Bool = false, variant: KernelVariant? = nil
    ) -> [NodeResult] {
        let fastest = KernelVariant.allCases.last(where: \.isSupported) ?? .baseline
        let slices = GradientSlices(
            layout, ranges: sliceRanges ?? [0..<layout.parameterCount],
            headerByteCount: headerByteCount, isPacked: isPacked)
        let team = ThreadTeam(count: threads)
        defer { team.finish() }
        let engine = GradientEngine(
            architecture, kernels: KernelSet(variant ?? fastest), examples: examples,
            leafSize: leafSize, slices: slices, team: team)
        let buffer = GradientBuffer(slices)
        let weightBuffer = FloatBuffer(weights)
        engine.load(weightBuffer)
        return nodes.map { node in
            let indices = node.map { UInt32($0) }
            unsafe indices.withUnsafeBufferPointer { unsafe engine.compute($0, into: buffer) }
            return NodeResult(buffer, layout)
        }
    }

    func compute(leafSize: Int) -> NodeResult { compute([0..<pixels.count], leafSize: leafSize)[0] }
}

/// What one node's buffer holds: its gradient sum and its metrics, in the open so that they can be
/// folded.
struct NodeResult {
    var sum: [Float]
    var lossSum: Float
    var squaredGradientNorms: [Float]
    var correctCount: Int
    var saturatedCounts: [Int]
    /// By slice, of what would be sent.
    let payloadByteCounts: [Int]

    init(_ buffer: GradientBuffer, _ layout: ParameterLayout) {
        let slices = buffer.slices
        sum = slices.ranges.indices.flatMap { slice in
            let payload = unsafe UnsafeRawBufferPointer(buffer.payload(slice))
            var offset = slices.presenceByteCount
            return layout.layers.flatMap { layer in
                let part = slices.ranges[slice].clamped(to: layer.kernelOffset..<layer.endOffset)
                return unsafe slices.floatArray(of: part, in: payload, at: &offset)
            }
        }
        payloadByteCounts = slices.ranges.indices.map { unsafe buffer.payload($0).count }
        let metrics = unsafe buffer.slices.metrics.metrics(buffer.metricsWords)
        lossSum = metrics.lossSum
        squaredGradientNorms = metrics.squaredGradientNorms
        correctCount = metrics.correctCount
        saturatedCounts = metrics.saturatedCounts
    }

    /// parent = left + right, for sums and metrics.
    static func + (left: NodeResult, right: NodeResult) -> NodeResult {
        var parent = left
        parent.sum = zip(left.sum, right.sum).map { $0 + $1 }
        parent.lossSum += right.lossSum
        parent.squaredGradientNorms = zip(left.squaredGradientNorms, right.squaredGradientNorms)
            .map { $0 + $1 }
        parent.correctCount += right.correctCount
        parent.saturatedCounts = zip(left.saturatedCounts, right.saturatedCounts).map { $0 + $1 }
        return parent
    }

    /// Where two results differ; nil where they are the same to the bit.
    func difference(from other: NodeResult) -> String? {
        firstDifference(sum, other.sum)
            ?? firstDifference(
                [lossSum] + squaredGradientNorms, [other.lossSum] + other.squaredGradientNorms
            ).map { "loss and norms: \($0)" }
            ?? (correctCount == other.correctCount && saturatedCounts == other.saturatedCounts
                ? nil : "counts differ")
    }
}

extension GradientSlices {
    /// The floats of a part of one layer, with those that are left out.
    func floatArray(
        of part: Range<Int>, in payload: UnsafeRawBufferPointer, at offset: inout Int
    ) -> [Float] {
        var floats: [Float] = []
        while floats.count < part.count {
            let start = part.lowerBound + floats.count
            let (end, isPresent) = unsafe run(from: start, to: part.upperBound, in: payload)
            for _ in start..<end {
                floats.append(
                    isPresent
                        ? unsafe payload.loadUnaligned(fromByteOffset: offset, as: Float.self) : 0)
                if isPresent { offset += 4 }
            }
        }
        return floats
    }
}
