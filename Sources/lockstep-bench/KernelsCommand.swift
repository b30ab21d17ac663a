import ArgumentParser
import Datasets
import LockstepProtocol
import NeuralNetwork
import TrainingPlan

/// `lockstep-bench kernels`
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "The arithmetic: kernels, OpenBLAS, the cost of the tree.",
        discussion: """
            Every kernel in every variant that this processor runs, at the model's shapes; the \
            dense product and its two gradients beside OpenBLAS, where it can be loaded, at the \
            best of its core types for this processor, and beside the measured peak of one core; \
            and whole steps with the fixed tree beside the same steps with one leaf.

            Examples:
              lockstep-bench kernels
              lockstep-bench kernels --data synthetic --json
            """)

    @OptionGroup var options: BenchOptions
    @OptionGroup var data: DataOptions

    func run() throws {
        let folder = try TemporaryFolder()
        let data = try BenchData(data, folder)
        let reporter = try Reporter(options, data: data.description)
        let measurement = KernelMeasurement(data: data, isQuick: options.quick)
        try reporter.show([measurement.kernels()])
        try reporter.show(
            try ProductMeasurement(isQuick: options.quick).sections(folder))
        try reporter.show([try measurement.tree()])
    }
}

/// Kernels by themselves, against OpenBLAS, and in a step.
struct KernelMeasurement {
    let data: BenchData
    let isQuick: Bool

    /// Every kernel, variant by variant; ratios are to the baseline.
    func kernels() -> Section {
        var section = Section(
            title: "Kernels, \(KernelCases.examples) examples of the model", command: "kernels",
            subject: "kernel")
        section.notes = [
            "Best sample, the variants in turn. Sparse products count non-zero inputs only."
        ]
        let variants = KernelVariant.allCases.filter(\.isSupported)
        let cases = variants.map { KernelCases(KernelSet($0), data.dataset.train).all }
        for index in cases[0].indices {
            let times = roundTimes(
                cases.map { $0[index].timed }, seconds: isQuick ? 0.002 : 0.1,
                rounds: isQuick ? 2 : 3)
            let work = cases[0][index]
            let rates = times.map { $0.map(.higher) { work.amount / $0 * 1e-9 } }
            for (position, variant) in variants.enumerated() {
                var figure = Figure(
                    "\(work.name), \(variant.rawValue)", rates[position], work.unit,
                    against: position == 0 ? nil : ("baseline", rates[0]))
                figure.seconds = times[position].best
                section.figures.append(figure)
            }
        }
        return section
    }

    private static let treeBatches = [32, 128, 512, 2048]

    static var entries: [GoalEntry] {
        treeBatches.compactMap { Goals.find(.tree, Goals.place(batch: $0)) }
    }

    /// Steps in this process with the default leaf, against steps whose batch is one leaf.
    func tree() throws -> Section {
        var section = Section(
            title: "A step with the fixed tree, against one leaf", command: "kernels",
            subject: "batch")
        section.notes = ["Gradient and Adam on one thread, default leaf; best of steps in turn."]
        let examples = SparseExamples(
            pixels: data.dataset.train.pixels, labels: data.dataset.train.labels, width: 784)
        let kernels = try KernelSet.selected()
        let team = ThreadTeam(count: 1)
        defer { team.finish() }
        for batch in Self.treeBatches where batch <= examples.count {
            let configuration = RunConfiguration(batchSize: batch)
            let leaf = configuration.effectiveMicroBatch
            let sides = [leaf, batch].map { leafSize in
                let engine = StepEngine(configuration, leafSize, kernels, examples, team)
                return Timed(calls: max(1, 2048 / batch)) { engine.advance() }
            }
            let times = roundTimes(sides, seconds: isQuick ? 0.02 : 1, rounds: isQuick ? 2 : 5)
                .map { $0.map(.lower) { $0 * 1e6 } }
            section.figures.append(
                Figure(
                    "\(batch), leaves of \(leaf)", times[0], "µs",
                    against: ("one leaf", times[1]),
                    entry: Goals.find(.tree, Goals.place(batch: batch))))
        }
        return section
    }
}
