import Datasets
import Formats
import LockstepRuntime
import NeuralNetwork
import Report
import RunRecords
import Statistics
import TrainingPlan

/// Which test digits the trained networks of the presets decide wrongly, seed by seed.
struct StudyDecisions {
    /// By seed: 1 where the decision is wrong, else 0.
    private var wrong: [RunConfiguration.Preset: [UInt64: [Int8]]] = [:]
    let exampleCount: Int

    /// - Parameter runs: those without a checkpoint, and those that are no result, are left out.
    init(_ runs: [SweepResult.Run], dataset: Dataset, kernels: KernelSet) throws {
        let test = EvaluationData(dataset).test
        let labels = Array(dataset.test.labels)
        exampleCount = labels.count
        for preset in StudyPlan.scalePresets {
            let evaluator = Evaluator(preset.architecture, kernels: kernels, examples: test)
            for run in runs
            where run.run.configuration.name == preset.rawValue && run.outcome?.isResult == true {
                guard let path = run.directory.checkpoints.last?.path else { continue }
                let layout = run.run.configuration.layout
                let file = try Safetensors(reading: path)
                let weights = FloatBuffer(layout.tensors.flatMap { file[$0.name]?.values ?? [] })
                guard weights.count == layout.parameterCount else { continue }
                var wrongs: [Int8] = []
                _ = evaluator.evaluate(weights) { outputs in
                    for start in stride(from: 0, to: outputs.count, by: Self.classCount) {
                        // The first largest, as the network decides.
                        var decision = 0
                        for digit in 1..<Self.classCount
                        where outputs[start + digit] > outputs[start + decision] {
                            decision = digit
                        }
                        wrongs.append(decision == Int(labels[wrongs.count]) ? 0 : 1)
                    }
                }
                wrong[preset, default: [:]][run.run.configuration.seed] = wrongs
            }
        }
    }

    private static let classCount = 10

    /// Seeds of which both networks are there, ascending.
    func seeds(
        _ first: RunConfiguration.Preset, _ second: RunConfiguration.Preset
    ) -> [UInt64] {
        Set((wrong[first] ?? [:]).keys).intersection((wrong[second] ?? [:]).keys).sorted()
    }

    /// Nil where there is no seed.
    func errors(_ preset: RunConfiguration.Preset, seeds: [UInt64]) -> CrossedTable? {
        table(seeds.compactMap { wrong[preset]?[$0] })
    }

    /// +1 where only the first is right, −1 where only the second is. Nil where there is no seed.
    func advantage(
        of first: RunConfiguration.Preset, over second: RunConfiguration.Preset, seeds: [UInt64]
    ) -> CrossedTable? {
        table(
            seeds.compactMap { seed in
                guard let a = wrong[first]?[seed], let b = wrong[second]?[seed] else { return nil }
                return zip(b, a).map { $0 - $1 }
            })
    }

    func mcNemar(
        _ first: RunConfiguration.Preset, _ second: RunConfiguration.Preset, seed: UInt64
    ) -> McNemar? {
        guard let a = wrong[first]?[seed], let b = wrong[second]?[seed] else { return nil }
        return McNemar(
            onlyFirst: zip(a, b).count { $0 < $1 }, onlySecond: zip(a, b).count { $0 > $1 })
    }

    private func table(_ rows: [[Int8]]) -> CrossedTable? {
        rows.isEmpty || exampleCount == 0 ? nil : CrossedTable(rows)
    }
}
