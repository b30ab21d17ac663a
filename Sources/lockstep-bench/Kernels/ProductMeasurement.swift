import NeuralNetwork

/// The dense product and its two gradients, against OpenBLAS at its best core type and against what
/// one core can do at all.
struct ProductMeasurement {
    let isQuick: Bool

    /// The model's first layer and wide nets: examples × inputs × outputs.
    private var shapes: [(Int, Int, Int)] {
        isQuick
            ? [(128, 784, 128)]
            : [(128, 784, 128), (512, 784, 128), (512, 1024, 1024), (1024, 1024, 1024)]
    }

    static var entries: [GoalEntry] {
        Goals.table.filter { $0.row == .productsOpenBLAS || $0.row == .productsPeak }
    }

    func sections(_ folder: TemporaryFolder) throws -> [Section] {
        var notes: [String] = []
        let multipliers = try Multiplier.all(folder, notes: &notes)
        let kernels = try KernelSet.selected()
        let peak = PeakOfOneCore.timed(kernels.variant)
        if peak == nil {
            notes.append(
                "The peak is left out: \(kernels.variant.rawValue) kernels have no fused multiply-add."
            )
        }
        var sections: [Section] = []
        for kind in ProductKind.allCases {
            var section = Section(
                title: "Dense layer, one thread: \(kind.rawValue)", command: "kernels",
                subject: "examples × inputs × outputs")
            for (examples, inputs, outputs) in shapes {
                let product = Product(kind, examples: examples, inputs: inputs, outputs: outputs)
                section.figures += try figures(product, kernels, multipliers, peak)
            }
            sections.append(section)
        }
        notes.append(
            "The input gradient finds the weights transposed, as a step does it once; the weight "
                + "gradient has one leaf.")
        sections[sections.count - 1].notes = notes
        return sections
    }

    private func figures(
        _ product: Product, _ kernels: KernelSet, _ multipliers: [Multiplier],
        _ peak: (timed: Timed, operations: Double)?
    ) throws -> [Figure] {
        let operands = ProductOperands(product)
        let own = Timed(calls: product.callsPerSample) { operands.multiply(kernels) }
        var sides: [() throws -> Double] = [{ own.sample() }]
        if let peak { sides.append { peak.timed.sample() } }
        sides += multipliers.map { multiplier in { try multiplier.sample(product) } }
        let times = try roundTimes(sides, seconds: isQuick ? 0.004 : 0.4, rounds: isQuick ? 2 : 5)
        func rates(_ times: Rounds, _ operations: Double) -> Rounds {
            times.map(.higher) { operations / $0 * 1e-9 }
        }
        let rate = rates(times[0], product.operations)
        let others = multipliers.enumerated().map { index, multiplier in
            (
                name: "OpenBLAS \(multiplier.coreType)",
                rounds: rates(times[index + (peak == nil ? 1 : 2)], product.operations)
            )
        }
        let fastest = others.max { ($0.rounds.best ?? 0) < ($1.rounds.best ?? 0) }
        var figures = [
            Figure(
                product.words, rate, "GFLOP/s", against: fastest,
                entry: Goals.find(.productsOpenBLAS, product.kind.rawValue)),
            Figure(
                product.words, rate, "GFLOP/s",
                against: peak.map { ("peak", rates(times[1], $0.operations)) },
                entry: Goals.find(.productsPeak, product.kind.rawValue)),
        ]
        for index in figures.indices { figures[index].seconds = times[0].best }
        return figures
    }
}
