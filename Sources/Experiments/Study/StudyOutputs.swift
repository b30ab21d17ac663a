import Datasets
import Formats
import LockstepRuntime
import NeuralNetwork
import Report
import RunRecords
import Statistics
import TrainingPlan

/// What the trained presets say to each test digit: calibration, confusion, and the digits on which
/// they differ.
struct StudyOutputs {
    struct Preset {
        let preset: RunConfiguration.Preset
        /// A network of one seed.
        var networks: [NetworkCalibration] = []
        var confusion = ConfusionMatrix()
        /// By test digit: how many seeds decide it rightly.
        var rightCounts: [Int]
        var seedCount: Int { networks.count }
    }

    private(set) var presets: [Preset] = []

    /// - Parameter runs: with checkpoints; those of other presets than MSE+tanh and cross-entropy
    ///   are left out.
    init(_ runs: [SweepResult.Run], dataset: Dataset, kernels: KernelSet) throws {
        let test = EvaluationData(dataset).test
        let labels = Array(dataset.test.labels)
        for preset in StudyPlan.scalePresets {
            var summary = Preset(
                preset: preset, rightCounts: [Int](repeating: 0, count: labels.count))
            let evaluator = Evaluator(preset.architecture, kernels: kernels, examples: test)
            for run in runs where run.run.configuration.name == preset.rawValue {
                guard let path = run.directory.checkpoints.last?.path else { continue }
                let layout = run.run.configuration.layout
                let file = try Safetensors(reading: path)
                let weights = FloatBuffer(layout.tensors.flatMap { file[$0.name]?.values ?? [] })
                guard weights.count == layout.parameterCount else { continue }
                var outputs: [Float] = []
                _ = evaluator.evaluate(weights) { outputs += $0 }
                for (digit, label) in labels.enumerated() {
                    let start = digit * Self.classCount
                    summary.add(
                        outputs[start..<start + Self.classCount], label: Int(label), digit: digit)
                }
                summary.networks.append(
                    NetworkCalibration(
                        outputs, labels: labels, isSoftmax: preset.architecture.output == .softmax))
            }
            presets.append(summary)
        }
    }

    static let classCount = 10

    subscript(preset: RunConfiguration.Preset) -> Preset? {
        presets.first { $0.preset == preset && $0.seedCount > 0 }
    }

    /// The test digits that one preset gets right more often than the other, by more than half of
    /// the seeds, the clearest first.
    func onlyRight(
        _ preset: RunConfiguration.Preset, against other: RunConfiguration.Preset
    ) -> [Int] {
        guard let a = self[preset], let b = self[other] else { return [] }
        let shares = a.rightCounts.indices.map { digit in
            Double(a.rightCounts[digit]) / Double(a.seedCount)
                - Double(b.rightCounts[digit]) / Double(b.seedCount)
        }
        return shares.indices.filter { shares[$0] > 0.5 }
            .sorted { (shares[$0], $1) > (shares[$1], $0) }
    }
}

extension StudyOutputs.Preset {
    fileprivate mutating func add(_ outputs: ArraySlice<Float>, label: Int, digit: Int) {
        // The first largest, as the network decides.
        var decision = outputs.startIndex
        for index in outputs.indices where outputs[index] > outputs[decision] { decision = index }
        let decided = decision - outputs.startIndex
        confusion.add(actual: label, decided: decided)
        if decided == label { rightCounts[digit] += 1 }
    }
}
