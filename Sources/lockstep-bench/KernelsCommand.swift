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
            dense forward product beside OpenBLAS, where it can be loaded, for every core type \
            that it has for this processor; and whole steps with the fixed tree beside the same \
            steps with one leaf.

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
        try reporter.show(try measurement.products(folder))
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
            let times = bestTimes(cases.map { $0[index].timed }, seconds: isQuick ? 0.002 : 0.15)
            for (variant, time) in zip(variants, times) {
                let work = cases[0][index]
                let baseline = work.amount / times[0] * 1e-9
                section.figures.append(
                    Figure(
                        "\(work.name), \(variant.rawValue)", seconds: time,
                        work.amount / time * 1e-9, work.unit,
                        against: variant == variants[0] ? nil : ("baseline", baseline)))
            }
        }
        return section
    }

    /// Batches of the model's first layer, and a large square.
    private static let products =
        [8, 16, 32, 64, 128, 256, 512].map { Product(examples: $0, inputs: 784, outputs: 128) }
        + [Product(examples: 1024, inputs: 1024, outputs: 1024)]

    /// The dense forward product against OpenBLAS, in processes of its own: it reads its core type
    /// when it is loaded.
    func products(_ folder: TemporaryFolder) throws -> [Section] {
        var (asItComes, best) = (productSection("as it comes"), productSection("at its best"))
        let multipliers = try Multiplier.all(folder, notes: &best.notes)
        let kernels = try KernelSet.selected()
        for product in isQuick ? Array(Self.products.prefix(5)) : Self.products {
            let times = try Self.times(
                product, kernels, multipliers, seconds: isQuick ? 0.004 : 0.4)
            func rate(_ index: Int) -> Double { product.operations / times[index] * 1e-9 }
            func against(_ index: Int) -> (name: String, value: Double) {
                ("OpenBLAS \(multipliers[index - 1].coreType)", rate(index))
            }
            var figure = Figure(product.words, seconds: times[0], rate(0), "GFLOP/s")
            if !multipliers.isEmpty {
                figure.against = against(1)
                asItComes.figures.append(figure)
                let fastest = times.indices.dropFirst().min { times[$0] < times[$1] }
                figure.against = fastest.map(against)
                figure.goal = .atLeast(1)
            }
            best.figures.append(figure)
        }
        return asItComes.figures.isEmpty ? [best] : [asItComes, best]
    }

    private func productSection(_ library: String) -> Section {
        Section(
            title: "Dense forward product, one thread; OpenBLAS \(library)", command: "kernels",
            subject: "examples × inputs × outputs")
    }

    /// Best seconds a call: ours, then each of the others, a sample each in turn.
    private static func times(
        _ product: Product, _ kernels: KernelSet, _ multipliers: [Multiplier], seconds: Double
    ) throws -> [Double] {
        let operands = ProductOperands(product)
        let own = Timed(calls: product.callsPerSample) { operands.multiply(kernels) }
        var best = [own.sample()] + multipliers.map { _ in Double.infinity }
        let end = secondsNow() + seconds * Double(best.count)
        repeat {
            best[0] = min(best[0], own.sample())
            for (index, multiplier) in multipliers.enumerated() {
                best[index + 1] = min(best[index + 1], try multiplier.sample(product))
            }
        } while secondsNow() < end
        return best
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
        for batch in [32, 128, 512, 2048] where batch <= examples.count {
            let configuration = RunConfiguration(batchSize: batch)
            let leaf = configuration.effectiveMicroBatch
            let sides = [leaf, batch].map { leafSize in
                let engine = StepEngine(configuration, leafSize, kernels, examples, team)
                return Timed(calls: max(1, 2048 / batch)) { engine.advance() }
            }
            let times = bestTimes(sides, seconds: isQuick ? 0.02 : 1)
            section.figures.append(
                Figure(
                    "\(batch), leaves of \(leaf)", times[0] * 1e6, "µs",
                    against: ("one leaf", times[1] * 1e6), goal: .atMost(1.15)))
        }
        return section
    }
}
